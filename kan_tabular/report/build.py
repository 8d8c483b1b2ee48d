"""`build_report`: a fitted model and its test rows as one page."""

from __future__ import annotations

import datetime

from kan_tabular._files import check_target, write_atomically
from kan_tabular.exceptions import LiveModelError
from kan_tabular.report.card import model_card
from kan_tabular.report.curves import curves, importances, usual_reach
from kan_tabular.report.formula import formula_section
from kan_tabular.report.page import render
from kan_tabular.report.patients import patient_section, read_patients
from kan_tabular.report.payload import model_payload
from kan_tabular.report.performance import performance
from kan_tabular.report.subject import read_subject


def build_report(
    model,
    X_test,
    y_test,
    path,
    *,
    title=None,
    intended_use=None,
    outcome=None,
    labels=None,
    units=None,
    patients=None,
    cases=None,
    formula=None,
    conformal=None,
    threshold=0.5,
    confidence_level=0.95,
    min_group=5,
    n_training=None,
    date=None,
    random_state=0,
):
    """Write a report on a fitted model: one HTML file that opens anywhere and loads nothing.

    It shows what the model is for, how good it is on the test rows, its curves, its formula, and a panel in which a
    reader changes values and sees the prediction move. The panel computes additive models, formulas and most
    networks exactly, in the page; for others the page says why it has none.

    Of the training rows the page holds what the model file holds: curves, ranges and histograms of the columns. Of the
    test rows it holds figures over all of them or over groups; single rows only where `patients` names them, single
    known cases only where `cases` is given.

    Parameters
    ----------
    model : estimator or Pipeline
        A fitted model of this package for classes or one target, or a pipeline that ends in one.
    X_test : table of shape (n, n_columns)
        Rows that the model has not seen, as it takes them.
    y_test : array-like (n,)
        What became of them.
    path : str or path-like
        The file to write. An existing file is replaced only after the new one is complete.
    title : str, default=None
        By default named after the outcome.
    intended_use : str, default=None
        For whom, when and for which decision the model is meant. The page says "not stated" without it.
    outcome : str, default=None
        Name of what is predicted; by default that of `y_test`.
    labels : dict of {str: str}, default=None
        Readable names of columns.
    units : dict of {str: str}, default=None
        Units of columns, such as ``{"lactate": "mmol/l"}``; of a predicted number under the name of the outcome.
    patients : list of int or dict of {str: int}, default=None
        Rows of `X_test` (positions, or name and position) that get a section of their own. By default none, so that a
        page can be passed on.
    cases : SimilarCases, default=None
        Fitted; the sections of `patients` then show the cases most like them.
    formula : SymbolicClassifier or SymbolicRegressor, default=None
        What ``model.to_symbolic(...)`` gave. A model that is a formula shows itself.
    conformal : ConformalClassifier, ConformalRegressor or dict, default=None
        Its sets or intervals are shown in the panel; as plain numbers what its ``threshold_rule()`` gives.
    threshold : float, default=0.5
        Probability from which a row counts as positive, for two classes.
    confidence_level : float, default=0.95
        Of all intervals but the curves' bands.
    min_group : int, default=5
        Counts of people below it are not told, nor others that would give them away.
    n_training : int, default=None
        Number of training rows, which a model does not keep.
    date : str or datetime.date, default=None
        By default today.
    random_state : int, RandomState or None, default=0
        Of the bootstrap intervals.

    Returns
    -------
    path : str
        The file written.

    Raises
    ------
    TypeError
        If the model is none of this package.
    NotFittedError
        If it is not fitted.
    ValueError
        For rows and outcomes that do not fit the model or each other, unknown names, a folder in place of a file.
    FileNotFoundError
        If the folder of `path` does not exist.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from sklearn.datasets import load_breast_cancer
    >>> from kan_tabular import KAAMClassifier
    >>> from kan_tabular.report import build_report
    >>> X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    >>> model = KAAMClassifier().fit(X[:400], y[:400])
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "report.html"
    >>> _ = build_report(model, X[400:], y[400:], path, outcome="benign")
    """
    target = check_target(path, example="report.html")  # before the work, not after it
    subject = read_subject(
        model,
        X_test,
        y_test,
        outcome=outcome,
        labels=labels,
        units=units,
        min_group=min_group,
        n_training=n_training,
        threshold=threshold,
        confidence_level=confidence_level,
        random_state=random_state,
    )
    chosen = read_patients(patients, len(subject.y))
    if cases is not None and not chosen:
        raise ValueError("cases shows the cases most like each of the patients: name some in patients, too.")
    ranking = importances(subject)
    order = [row["index"] for row in ranking]
    date = datetime.date.today() if date is None else date
    sections = {
        "title": title or f"Prediction of {subject.target}",
        "subject": subject,
        "classes": [name for _, name in subject.outputs],
        "card": model_card(subject, intended_use=intended_use, date=str(date)),
        "performance": performance(subject),
        "importances": ranking,
        "panels": curves(subject, order),
        "interacting": hasattr(subject.source.estimator, "interactions"),
        "formula": formula_section(subject, formula),
        "patients": [patient_section(subject, name, row, cases) for name, row in chosen],
    }
    data, reason = _panel_data(subject, conformal, order, chosen)
    page = render({**sections, "reason": reason}, data)
    write_atomically(target, page.encode("utf-8"))
    return target


def _panel_data(subject, conformal, order, chosen):
    """What the page computes with, and why not where it cannot: (data, reason)."""
    try:
        payload = model_payload(subject.model, interval=subject.confidence_level, conformal=_rule(conformal))
    except LiveModelError as error:
        return {"model": None}, str(error)
    for feature in payload["features"]:
        feature["label"] = subject.label(feature["name"])
        feature["unit"] = subject.units.get(feature["name"])
    names = [feature["name"] for feature in payload["features"]]
    rank = {subject.source.shown_names[j]: place for place, j in enumerate(order)}
    ranked = sorted(range(len(names)), key=lambda k: rank.get(names[k], len(rank)))
    return {
        "model": payload,
        "task": subject.task,
        "names": [subject.event(k) for k in range(len(subject.classes))] or [subject.target],
        "unit": subject.units.get(subject.outcome),
        "order": ranked,
        "reach": usual_reach(subject),
        "patients": [
            {"name": name, "values": [_plain(subject.frame[column].iloc[row]) for column in names]}
            for name, row in chosen
        ],
    }, None


def _rule(conformal):
    """A conformal estimator, or its rule, as the rule that the page can compute."""
    rule = conformal.threshold_rule() if hasattr(conformal, "threshold_rule") else conformal
    if rule is None and conformal is not None:
        raise ValueError(
            f"conformal is a {type(conformal).__name__} whose sets are no threshold on a single prediction, which is "
            "all that the page computes: use method='split' and the score 'lac' (classes) or 'absolute' (numbers)."
        )
    if rule is not None and rule.get("empty", "argmax") != "argmax":
        raise ValueError("conformal keeps empty sets, but the page fills them: use empty='argmax'.")
    return rule


def _plain(value):
    """A cell as JSON has it: a number, text, or None where it is missing."""
    import pandas as pd

    if value is None or pd.isna(value):
        return None
    if hasattr(value, "item"):
        value = value.item()
    return value if isinstance(value, (bool, int, float)) else str(value)
