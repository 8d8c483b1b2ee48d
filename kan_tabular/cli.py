"""The ``kan-tabular`` command: fit, apply and explain a model from CSV files.

Heavy libraries are imported inside the commands, so that ``--help`` answers at once.
"""

import functools
import sys
import time
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import typer

from kan_tabular.exceptions import DataError

app = typer.Typer(
    help="Kolmogorov-Arnold additive models for tables: fit, predict, explain.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

#: As `concurvity()` documents: above this, a curve depends on how a shared effect was split between columns.
CONCURVITY_WARNING = 0.8
N_FOLDS = 5
N_SHOWN = 8


def _readable(command):
    """Turn whatever is wrong with the user's input into one line on stderr and exit code 2, and warnings into lines."""

    @functools.wraps(command)
    def wrapped(*args, **kwargs):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                command(*args, **kwargs)
            except (ValueError, TypeError, OSError) as error:
                typer.echo(f"error: {_one_line(error)}", err=True)
                raise typer.Exit(2) from None
        lines = [_one_line(w.message) for w in caught if issubclass(w.category, UserWarning)]
        for line in dict.fromkeys(lines):
            typer.echo(f"warning: {line}", err=True)

    return wrapped


@app.command()
@_readable
def fit(
    data: Annotated[Path, typer.Argument(help="CSV file with a header; UTF-8.")],
    target: Annotated[str, typer.Option(help="Column to predict.")],
    out: Annotated[Path, typer.Option(help="Model file to write.")] = Path("model.kan"),
    task: Annotated[
        Literal["auto", "classification", "regression"],
        typer.Option(help="auto: regression when the target has fractions or more than 10 different numbers."),
    ] = "auto",
    drop: Annotated[list[str] | None, typer.Option(help="Column to leave out; may be given several times.")] = None,
    loss: Annotated[
        Literal["squared_error", "poisson", "gamma"] | None,
        typer.Option(
            help="Of a regression; poisson for counts, gamma for positive amounts. Implies --task regression."
        ),
    ] = None,
    model_kind: Annotated[
        Literal["additive", "network"],
        typer.Option(
            "--model",
            help="additive: one curve a column, solved; network: columns may interact, trained (tens of times slower).",
        ),
    ] = "additive",
):
    """Fit a model to a CSV file, tell how good it is, and save it."""
    import kan_tabular
    from kan_tabular.persistence import check_target

    check_target(out)  # before the work, not after it
    with _busy(f"Reading {data}"):
        X, y = _training_table(data, target, drop or [])
    task, reason = _choose_task(y, task, loss)
    _say(f"{data}: {len(X)} rows, {X.shape[1]} columns to predict {target!r}")
    _say(f"task: {task} ({reason})")
    _print_columns(X)

    settings = {"loss": loss} if loss else {}
    if model_kind == "network":
        kind = kan_tabular.LogisticKAN if task == "classification" else kan_tabular.KANRegressor
        model = kind(random_state=0, **settings)
    else:
        model = (kan_tabular.KAAMClassifier if task == "classification" else kan_tabular.KAAMRegressor)(**settings)
    with _busy(f"Fitting {len(X)} rows") as update:
        start = time.perf_counter()
        model.fit(X, y)
        seconds = time.perf_counter() - start
        score, _ = _score(model, X, y, update)
        concurvity = model.concurvity() if model_kind == "additive" else None
    _say(f"\nfitted in {seconds:.2g} s; {score}")
    _print_importances(model)
    if concurvity is not None:
        _warn_concurvity(concurvity)
    model.save(out)
    _say(f"\nmodel written to {out}")


@app.command()
@_readable
def predict(
    model: Annotated[Path, typer.Argument(help="Model file that `fit` wrote.")],
    data: Annotated[Path, typer.Argument(help="CSV file with the model's columns; others are not used.")],
    out: Annotated[Path, typer.Option(help="CSV file to write.")] = Path("predictions.csv"),
):
    """Predict every row of a CSV file."""
    import kan_tabular

    with _busy("Predicting"):
        fitted = kan_tabular.load(model)
        table = _table_for(fitted, data)
        predictions = _predictions(fitted, table)
        predictions.to_csv(out, index=False)
    flagged = int((predictions["outside_training"] != "").sum())
    _say(f"{len(predictions)} predictions written to {out}")
    if flagged:
        _say(f"{flagged} of them for rows with a value outside the training data (see column outside_training)")


@app.command()
@_readable
def explain(
    model: Annotated[Path, typer.Argument(help="Model file that `fit` wrote.")],
    data: Annotated[Path, typer.Argument(help="CSV file with the model's columns.")],
    row: Annotated[int, typer.Option(help="Row to explain; the first one below the header is 0.")],
    plot: Annotated[Path | None, typer.Option(help="Picture file to write, e.g. why.png.")] = None,
):
    """Explain one row: how much each column moved its prediction."""
    import numpy as np

    import kan_tabular

    with _busy("Explaining"):
        fitted = kan_tabular.load(model)
        table = _table_for(fitted, data)
        if not 0 <= row < len(table):
            raise DataError(f"--row {row} is out of range: {data} has rows 0 to {len(table) - 1}")
        one = table.iloc[[row]]
        explanation = fitted.explain(_as_trained(fitted, one))
        values, base, prediction = explanation.values[0], np.ravel(explanation.base_values), _predictions(fitted, one)
        scale = "prediction"
        if values.ndim == 2:  # one column a class: explain the class that was predicted
            k = int(np.argmax(base[-values.shape[1] :] + values.sum(axis=0)))
            values, base, scale = values[:, k], base[[k]], f"score of class {fitted.classes_[k]}"
        elif hasattr(fitted, "classes_"):
            scale = f"log-odds of class {fitted.classes_[1]}"
        elif getattr(fitted, "loss", "squared_error") != "squared_error":
            scale = "log of the prediction"
        if plot is not None:
            _draw(plot, "ContributionDisplay", fitted, _as_trained(fitted, one), row=0)
    _say(f"row {row} of {data}")
    for name in prediction.columns.drop("row"):
        if name != "outside_training" or prediction[name].iloc[0]:
            _say(f"  {name}: {_number(prediction[name].iloc[0])}")
    _say(f"\ncontributions to the {scale}, largest first")
    order = np.argsort(-np.abs(values), kind="stable")
    lines = [(table.columns[j], _number(one.iloc[0, j]), f"{values[j]:+.4g}") for j in order]
    lines += [("average", "", f"{base[0]:+.4g}"), ("sum", "", f"{base[0] + values.sum():+.4g}")]
    _print_table(("column", "value", "contribution"), lines)
    if plot is not None:
        _say(f"\npicture written to {plot}")


@app.command()
@_readable
def demo(
    out: Annotated[Path, typer.Option(help="Folder to write to.")] = Path("demo-output"),
):
    """Run everything on scikit-learn's breast cancer data: fit, score, draw, save."""
    from sklearn.datasets import load_breast_cancer

    import kan_tabular

    out.mkdir(parents=True, exist_ok=True)
    bunch = load_breast_cancer(as_frame=True)
    X, y = bunch.data, bunch.target_names[bunch.target]
    classes = " and ".join(bunch.target_names)
    _say(f"breast cancer data of scikit-learn: {len(X)} rows, {X.shape[1]} columns; classes {classes}")
    model = kan_tabular.KAAMClassifier()
    with _busy("Fitting") as update:
        start = time.perf_counter()
        model.fit(X, y)
        seconds = time.perf_counter() - start
        score, held_out = _score(model, X, y, update)
        concurvity = model.concurvity()
    _say(f"fitted in {seconds:.2g} s; {score}")
    _print_importances(model)
    _warn_concurvity(concurvity)
    with _busy("Drawing"):
        _draw(out / "shapes.png", "ShapeDisplay", model)
        _draw(out / "importance.png", "ImportanceDisplay", model)
        _draw(out / "contribution.png", "ContributionDisplay", model, X, row=0)
        model.save(out / "model.kan")
        held_out.to_csv(out / "predictions.csv", index=False)
    _say(f"\nwritten to {out}/")
    _print_table(
        (),
        [
            ("shapes.png", "the curves of the most important columns, with their 95% bands"),
            ("importance.png", "how much each column matters"),
            ("contribution.png", "why the first patient is predicted as they are"),
            ("predictions.csv", "each row as predicted by a model that did not see it"),
            ("model.kan", "the model: kan_tabular.load, or kan-tabular predict"),
        ],
    )


# ---- tables ----


def _training_table(data, target, drop):
    from kan_tabular.csv_files import as_columns, as_target, read_cells

    cells = read_cells(data)
    for name in [target, *drop]:
        if name not in cells:
            raise DataError(f"{data} has no column {name!r}; its columns are {', '.join(map(repr, cells.columns))}")
    if target in drop:
        raise DataError(f"{target!r} is the target; it cannot be dropped")
    y = as_target(cells[target])
    cells = cells.drop(columns=[target, *drop])
    if cells.shape[1] == 0:
        raise DataError(f"{data} has no column besides the target {target!r}")
    for name in cells:
        if name.startswith("Unnamed: "):
            raise DataError(f"a column of {data} has no name (row numbers?); leave it out with --drop {name!r}")
    return as_columns(cells), y


def _choose_task(y, task, loss):
    """The task and why: `task` itself, or the documented rule for "auto"."""
    import numpy as np

    distinct = len(np.unique(y))
    if distinct == 1:
        raise DataError(f"the target is {y[0]!s} in every row: there is nothing to learn from one value")
    numeric = y.dtype.kind in "if"
    if loss is not None:
        if task == "classification":
            raise DataError(f"--loss {loss} is for regression; leave it out, or use --task regression")
        task, reason = "regression", f"asked for by --loss {loss}"
    elif task != "auto":
        reason = f"asked for by --task {task}"
    elif not numeric:
        task, reason = "classification", f"the target is text with {distinct} different values"
    elif y.dtype.kind == "f":
        task, reason = "regression", "the target has fractions"
    elif distinct > 10:
        task, reason = "regression", f"the target has {distinct} different numbers, more than 10"
    else:
        task, reason = "classification", f"the target has {distinct} different whole numbers, at most 10"
    if task == "regression" and not numeric:
        raise DataError(f"a regression needs a numeric target, but it holds text such as {y[0]!s}")
    return task, reason


def _table_for(model, data):
    """The model's columns of a CSV file, as a DataFrame."""
    from kan_tabular.csv_files import as_columns, read_cells

    network = model.network_
    return as_columns(read_cells(data), dict(zip(network.feature_names, network.kinds, strict=True)))


def _as_trained(model, table):
    """A model fitted to an array has no column names of its own; give it an array."""
    return table if hasattr(model, "feature_names_in_") else table.to_numpy()


def _predictions(model, table):
    import inspect

    import numpy as np

    X = _as_trained(model, table)
    if hasattr(model, "classes_"):
        columns = _class_columns(model.classes_, model.predict_proba(X))
    elif "return_std" in inspect.signature(model.predict).parameters:
        mean, error = model.predict(X, return_std=True)
        columns = {"prediction": mean, "standard_error": error}
    else:
        columns = {"prediction": model.predict(X)}
    outside = np.asarray(model.extrapolation(X))
    names = np.asarray(table.columns)
    return _output(columns | {"outside_training": ["; ".join(names[flags]) for flags in outside]})


def _class_columns(classes, probability):
    named = {f"probability_{label}": probability[:, k] for k, label in enumerate(classes)}
    return {"prediction": classes[probability.argmax(axis=1)]} | named


def _output(columns):
    """A table of results with a row number; names and cells that came from the input cannot act as formulas."""
    import pandas as pd

    from kan_tabular.csv_files import spreadsheet_safe

    table = pd.DataFrame(columns).map(spreadsheet_safe).rename(columns=spreadsheet_safe)
    table.insert(0, "row", range(len(table)))
    return table


# ---- how good it is ----


def _score(model, X, y, update):
    """A sentence with cross-validated scores, and the held-out predictions (None when the rows are too few)."""
    import numpy as np
    from sklearn.base import clone
    from sklearn.model_selection import KFold, StratifiedKFold

    classes = getattr(model, "classes_", None)
    smallest = len(y) // 2 if classes is None else min(np.unique(y, return_counts=True)[1])
    if smallest < N_FOLDS:
        outputs = model.predict(X) if classes is None else model.predict_proba(X)
        few = "rows" if classes is None else "rows of one class"
        return f"on the training rows (too few {few} for held-out scores): {_metrics(y, outputs, classes)}", None
    split = (KFold if classes is None else StratifiedKFold)(N_FOLDS, shuffle=True, random_state=0)
    outputs = np.empty(len(y) if classes is None else (len(y), len(classes)))
    for k, (train, test) in enumerate(split.split(X, y)):
        update(f"Cross-validation, fold {k + 1} of {N_FOLDS}")
        with warnings.catch_warnings():
            # About the folds (a level that only the held-out rows have), not about the user's model.
            warnings.simplefilter("ignore")
            fold = clone(model).fit(X.iloc[train], y[train])
            outputs[test] = fold.predict(X.iloc[test]) if classes is None else fold.predict_proba(X.iloc[test])
    held_out = _output({"prediction": outputs} if classes is None else _class_columns(classes, outputs))
    return f"held out ({N_FOLDS}-fold cross-validation): {_metrics(y, outputs, classes)}", held_out


def _metrics(y, outputs, classes):
    from sklearn.metrics import accuracy_score, log_loss, r2_score, roc_auc_score, root_mean_squared_error

    if classes is None:
        return f"R2 {r2_score(y, outputs):.4f}, RMSE {root_mean_squared_error(y, outputs):.4g}"
    loss = f"log loss {log_loss(y, outputs, labels=classes):.4f}"
    if len(classes) == 2:
        return f"AUC {roc_auc_score(y, outputs[:, 1]):.4f}, {loss}"
    return f"accuracy {accuracy_score(y, classes[outputs.argmax(axis=1)]):.4f}, {loss}"


# ---- what the user sees ----


def _print_columns(X):
    from pandas import CategoricalDtype

    lines = []
    for name, column in X.items():
        levels = column.cat.categories if isinstance(column.dtype, CategoricalDtype) else None
        kind = "number" if levels is None else f"category, {len(levels)} levels"
        lines.append((name, kind, str(int(column.isna().sum()) or "")))
    _print_table(("column", "read as", "missing"), lines)


def _print_importances(model):
    summary = model.summary().sort_values("importance", ascending=False, kind="stable").head(N_SHOWN)
    _say("\nmost important columns")
    head, lines = ("column", "importance"), [(name, f"{line.importance:.1%}") for name, line in summary.iterrows()]
    if "edf" in summary:
        head += ("effective degrees of freedom",)
        lines = [(*line, f"{edf:.1f}") for line, edf in zip(lines, summary["edf"], strict=True)]
    _print_table(head, lines)


def _warn_concurvity(concurvity):
    high = concurvity[concurvity["concurvity"] > CONCURVITY_WARNING].sort_values("concurvity", ascending=False)
    if len(high) == 0:
        return
    worst = "; ".join(
        f"{name} ({line.concurvity:.2f}, most by {line.most_related})" for name, line in high.head(3).iterrows()
    )
    warnings.warn(
        f"concurvity: {len(high)} of {len(concurvity)} columns are nearly determined by the others, so do not read "
        f"their curves one by one: {worst}{' ...' if len(high) > 3 else ''}",
        stacklevel=2,
    )


def _draw(path, display, *args, **kwargs):
    import matplotlib

    # No window is ever shown; without this a desktop's own backend would be started.
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    from kan_tabular import plots

    figure = getattr(plots, display).from_estimator(*args, **kwargs).figure_
    figure.savefig(path, dpi=150, bbox_inches="tight")
    plt.close(figure)


@contextmanager
def _busy(message):
    """A spinner on stderr where that is a terminal; yields the function that changes its message."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.markup import escape

    with Console(stderr=True).status(escape(message)) as status:
        yield lambda text: status.update(escape(text))


def _number(value):
    if value != value:
        return "missing"
    return f"{value:.5g}" if isinstance(value, float) else str(value)


def _print_table(header, lines):
    rows = [[_printable(cell) for cell in row] for row in ([header] if header else []) + lines]
    widths = [max(len(row[j]) for row in rows) for j in range(len(rows[0]))]
    for row in rows:
        _say("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _say(text):
    typer.echo("\n".join(_printable(line) for line in text.split("\n")))


def _one_line(message):
    return _printable(" ".join(str(message).split()))


def _printable(text):
    """Without the control characters by which a table's cell could take over a terminal."""
    return "".join(c if c.isprintable() else "?" for c in str(text))
