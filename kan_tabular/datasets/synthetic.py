"""Made-up tables of which the truth is known exactly.

Features are independent and uniform on [0, 1]. The linear predictor is a sum of curves (and products), each with mean 0
and a known standard deviation over that distribution; the predictor as a whole has mean 0 and standard deviation 1. So
the parts are what a fitted model's centred curves estimate, without a constant to be shifted between them.
"""

from dataclasses import dataclass
from math import expm1, sqrt

import numpy as np

__all__ = ["Truth", "make_additive", "make_interaction", "make_steps"]


def _scaled(function, mean, sd):
    return lambda x: (function(np.asarray(x, dtype=float)) - mean) / sd


#: Mean 0 and standard deviation 1 for x uniform on [0, 1] (the constants are those integrals).
_CURVES = (
    _scaled(lambda x: np.sin(2 * np.pi * x), 0.0, sqrt(1 / 2)),
    _scaled(lambda x: x, 1 / 2, sqrt(1 / 12)),
    _scaled(lambda x: (x - 0.5) ** 2, 1 / 12, sqrt(1 / 180)),
    _scaled(lambda x: np.exp(3 * x), expm1(3) / 3, sqrt(expm1(6) / 6 - (expm1(3) / 3) ** 2)),
    _scaled(lambda x: -np.exp(-5 * x), expm1(-5) / 5, sqrt(-expm1(-10) / 10 - (expm1(-5) / 5) ** 2)),
    _scaled(lambda x: np.cos(4 * np.pi * x), 0.0, sqrt(1 / 2)),
)
_RESPONSES = ("gaussian", "binary", "poisson")


@dataclass(frozen=True)
class Truth:
    """What made a synthetic table.

    Attributes
    ----------
    curves : dict of str to callable
        Of each feature, also of those without effect (zero): values of the feature to its part of the linear predictor.
    pairs : dict of (str, str) to callable
        Of each pair of features that act together: values of the two to their part, beyond both curves. Its mean over
        either feature is 0, whatever the other is.
    response : str
        ``gaussian``, ``binary`` (log-odds) or ``poisson`` (log of the mean).
    """

    curves: dict
    pairs: dict
    response: str

    def linear_predictor(self, X):
        """The sum of all parts, array (n,), for a table with the columns of `curves`."""
        total = np.zeros(len(X))
        for name, curve in self.curves.items():
            total += curve(X[name])
        for (first, second), surface in self.pairs.items():
            total += surface(X[first], X[second])
        return total

    def mean(self, X):
        """The expected response, array (n,): a probability if it is ``binary``."""
        eta = self.linear_predictor(X)
        return {"gaussian": eta, "binary": 1 / (1 + np.exp(-eta)), "poisson": np.exp(eta)}[self.response]


def make_additive(n_samples=500, n_features=5, *, noise=None, response="gaussian", n_irrelevant=0, random_state=None):
    """A table whose truth is a sum of smooth curves.

    Parameters
    ----------
    n_samples : int
    n_features : int
        Columns with an effect, ``x0``, ``x1``, ... Their curves are, in turn: a sine, a line, a parabola, an
        exponential, a saturating curve, a faster cosine. All have the same standard deviation.
    noise : float, optional
        Standard deviation of the normal noise of a ``gaussian`` response; 1 by default, as much as that of the truth.
    response : {"gaussian", "binary", "poisson"}
        ``binary`` are 0 and 1, the predictor being the log-odds; ``poisson`` are counts, it being the log of the mean.
    n_irrelevant : int
        Further columns without effect.
    random_state : int, RandomState instance or None

    Returns
    -------
    sklearn.utils.Bunch
        ``data``, ``target``, ``frame``, ``feature_names``, ``target_names``, ``truth`` (a `Truth`), ``DESCR``.

    Raises
    ------
    ValueError
        If a number is out of range, the response unknown, or `noise` given for one that is not ``gaussian``.
    """
    _at_least("n_features", n_features, 1)
    scale = 1 / sqrt(n_features)
    curves = [_times(_CURVES[j % len(_CURVES)], scale) for j in range(n_features)]
    return _drawn("additive", curves, {}, n_samples, noise, response, n_irrelevant, random_state)


