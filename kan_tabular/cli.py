"""The ``kan-tabular`` command: fit, apply, explain and report on a model from CSV files.

Heavy libraries are imported inside the commands, so that ``--help`` answers at once.
"""

import time
import warnings
from pathlib import Path
from typing import Annotated, Literal

import typer

from kan_tabular.cli_conformal import at_confidence, calibrated, load_model
from kan_tabular.cli_output import busy, draw, number, print_table, readable, say
from kan_tabular.cli_tables import as_trained, choose_task, rows_for, table_for, training_table
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


@app.command()
@readable
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
    conformal: Annotated[
        float | None,
        typer.Option(
            help="Share of the rows, such as 0.2, to keep from the fit and calibrate `predict --confidence` on."
        ),
    ] = None,
):
    """Fit a model to a CSV file, tell how good it is, and save it."""
    import kan_tabular
    from kan_tabular.persistence import check_target

    if conformal is not None and not 0 < conformal < 1:
        raise DataError(f"--conformal {conformal:g}: give a share between 0 and 1, such as 0.2")

    check_target(out)  # before the work, not after it
    with busy(f"Reading {data}"):
        X, y = training_table(data, target, drop or [])
    task, reason = choose_task(y, task, loss)
    say(f"{data}: {len(X)} rows, {X.shape[1]} columns to predict {target!r}")
    say(f"task: {task} ({reason})")
    _print_columns(X)

    settings = {"loss": loss} if loss else {}
    if model_kind == "network":
        kind = kan_tabular.LogisticKAN if task == "classification" else kan_tabular.KANRegressor
        model = kind(random_state=0, **settings)
    else:
        model = (kan_tabular.KAAMClassifier if task == "classification" else kan_tabular.KAAMRegressor)(**settings)
    saved = model if conformal is None else calibrated(model, conformal, task)
    with busy(f"Fitting {len(X)} rows") as update:
        start = time.perf_counter()
        saved.fit(X, y)
        seconds = time.perf_counter() - start
        model = saved if conformal is None else saved.estimator_
        score, _ = _score(model, X, y, update)
        concurvity = model.concurvity() if model_kind == "additive" else None
    say(f"\nfitted in {seconds:.2g} s; {score}")
    _print_importances(model)
    if concurvity is not None:
        _warn_concurvity(concurvity)
    saved.save(out)
    if conformal is not None:
        say(f"\ncalibrated on {len(saved.calibration_.scores)} of the rows, which the model has not seen")
    say(f"\nmodel written to {out}")


@app.command()
@readable
def predict(
    model: Annotated[Path, typer.Argument(help="Model file that `fit` wrote.")],
    data: Annotated[Path, typer.Argument(help="CSV file with the model's columns; others are not used.")],
    out: Annotated[Path, typer.Option(help="CSV file to write.")] = Path("predictions.csv"),
    confidence: Annotated[
        list[float] | None,
        typer.Option(
            help="Add an interval, or the set of classes, that holds the truth with this probability, such as 0.9; may "
            "be given several times. Needs a model of `fit --conformal`."
        ),
    ] = None,
):
    """Predict every row of a CSV file."""
    with busy("Predicting"):
        fitted, conformal = load_model(model)
        if confidence and conformal is None:
            raise DataError(f"{model} was not calibrated, so --confidence has no basis; fit it with --conformal 0.2")
        table = table_for(fitted, data)
        predictions = _predictions(fitted, table, at_confidence(conformal, confidence, as_trained(fitted, table)))
        predictions.to_csv(out, index=False)
    flagged = int((predictions["outside_training"] != "").sum())
    say(f"{len(predictions)} predictions written to {out}")
    if flagged:
        say(f"{flagged} of them for rows with a value outside the training data (see column outside_training)")


@app.command()
@readable
def explain(
    model: Annotated[Path, typer.Argument(help="Model file that `fit` wrote.")],
    data: Annotated[Path, typer.Argument(help="CSV file with the model's columns.")],
    row: Annotated[int, typer.Option(help="Row to explain; the first one below the header is 0.")],
    plot: Annotated[Path | None, typer.Option(help="Picture file to write, e.g. why.png.")] = None,
):
    """Explain one row: how much each column moved its prediction."""
    import numpy as np

    with busy("Explaining"):
        fitted, _ = load_model(model)
        table = table_for(fitted, data)
        if not 0 <= row < len(table):
            raise DataError(f"--row {row} is out of range: {data} has rows 0 to {len(table) - 1}")
        one = table.iloc[[row]]
        explanation = fitted.explain(as_trained(fitted, one))
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
            draw(plot, "ContributionDisplay", fitted, as_trained(fitted, one), row=0)
    say(f"row {row} of {data}")
    for name in prediction.columns.drop("row"):
        if name != "outside_training" or prediction[name].iloc[0]:
            say(f"  {name}: {number(prediction[name].iloc[0])}")
    say(f"\ncontributions to the {scale}, largest first")
    order = np.argsort(-np.abs(values), kind="stable")
    lines = [(table.columns[j], number(one.iloc[0, j]), f"{values[j]:+.4g}") for j in order]
    lines += [("average", "", f"{base[0]:+.4g}"), ("sum", "", f"{base[0] + values.sum():+.4g}")]
    print_table(("column", "value", "contribution"), lines)
    if plot is not None:
        say(f"\npicture written to {plot}")


