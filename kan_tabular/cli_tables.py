"""The tables of the command: a CSV file as what a model is fitted to, or as a fitted model takes it."""

from kan_tabular.exceptions import DataError

__all__ = ["as_trained", "choose_task", "rows_for", "table_for", "training_table"]


def training_table(data, target, drop):
    """Columns and target of a CSV file."""
    from kan_tabular.csv_files import as_columns, as_target, read_cells

    cells = read_cells(data)
    for name in [target, *drop]:
        _column(cells, name, data)
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


def choose_task(y, task, loss):
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


def table_for(model, data):
    """The model's columns of a CSV file, as a DataFrame."""
    from kan_tabular.csv_files import as_columns, read_cells

    network = model.network_
    return as_columns(read_cells(data), dict(zip(network.feature_names, network.kinds, strict=True)))


def rows_for(model, data, target):
    """The model's columns of a CSV file as it was trained, and their target (None where `target` is)."""
    import numpy as np

    from kan_tabular.csv_files import as_target, read_cells

    X = as_trained(model, table_for(model, data))
    if target is None:
        return X, None
    y = as_target(_column(read_cells(data), target, data))
    labels = {str(label): label for label in model.classes_.tolist()} if hasattr(model, "classes_") else {}
    if set(map(str, y)) <= labels.keys():  # True in Python is the text "True" in a file
        y = np.array([labels[str(v)] for v in y])
    return X, y


def _column(cells, name, data):
    if name not in cells:
        raise DataError(f"{data} has no column {name!r}; its columns are {', '.join(map(repr, cells.columns))}")
    return cells[name]


def as_trained(model, table):
    """A model fitted to an array has no column names of its own; give it an array."""
    return table if hasattr(model, "feature_names_in_") else table.to_numpy()
