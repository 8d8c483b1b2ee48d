"""How strange a value would be: MAPIE's conformity scores, for every class or along a line."""

from __future__ import annotations

import numpy as np

CLASS_SCORES = ("lac", "aps", "top_k")
VALUE_SCORES = ("absolute", "gamma", "normalized")


def class_scores(name, probabilities):
    """Score of every class (m, C), given the probabilities (m, C).

    "aps" is written here: MAPIE's subtracts a random part, so that sets would differ from call to call, and refuses two
    classes.
    """
    if name == "aps":
        order = np.argsort(-probabilities, axis=1, kind="stable")
        out = np.empty_like(probabilities)
        np.put_along_axis(out, order, np.cumsum(np.take_along_axis(probabilities, order, 1), axis=1), axis=1)
        return out
    from mapie.conformity_scores import LACConformityScore, TopKConformityScore

    score = LACConformityScore() if name == "lac" else TopKConformityScore()
    labels = [np.full(len(probabilities), c) for c in range(probabilities.shape[1])]
    return np.hstack([score.get_conformity_scores(c, probabilities, y_enc=c) for c in labels])


def value_scores(name, y, predicted, scale):
    """Scores (n,) of values y; `scale` (n,) is in what units ("normalized")."""
    return np.abs(_score(name).get_signed_conformity_scores(y, predicted)) / scale


def ends(name, predicted, reach):
    """Lower and upper end where scores, times their scale, are `reach`."""
    score = _score(name)
    return score.get_estimation_distribution(predicted, -reach), score.get_estimation_distribution(predicted, reach)


def _score(name):
    from mapie.conformity_scores import AbsoluteConformityScore, GammaConformityScore

    return GammaConformityScore() if name == "gamma" else AbsoluteConformityScore()