def make_interaction(
    n_samples=500, n_features=2, *, share=0.5, noise=None, response="gaussian", n_irrelevant=0, random_state=None
):
    """A table in which neighbouring features act together.

    Parameters
    ----------
    n_samples : int
    n_features : int
        Even: ``x0`` acts together with ``x1``, ``x2`` with ``x3``, ... Each feature has a curve too, as in
        `make_additive`.
    share : float
        Share of the variance of the linear predictor that no sum of curves can have, from 0 to 1.
    noise, response, n_irrelevant, random_state
        As in `make_additive`.

    Returns
    -------
    sklearn.utils.Bunch
        As from `make_additive`; ``truth.pairs`` has what a pair adds to its two curves, a product
        ``12 (a - 1/2) (b - 1/2)`` up to scale.

    Raises
    ------
    ValueError
        If a number is out of range, the response unknown, or `noise` given for one that is not ``gaussian``.
    """
    _at_least("n_features", n_features, 2)
    if n_features % 2:
        raise ValueError(f"n_features={n_features} must be even: features act in pairs")
    if not 0 <= share <= 1:
        raise ValueError(f"share={share!r} must be from 0 (no interaction) to 1 (nothing else)")
    line = _CURVES[1]
    height = sqrt(2 * share / n_features)
    curves = [_times(_CURVES[j % len(_CURVES)], sqrt((1 - share) / n_features)) for j in range(n_features)]
    pairs = {(f"x{j}", f"x{j + 1}"): lambda a, b: height * line(a) * line(b) for j in range(0, n_features, 2)}
    return _drawn("interaction", curves, pairs, n_samples, noise, response, n_irrelevant, random_state)


def make_steps(n_samples=500, n_features=3, *, noise=None, response="gaussian", n_irrelevant=0, random_state=None):
    """A table whose curves are constant but for jumps, the case for trees.

    Parameters
    ----------
    n_samples : int
    n_features : int
        Columns with an effect. That of ``x0`` jumps up at 1/2; that of ``x1`` up at 1/3 and down at 2/3; that of ``x2``
        up at 1/4, down at 1/2 and up at 3/4; and so on with one jump more each.
    noise, response, n_irrelevant, random_state
        As in `make_additive`.

    Returns
    -------
    sklearn.utils.Bunch
        As from `make_additive`.

    Raises
    ------
    ValueError
        If a number is out of range, the response unknown, or `noise` given for one that is not ``gaussian``.
    """
    _at_least("n_features", n_features, 1)
    curves = [_times(_steps(j + 1), 1 / sqrt(n_features)) for j in range(n_features)]
    return _drawn("steps", curves, {}, n_samples, noise, response, n_irrelevant, random_state)


def _times(curve, height):
    return lambda x: height * curve(x)


def _steps(n_jumps):
    """Low and high in turn over n_jumps + 1 equal intervals; mean 0, standard deviation 1."""
    jumps = np.arange(1, n_jumps + 1) / (n_jumps + 1)
    high = ((n_jumps + 1) // 2) / (n_jumps + 1)  # the share of [0, 1] that is high
    return _scaled(lambda x: np.searchsorted(jumps, x, side="right") % 2, high, sqrt(high * (1 - high)))


def _drawn(kind, curves, pairs, n_samples, noise, response, n_irrelevant, random_state):
    import pandas as pd
    from sklearn.utils import Bunch, check_random_state

    _at_least("n_samples", n_samples, 1)
    _at_least("n_irrelevant", n_irrelevant, 0)
    if response not in _RESPONSES:
        raise ValueError(f"response={response!r} must be one of {', '.join(map(repr, _RESPONSES))}")
    if noise is not None and response != "gaussian":
        raise ValueError(
            f"noise={noise!r} is for response='gaussian': a {response} response has the noise of its own law"
        )
    noise = 1.0 if noise is None else noise
    if not 0 <= noise < np.inf:
        raise ValueError(f"noise={noise!r} must be a standard deviation, 0 or more")
    rng = check_random_state(random_state)
    named = {f"x{j}": curve for j, curve in enumerate(curves)}
    named |= {f"irrelevant{j}": _nothing for j in range(n_irrelevant)}
    truth = Truth(named, pairs, response)
    X = pd.DataFrame(rng.uniform(size=(n_samples, len(named))), columns=list(named))
    mean = truth.mean(X)
    if response == "gaussian":
        y = mean + noise * rng.normal(size=n_samples)
    else:
        y = rng.binomial(1, mean) if response == "binary" else rng.poisson(mean)
    y = pd.Series(y, name="y")
    return Bunch(
        data=X,
        target=y,
        frame=X.assign(y=y),
        feature_names=list(named),
        target_names=["0", "1"] if response == "binary" else ["y"],
        truth=truth,
        DESCR=f"Made up ({kind}): {len(curves)} features with an effect, {n_irrelevant} without, {response} response.",
    )


def _nothing(x):
    return np.zeros(np.shape(x))


def _at_least(name, value, least):
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name}={value!r} must be a whole number, {least} or more")