@app.command()
@readable
def formula(
    model: Annotated[Path, typer.Argument(help="Model file that `fit` wrote.")],
    language: Annotated[
        Literal["python", "sql", "c", "javascript", "excel", "latex", "markdown"],
        typer.Option(help="What to write the formula in."),
    ],
    dialect: Annotated[
        Literal["ansi", "postgres", "bigquery"] | None,
        typer.Option(help="Of sql; ansi, the default, also runs on SQLite and DuckDB."),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="CSV file with the model's columns. Without it the formula imitates the model's curves."),
    ] = None,
    target: Annotated[
        str | None, typer.Option(help="Column of --data that the constants are fitted to, as well as to the model.")
    ] = None,
    fidelity: Annotated[
        float, typer.Option(help="Least R2 between formula and model; below, the formula is refused.")
    ] = 0.98,
    max_complexity: Annotated[int, typer.Option(help="Numeric constants that a term of the formula may have.")] = 3,
    output: Annotated[Path | None, typer.Option(help="File to write; by default the text is printed.")] = None,
):
    """Write the model as a formula, in a programming language, SQL, a spreadsheet's or for a paper."""
    options = {} if dialect is None else {"dialect": dialect}
    if options and language != "sql":
        raise DataError(f"--dialect is for --language sql; leave it out with {language}")
    if target is not None and data is None:
        raise DataError(f"--target {target} needs --data: the CSV file that has this column")
    with busy("Finding a formula"):
        fitted, _ = load_model(model)
        if not hasattr(fitted, "formula_"):
            X, y = (None, None) if data is None else rows_for(fitted, data, target)
            fitted = fitted.to_symbolic(X, y, fidelity=fidelity, max_complexity=max_complexity)
        elif data is not None:
            raise DataError(f"{model} is a formula already; leave out --data: there is nothing to be fitted")
        text = fitted.write(language, **options).rstrip("\n") + "\n"
    if output is None and not all(c.isprintable() or c in "\n\t" for c in text):
        raise DataError("a name in this formula holds characters that cannot be printed; write it with --output FILE")
    # Where the text is printed it must be all there is on stdout, so that it can be piped.
    typer.echo(_fidelity(fitted.fidelity_), err=output is None)
    if output is None:
        typer.echo(text, nl=False)
    else:
        output.write_text(text, encoding="utf-8", newline="\n")
        say(f"formula written to {output}")


@app.command()
@readable
def report(
    model: Annotated[Path, typer.Argument(help="Model file that `fit` wrote.")],
    data: Annotated[
        Path, typer.Argument(help="CSV file with the model's columns and the target: rows the model has not seen.")
    ],
    target: Annotated[str, typer.Option("--target", "--y", help="Column that the model predicts.")],
    out: Annotated[Path, typer.Option(help="HTML file to write.")] = Path("report.html"),
    title: Annotated[str | None, typer.Option(help="Title of the page.")] = None,
    intended_use: Annotated[str | None, typer.Option(help="For whom, when and for which decision.")] = None,
    label: Annotated[
        list[str] | None, typer.Option(metavar="COLUMN=TEXT", help="Readable name; may be given several times.")
    ] = None,
    unit: Annotated[
        list[str] | None, typer.Option(metavar="COLUMN=UNIT", help="Unit of a column; may be given several times.")
    ] = None,
    patient: Annotated[
        list[int] | None, typer.Option(help="Row with a section of its own; the first one below the header is 0.")
    ] = None,
    threshold: Annotated[float, typer.Option(help="Probability from which a row counts as positive.")] = 0.5,
    min_group: Annotated[int, typer.Option(help="Smaller counts of people are not told.")] = 5,
    n_training: Annotated[int | None, typer.Option(help="Number of training rows, to be stated.")] = None,
):
    """Write a report on the model: one HTML page with its figures, curves and a what-if panel."""
    from kan_tabular.report import build_report

    with busy("Writing the report"):
        fitted, conformal = load_model(model)
        X, y = rows_for(fitted, data, target)
        build_report(
            fitted,
            X,
            y,
            out,
            title=title,
            intended_use=intended_use,
            outcome=target,
            labels=_pairs("--label", label),
            units=_pairs("--unit", unit),
            patients=patient,
            conformal=conformal,
            threshold=threshold,
            min_group=min_group,
            n_training=n_training,
        )
    say(f"report on {len(y)} rows written to {out}")


