"""From a card to a data set in scikit-learn's convention."""

import inspect
import re
from importlib import import_module
from numbers import Integral, Real

import numpy as np

from kan_tabular.datasets.cards import card_names, read_card
from kan_tabular.datasets.describe import describe, grouping
from kan_tabular.datasets.files import read_file
from kan_tabular.datasets.tables import parse, split

__all__ = ["fetch_dataset", "list_datasets", "named_function"]

#: Arguments of `fetch_dataset` that say nothing to a data set without a file of its own.
_DOWNLOAD = ("data_home", "download_if_missing", "n_retries", "delay")


def list_datasets():
    """All data sets that have a card.

    Returns
    -------
    pandas.DataFrame
        Indexed by name (``fetch_<name>`` loads it): ``title``, ``domain``, ``task`` (of the default
        target), ``rows`` and ``features`` (as loaded by default), ``targets``, ``groups`` (rows that no split may
        separate), ``licence`` (as stated by the source).
    """
    import pandas as pd

    cards = [read_card(name) for name in card_names()]
    rows = [
        {
            "title": card.title,
            "domain": card.domain,
            "task": card.targets[0].task,
            "rows": card.rows,
            "features": card.features,
            "targets": ", ".join(target.name for target in card.targets),
            "groups": grouping(card),
            "licence": card.licence.repository,
        }
        for card in cards
    ]
    return pd.DataFrame(rows, index=pd.Index([card.name for card in cards], name="name"))


def fetch_dataset(
    card,
    *,
    data_home=None,
    download_if_missing=True,
    return_X_y=False,
    as_frame=True,
    n_retries=3,
    delay=1.0,
    drop_leaks=True,
    target=None,
):
    """Load a data set by its card, and download its file the first time.

    Parameters
    ----------
    card : str or path-like
        A name of `list_datasets`, or the path of a ``.toml`` card of your own.
    data_home : str or path-like, optional
        Folder of the cache; by default scikit-learn's (the environment variable ``SCIKIT_LEARN_DATA``, or
        ``~/scikit_learn_data``). Files are kept in its folder ``kan_tabular``, as they are at the source. If the
        environment variable ``KAN_TABULAR_DATA`` names a folder and `data_home` is not given, the files are read from
        that folder and nothing is downloaded or written.
    download_if_missing : bool
        False: an error instead of a download.
    return_X_y : bool
        Only ``(data, target)``.
    as_frame : bool
        False: `data` is a float array, or one of objects if there are categories or text, and `target` an array.
    n_retries : int
        How often a failed download is tried again.
    delay : float
        Seconds before each new attempt.
    drop_leaks : bool
        Leave out the columns that say what the target is: outcomes, other measured properties, scores made afterwards.
        `DESCR` names them.
    target : str, optional
        One of the targets of the card; by default the first.

    Returns
    -------
    sklearn.utils.Bunch
        ``data`` (n, p), ``target`` (n,) with codes of classes or numbers, ``frame`` (both together; None without
        `as_frame`), ``feature_names``, ``target_names`` (the classes in the order of their codes, or the name of the
        target), ``units`` (of features and target that have one), ``groups`` (n,) rows that no split may separate, or
        None, ``DESCR``, ``filename`` (of the file that was read), ``card``.

    Raises
    ------
    DatasetError
        If there is no such card, or the file cannot be had, kept or read; the message says what to do by hand.
    ValueError
        If `target` is not a target of the card, or `n_retries` or `delay` is no number of attempts or seconds.
    """
    if not isinstance(n_retries, Integral) or n_retries < 0:
        raise ValueError(f"n_retries={n_retries!r} must be a whole number, 0 or more")
    if not isinstance(delay, Real) or not 0 <= delay < float("inf"):
        raise ValueError(f"delay={delay!r} must be a number of seconds, 0 or more")
    card = read_card(card)
    chosen = card.target(target)
    cells, path = _cells(
        card,
        data_home=data_home,
        download_if_missing=download_if_missing,
        n_retries=n_retries,
        delay=delay,
    )
    X, y, groups = split(card, cells, chosen, drop_leaks)
    if not as_frame:
        numeric = all(dtype == np.float64 for dtype in X.dtypes)
        data, values, frame = X.to_numpy(dtype=float if numeric else object), y.to_numpy(), None
    else:
        data, values, frame = X, y, X.assign(**{y.name: y})
    if return_X_y:
        return data, values
    from sklearn.utils import Bunch

    units = {name: card.by_column[name].unit for name in X if name in card.by_column and card.by_column[name].unit}
    return Bunch(
        data=data,
        target=values,
        frame=frame,
        feature_names=list(X),
        target_names=[level.name for level in chosen.classes] or [chosen.name],
        units=units | ({chosen.name: chosen.unit} if chosen.unit else {}),
        groups=groups,
        DESCR=describe(card, chosen, drop_leaks),
        filename=path,
        card=card,
    )


def _cells(card, **where):
    """The text of all files side by side, and the path of the first."""
    import pandas as pd

    if card.loader:
        module, function = card.loader.rsplit(".", 1)
        bunch = getattr(import_module(module), function)(as_frame=True)
        return bunch.frame.astype(str), bunch.filename
    read = [read_file(file, **where) for file in card.files]
    tables = [parse(file, content) for file, (content, _) in zip(card.files, read, strict=True)]
    return pd.concat(tables, axis=1), read[0][1]


def named_function(name, card_name):
    """A function that loads one card, with a signature and a docstring of its own.

    Parameters
    ----------
    name : str
        Of the function.
    card_name : str
        A name of `list_datasets`.

    Returns
    -------
    callable
    """
    card = read_card(card_name)
    parameters = list(inspect.signature(fetch_dataset).parameters.values())[1:]
    if card.loader:
        parameters = [parameter for parameter in parameters if parameter.name not in _DOWNLOAD]
    signature = inspect.Signature(parameters)

    def function(*arguments, **options):
        return fetch_dataset(card_name, **signature.bind(*arguments, **options).arguments)

    function.__signature__ = signature
    function.__name__ = function.__qualname__ = name
    function.__module__ = "kan_tabular.datasets"
    function.__doc__ = _docstring(card, signature)
    return function


def _docstring(card, signature):
    """The sections of `fetch_dataset`, with those of its parameters that `signature` has, and the card."""
    _, parameters, results = re.split(r"(?:Parameters|Returns)\n-+\n", inspect.getdoc(fetch_dataset))
    texts = re.split(r"\n(?=\w)", parameters.strip())
    kept = [text for text in texts if text.partition(" :")[0].split(", ")[0] in signature.parameters]
    return "\n".join(
        [
            f"{card.title}.\n",
            f"{card.rows} rows and {card.features} features by default. The card follows below.\n",
            "Parameters\n----------",
            *kept,
            "\nReturns\n-------",
            results,
            "\nNotes\n-----",
            describe(card, card.targets[0], title=False),
        ]
    )
