"""The model card: what the model is for, what it was judged on, how it was made."""

from __future__ import annotations

import inspect
import platform

import numpy as np

import kan_tabular
from kan_tabular.report.numbers import Disclosure, figure, percent

LIMITS = (
    "The model describes associations in the data it was fitted to. That a factor raises the prediction does not mean "
    "that changing the factor would change the outcome.",
    "Figures and curves hold for people like those in the data. Where the page says that a value lies outside the "
    "training data, the prediction is an extrapolation.",
    "The intervals of predictions and curves come from an approximate posterior: they describe what the data leave "
    "open about the model, not that the model's form might be wrong.",
)


def model_card(subject, *, intended_use, date):
    """What the section shows.

    Returns
    -------
    card : dict
        ``facts`` (name, text), ``balance`` (class, count, share), ``columns`` (name, kind, missing), ``settings``
        (name, text), ``versions`` (name, text), ``limits``.
    """
    told = Disclosure(subject.min_group)
    n = len(subject.y)
    model = subject.source.estimator
    kind = type(model).__name__
    if subject.source.preprocessing is not None:
        steps = " \N{RIGHTWARDS ARROW} ".join(type(step).__name__ for _, step in subject.source.preprocessing.steps)
        kind = f"{steps} \N{RIGHTWARDS ARROW} {kind}"
    facts = [
        ("Predicts", _predicts(subject)),
        ("Intended use", intended_use or "not stated"),
        ("Model", kind),
        (
            "Training rows",
            "not stated (the model keeps none)" if subject.n_training is None else told.total(subject.n_training),
        ),
        ("Test rows", told.total(n)),
        ("Columns", f"{len(subject.source.columns):,}"),
        ("Date of this report", date),
    ]
    return {
        "facts": facts,
        "balance": _balance(subject, told),
        "spread": _spread(subject),
        "columns": [
            {
                "name": subject.with_unit(name),
                "kind": _kind(subject, name),
                "missing": told.part(int(subject.frame[name].isna().sum()), n) if name in subject.frame else "",
            }
            for name in subject.source.columns
        ],
        "settings": _settings(model),
        "versions": [
            ("kan-tabular", kan_tabular.__version__),
            ("Python", platform.python_version()),
            ("NumPy", np.__version__),
        ],
        "limits": LIMITS,
    }


def _predicts(subject):
    if subject.task == "binary":
        return f"the probability that {subject.target} is {subject.classes[1]} (rather than {subject.classes[0]})"
    if subject.task == "multiclass":
        return f"the probability of each class of {subject.target}: {', '.join(subject.classes)}"
    unit = subject.units.get(subject.outcome)
    return f"the mean of {subject.target}" + (f" in {unit}" if unit else "")


def _balance(subject, told):
    if not subject.classes:
        return []
    counts = np.bincount(subject.y, minlength=len(subject.classes))
    texts = told.counts(counts)
    shares = [
        percent(k / len(subject.y)) if text == f"{k:,}" else "not shown" for k, text in zip(counts, texts, strict=True)
    ]
    return list(zip(subject.classes, texts, shares, strict=True))


def _spread(subject):
    if subject.classes:
        return None
    quartiles = np.quantile(subject.y, [0.25, 0.5, 0.75])
    return f"median {figure(quartiles[1])}, middle half from {figure(quartiles[0])} to {figure(quartiles[2])}"


def _kind(subject, name):
    if name not in subject.source.shown_names:
        return "prepared for the model"
    feature = subject.source.estimator.network_.features[subject.source.shown_names.index(name)]
    return "number" if feature.kind == "numeric" else f"category, {len(feature.levels)} levels"


def _settings(model):
    """Parameters that are not at their default, and what was left at it."""
    defaults = {name: p.default for name, p in inspect.signature(type(model).__init__).parameters.items()}
    changed = []
    for name, value in model.get_params(deep=False).items():
        default = defaults.get(name)
        if value is not default and repr(value) != repr(default):
            text = repr(value)
            changed.append((name, text if len(text) <= 200 else f"{text[:199]}\N{HORIZONTAL ELLIPSIS}"))
    return changed