@app.command()
@readable
def demo(
    out: Annotated[Path, typer.Option(help="Folder to write to.")] = Path("demo-output"),
):
    """Run everything on scikit-learn's breast cancer data: fit, score, draw, report, save."""
    from sklearn.datasets import load_breast_cancer

    import kan_tabular

    out.mkdir(parents=True, exist_ok=True)
    bunch = load_breast_cancer(as_frame=True)
    X, y = bunch.data, bunch.target_names[bunch.target]
    classes = " and ".join(bunch.target_names)
    say(f"breast cancer data of scikit-learn: {len(X)} rows, {X.shape[1]} columns; classes {classes}")
    model = kan_tabular.KAAMClassifier()
    with busy("Fitting") as update:
        start = time.perf_counter()
        model.fit(X, y)
        seconds = time.perf_counter() - start
        score, held_out = _score(model, X, y, update)
        concurvity = model.concurvity()
    say(f"fitted in {seconds:.2g} s; {score}")
    _print_importances(model)
    _warn_concurvity(concurvity)
    with busy("Drawing"):
        draw(out / "shapes.png", "ShapeDisplay", model)
        draw(out / "importance.png", "ImportanceDisplay", model)
        draw(out / "contribution.png", "ContributionDisplay", model, X, row=0)
        model.save(out / "model.kan")
        held_out.to_csv(out / "predictions.csv", index=False)
    with busy("Reporting"):
        _demo_report(model, X, y, out / "report.html")
    say(f"\nwritten to {out}/")
    print_table(
        (),
        [
            ("shapes.png", "the curves of the most important columns, with their 95% bands"),
            ("importance.png", "how much each column matters"),
            ("contribution.png", "why the first patient is predicted as they are"),
            ("predictions.csv", "each row as predicted by a model that did not see it"),
            ("model.kan", "the model: kan_tabular.load, or kan-tabular predict"),
            ("report.html", "the model for a browser: how good it is, its curves, and what if a value were another"),
        ],
    )


def _demo_report(model, X, y, path):
    """A report on rows that its model has not seen: one in three."""
    from sklearn.base import clone
    from sklearn.model_selection import train_test_split

    from kan_tabular.report import build_report

    X, X_test, y, y_test = train_test_split(X, y, test_size=1 / 3, stratify=y, random_state=0)
    build_report(
        clone(model).fit(X, y),
        X_test,
        y_test,
        path,
        title="Breast tumours: benign or malignant",
        intended_use="A demonstration on published measurements of cell nuclei. Not for patients.",
        outcome="diagnosis",
        n_training=len(X),
    )


def _pairs(option, texts):
    """What ``NAME=TEXT`` options say, as a dict."""
    for text in texts or []:
        if "=" not in text:
            raise DataError(f"{option} {text!r} has no '=': give COLUMN=TEXT")
    # Names may hold an equals sign more likely than units or readable names do.
    return dict(text.rsplit("=", 1) for text in texts or []) or None


# ---- predictions as a table ----


def _predictions(model, table, more=None):
    import inspect

    import numpy as np

    X = as_trained(model, table)
    if hasattr(model, "classes_"):
        columns = _class_columns(model.classes_, model.predict_proba(X))
    elif "return_std" in inspect.signature(model.predict).parameters:
        mean, error = model.predict(X, return_std=True)
        columns = {"prediction": mean, "standard_error": error}
    else:
        columns = {"prediction": model.predict(X)}
    outside = np.asarray(model.extrapolation(X))
    names = np.asarray(table.columns)
    flagged = {"outside_training": ["; ".join(names[flags]) for flags in outside]}
    return _output(columns | (more or {}) | flagged)


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


def _fidelity(figures):
    """A sentence on how faithful a formula is to its model."""
    parts = [f"R2 with the model {figures['r2_model']:.4f}"]
    for name, label in (("loss", "loss"), ("auc", "AUC")):  # NaN without a target
        own, models = figures[f"{name}_formula"], figures[f"{name}_model"]
        if own == own:
            parts.append(f"{label} {own:.4g} (model: {models:.4g})")
    return f"formula: {', '.join(parts)}"


# ---- what the user sees ----


def _print_columns(X):
    from pandas import CategoricalDtype

    lines = []
    for name, column in X.items():
        levels = column.cat.categories if isinstance(column.dtype, CategoricalDtype) else None
        kind = "number" if levels is None else f"category, {len(levels)} levels"
        lines.append((name, kind, str(int(column.isna().sum()) or "")))
    print_table(("column", "read as", "missing"), lines)


def _print_importances(model):
    summary = model.summary().sort_values("importance", ascending=False, kind="stable").head(N_SHOWN)
    say("\nmost important columns")
    head, lines = ("column", "importance"), [(name, f"{line.importance:.1%}") for name, line in summary.iterrows()]
    if "edf" in summary:
        head += ("effective degrees of freedom",)
        lines = [(*line, f"{edf:.1f}") for line, edf in zip(lines, summary["edf"], strict=True)]
    print_table(head, lines)


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
