"""One section a patient: the prediction, how it comes about, what to be careful about, and similar cases."""

from __future__ import annotations

import numbers

import numpy as np
from scipy.special import ndtri

from kan_tabular.explain.spaces import encode
from kan_tabular.report.numbers import cell, figure, percent, signed, span
from kan_tabular.report.payload import WITH_INTERVAL
from kan_tabular.report.svg import track
from kan_tabular.source import one_row

MAX_ROWS = 12
MAX_CASE_COLUMNS = 6


def read_patients(patients, n_rows):
    """What the user asked for as a list of (name, position)."""
    if patients is None:
        return []
    if isinstance(patients, dict):
        pairs = list(patients.items())
    elif np.ndim(patients) == 1:
        pairs = [(None, row) for row in np.asarray(patients).tolist()]
    else:
        raise ValueError(f"patients={patients!r}: give positions of rows of X_test, or a dict of name to position.")
    read = []
    for name, row in pairs:
        if isinstance(row, bool) or not isinstance(row, numbers.Integral) or not -n_rows <= row < n_rows:
            raise ValueError(
                f"patients has {row!r}, which is no position of a row of X_test: expected whole numbers from 0 to "
                f"{n_rows - 1}."
            )
        row = int(row) % n_rows
        read.append((f"Row {row}" if name is None else str(name), row))
    return read


def patient_section(subject, name, row, cases):
    """What the section of one patient shows.

    Returns
    -------
    section : dict
        ``name``, ``row``, ``results`` (class or target, text, interval), ``views`` (position of the output, waterfall
        with ``rows`` and its ends), ``warnings``, ``similar``.
    """
    source, model = subject.source, subject.source.estimator
    table = one_row(subject.X, row)
    encoded = source.transform(table)
    explained = model.explain(encoded)
    values = np.asarray(explained.values, dtype=float)[0].reshape(len(source.names), -1)
    base = np.ravel(np.asarray(explained.base_values, dtype=float))
    shown = _shown(subject, encoded, row)
    flags = np.asarray(model.extrapolation(encoded))[0]
    return {
        "name": name,
        "row": row,
        "results": _results(subject, row, encoded),
        "views": [(k, _waterfall(subject, values[:, k], base[k], shown)) for k in range(values.shape[1])],
        "warnings": [
            f"{subject.label(source.shown_names[j])} = {shown[j]} lies outside the training data."
            for j in np.flatnonzero(flags)
        ],
        "similar": None if cases is None else _similar(subject, cases, table, values),
    }


def _shown(subject, encoded, row):
    """The patient's values as text, one a feature of the model."""
    source = subject.source
    own = subject.frame.iloc[row]
    first = encoded.iloc[0] if hasattr(encoded, "iloc") else np.asarray(encoded, dtype=object)[0]
    texts = []
    for j, name in enumerate(source.shown_names):
        in_table = name in subject.frame.columns
        value = own[name] if in_table else list(first)[j]
        unit = subject.units.get(name) if in_table else None
        texts.append(cell(value) + (f" {unit}" if unit and cell(value) != "missing" else ""))
    return texts


def _results(subject, row, encoded):
    predicted = subject.predicted[row]
    if subject.task == "multiclass":
        return [
            (name, percent(p), "", track([(0, p, "bar-1")])) for name, p in zip(subject.classes, predicted, strict=True)
        ]
    write = percent if subject.classes else figure
    name = f"Probability of {subject.event(1)}" if subject.classes else subject.target
    value = predicted[-1]
    ends = _interval(subject, encoded)
    text = "" if ends is None else span(*map(write, ends))
    picture = None
    if subject.classes:
        spans = [(0.0, value, "bar-1")] + ([] if ends is None else [(*ends, "whisker")])
        picture = track(spans)
    return [(name, write(value), text, picture)]


def _interval(subject, encoded):
    """Interval of the mean of a model with one output and a covariance: of the linear predictor, through the link."""
    model = subject.source.estimator
    network = model.network_
    if not hasattr(network, "standard_error") or network.likelihood.link_name not in WITH_INTERVAL:
        return None
    Z = encode(model, encoded, warn=False)
    eta, error = network.forward(Z)[0, 0], network.standard_error(Z)[0, 0]
    z = float(ndtri((1 + subject.confidence_level) / 2))
    return tuple(
        float(np.ravel(network.likelihood.inverse_link(np.array([[eta + s * z * error]])))[0]) for s in (-1, 1)
    )


def _waterfall(subject, values, base, shown):
    """Rows from the average to the prediction, largest contribution first."""
    order = np.argsort(-np.abs(values), kind="stable")
    top, rest = order[:MAX_ROWS], order[MAX_ROWS:]
    names = [subject.label(subject.source.shown_names[j]) for j in top]
    steps, texts = list(values[top]), [shown[j] for j in top]
    if len(rest):
        names.append(f"{len(rest)} other factors")
        steps.append(values[rest].sum())
        texts.append("")
    totals = base + np.concatenate([[0.0], np.cumsum(steps)])
    low, high = totals.min(), totals.max()
    margin = 0.04 * (high - low) or 1.0
    low, high = low - margin, high + margin
    at = (totals - low) / (high - low)
    rows = [
        {
            "name": name,
            "value": text,
            "step": signed(step),
            "track": track([(at[i], at[i + 1], "bar-up" if step > 0 else "bar-down")], [(at[0], "zero")]),
        }
        for i, (name, text, step) in enumerate(zip(names, texts, steps, strict=True))
    ]
    return {"rows": rows, "base": signed(base), "total": signed(totals[-1])}


def _similar(subject, cases, table, values):
    """Similar cases of a fitted `SimilarCases`: the columns that matter most for this patient."""
    found = cases.query(table)
    kept = [name.removeprefix("value__") for name in found.columns if name.startswith("value__")]
    weight = dict(zip(subject.source.shown_names, np.abs(values).sum(1), strict=True))
    columns = sorted(kept, key=lambda name: -weight.get(name, 0.0))[:MAX_CASE_COLUMNS]
    predictions = [name for name in found.columns if name == "prediction" or name.startswith("prediction__")]
    write = percent if subject.classes else figure
    head = ["", "id", "distance", "outcome", *(n.replace("prediction__", "predicted ") for n in predictions)]
    rows = []
    for _, case in found.iterrows():
        said = [cell(case["rank"]), cell(case["id"]), cell(case["distance"]), cell(case["outcome"])]
        said += [
            write(case[name]) if case[name] == case[name] and case[name] is not None else "" for name in predictions
        ]
        rows.append(said + [cell(case[f"value__{name}"]) for name in columns])
    return {
        "head": head + [subject.with_unit(name) for name in columns],
        "rows": rows,
        "rates": _rates(cases, table, found),
    }


def _rates(cases, table, found):
    """What became of the similar cases, as sentences; empty if that is not known."""
    if found["outcome"].isna().all():
        return []
    sentences = []
    for line in cases.outcomes(table).to_dict("records"):
        write = percent if "class" in line else figure
        what = f"{line['class']}:" if "class" in line else "Mean outcome:"
        interval = span(write(line["lower"]), write(line["upper"]))
        sentences.append(f"{what} {write(line['estimate'])} of {line['n']} similar cases (interval {interval})")
    return sentences
