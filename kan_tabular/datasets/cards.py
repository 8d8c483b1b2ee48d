"""Cards: what a data set is, where its file is, and how the file is read; one TOML file a data set.

Cards live in the top-level folder ``datasets/`` and are shipped as ``kan_tabular/datasets/cards``. Every key is checked
when a card is read, so a card with a slip is refused with the place of the slip.
"""

import re
import tomllib
from collections import Counter
from dataclasses import MISSING, dataclass, field, fields
from functools import cache, cached_property
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from kan_tabular.exceptions import DatasetError

__all__ = ["Card", "card_names", "read_card"]

SCHEMA = 1
#: No file of a card is larger, and no download reads more.
LARGEST_FILE = 50_000_000
_SHA256 = re.compile(r"[0-9a-f]{64}")
_LOADER = re.compile(r"sklearn\.datasets\.load_\w+")
_NAME = re.compile(r"[a-z][a-z0-9_]*")


def _of(kind, **keywords):
    """A dataclass field that is a table (or, in a list, several) of its own."""
    return field(metadata={"tables": kind}, **keywords)


@dataclass(frozen=True)
class Column:
    """One column of the file, or several (`names`) of which the same is said.

    `role`: ``feature``; ``target`` (never a feature); ``leak`` (says what the target is, left out unless asked for);
    ``id`` and ``unused`` (always left out). `kind`: ``number``, ``category`` or ``text``. `missing`: codes that mean
    missing in this column; `levels`: what codes of a category stand for; `note`: why the column is left out.
    """

    name: str = ""
    names: list = field(default_factory=list)
    kind: str = "number"
    unit: str = ""
    meaning: str = ""
    role: str = "feature"
    missing: list = field(default_factory=list)
    levels: dict = field(default_factory=dict)
    note: str = ""

    def check(self):
        if bool(self.name) == bool(self.names):
            yield "needs either name or names"
        if self.kind not in ("number", "category", "text"):
            yield f"kind is {self.kind!r}, and can be number, category or text"
        if self.role not in ("feature", "target", "leak", "id", "unused"):
            yield f"role is {self.role!r}, and can be feature, target, leak, id or unused"
        if self.levels and self.kind != "category":
            yield "levels are for kind = 'category'"
        if self.role in ("leak", "unused") and not self.note:
            yield f"role {self.role!r} needs a note that says why"


@dataclass(frozen=True)
class Package:
    """A Python package that carries the same bytes."""

    name: str
    path: str


@dataclass(frozen=True)
class File:
    """One file of the source; the columns of several stand side by side. `header` names the columns where it has
    none."""

    name: str
    url: str
    sha256: str
    bytes: int
    repository: str = ""
    commit: str = ""
    path: str = ""
    encoding: str = "utf-8"
    header: list = field(default_factory=list)
    package: Package | None = _of(Package, default=None)

    def check(self):
        if PurePosixPath(self.name).name != self.name or "\\" in self.name or self.name.startswith("."):
            yield f"name {self.name!r} is not a plain file name"
        if urlsplit(self.url).scheme not in ("http", "https"):
            yield f"url {self.url!r} does not start with https:// or http://"
        if self.commit not in self.url:
            yield "the url does not contain the commit, so it is not pinned"
        if not _SHA256.fullmatch(self.sha256):
            yield "sha256 is not 64 hexadecimal digits"
        if not 0 < self.bytes <= LARGEST_FILE:
            yield f"bytes is {self.bytes}, and can be 1 to {LARGEST_FILE}"


@dataclass(frozen=True)
class Level:
    """A class of a target, and the values of the file that mean it."""

    name: str
    values: list


@dataclass(frozen=True)
class Within:
    """The second class is an event within `limit` of `time`; rows `censored` before: ``left out`` or ``no event``."""

    time: str
    limit: float
    censored: str

    def check(self):
        if self.censored not in ("left out", "no event"):
            yield f"censored is {self.censored!r}, and can be 'left out' or 'no event'"


@dataclass(frozen=True)
class Target:
    """What can be predicted. Classes are numbered in the order given; of two, the second is the event.

    `leaks`: columns that are features for other targets and leak for this one.
    """

    name: str
    column: str
    task: str
    unit: str = ""
    leaks: list = field(default_factory=list)
    classes: list = _of(Level, default_factory=list)
    within: Within | None = _of(Within, default=None)

    def check(self):
        if self.task not in ("binary", "multiclass", "regression"):
            yield f"task is {self.task!r}, and can be binary, multiclass or regression"
        elif self.task != {0: "regression", 2: "binary"}.get(len(self.classes), "multiclass"):
            yield f"task {self.task!r} does not go with {len(self.classes)} classes"
        if self.within is None and any(not level.values for level in self.classes):
            yield "a class without values"


@dataclass(frozen=True)
class Groups:
    """Rows that no split may separate.

    `kind`: ``rows`` (equal in all features), ``columns`` (equal in `columns`, rounded to `digits`), ``composition``
    (equal atomic fractions of the formula in `columns`), ``system`` (the same of `columns` above 0), ``tile`` (the same
    square of side `size` of the coordinates in `columns`).
    """

    kind: str
    columns: list = field(default_factory=list)
    digits: int | None = None
    size: float | None = None

    def check(self):
        if self.kind not in ("rows", "columns", "composition", "system", "tile"):
            yield f"kind is {self.kind!r}, and can be rows, columns, composition, system or tile"
        if (self.kind == "rows") == bool(self.columns):
            yield "columns are needed, except for kind = 'rows'"
        if (self.kind == "tile") != (self.size is not None):
            yield "size is for kind = 'tile', and needed there"


@dataclass(frozen=True)
class Rows:
    """Rows that are read: those with one of the values of every column of `keep`, and none of `leave_out`."""

    keep: dict = field(default_factory=dict)
    leave_out: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Licence:
    """What is stated by the repository, and about the data."""

    repository: str
    data: str = ""


@dataclass(frozen=True)
class Card:
    """A data set. `rows` and `features` are those of the default target, with leaks left out.

    `rest` says what columns of the file are that `columns` does not list (all of them numbers); `drop_constant` leaves
    out features with a single value; `loader` names a function of scikit-learn instead of files.
    """

    name: str
    schema: int
    title: str
    domain: str
    rows: int
    features: int
    citation: str
    bibtex: str
    licence: Licence = _of(Licence)
    columns: list = _of(Column)
    targets: list = _of(Target)
    quirks: list = field(default_factory=list)
    missing: list = field(default_factory=list)
    rest: str = ""
    drop_constant: bool = False
    loader: str = ""
    files: list = _of(File, default_factory=list)
    groups: Groups | None = _of(Groups, default=None)
    row_rules: Rows | None = _of(Rows, default=None)

    def check(self):
        if self.schema != SCHEMA:
            yield f"schema is {self.schema}, and this version reads schema {SCHEMA}"
        if not _NAME.fullmatch(self.name):
            yield f"the file name {self.name!r} is not lower-case letters, digits and underscores"
        if not self.targets:
            yield "needs at least one of [[targets]]"
        if bool(self.files) == bool(self.loader):
            yield "needs either [[files]] or a loader"
        if self.loader and not _LOADER.fullmatch(self.loader):
            yield f"loader is {self.loader!r}, and can be sklearn.datasets.load_..."
        listed = [name for column in self.columns for name in column.names or [column.name]]
        yield from (f"column {name!r} is listed twice" for name, times in Counter(listed).items() if times > 1)
        named = [c for t in self.targets for c in [t.column, *t.leaks, *([t.within.time] if t.within else [])]]
        named += self.groups.columns if self.groups else []
        named += [*self.row_rules.keep, *self.row_rules.leave_out] if self.row_rules else []
        yield from (f"column {name!r} is used, and not listed in columns" for name in named if name not in listed)
        names = Counter(target.name for target in self.targets)
        hidden = [t.name for t in self.targets if t.name in listed and t.name != t.column]
        yield from (f"target {name!r} has the name of another column" for name in hidden)
        yield from (f"two targets are named {name!r}" for name, times in names.items() if times > 1)

    @cached_property
    def by_column(self):
        """What is said of each listed column: dict of str to Column, in the order of the card."""
        return {name: column for column in self.columns for name in column.names or [column.name]}

    def target(self, name=None):
        """The target of this name (the first one by default).

        Raises
        ------
        ValueError
            If there is none.
        """
        for target in self.targets:
            if name in (None, target.name):
                return target
        known = ", ".join(repr(target.name) for target in self.targets)
        raise ValueError(f"target={name!r} is not a target of {self.name}; it has {known}")

    def left_out(self, target):
        """Columns that say what `target` is, and why: dict of str to str."""
        leaks = {name: column.note for name, column in self.by_column.items() if column.role == "leak"}
        leaks |= dict.fromkeys(target.leaks, f"says what {target.name} is")
        return {name: note for name, note in leaks.items() if name != target.column}


def read_card(source):
    """The card of a data set.

    Parameters
    ----------
    source : str or path-like
        A name of `list_datasets`, or the path of a ``.toml`` file.

    Raises
    ------
    DatasetError
        If there is no such card, or it does not follow the schema; the message says where.
    """
    if str(source).endswith(".toml"):
        return _read(Path(source))
    known = _cards()
    if source not in known:
        raise DatasetError(
            f"there is no data set {source!r}; list_datasets() shows all: {', '.join(known)}. "
            "For a card of your own, give the path of its .toml file"
        )
    return _read_known(known[source])


def card_names():
    """Names of the cards that come with the package, sorted."""
    return list(_cards())


@cache
def _cards():
    """Path of each card by name. The wheel has them inside the package, a checkout at its top."""
    here = Path(__file__).resolve()
    folder = here.parent / "cards"
    if not folder.is_dir():
        folder = here.parents[2] / "datasets"
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


@cache
def _read_known(path):
    return _read(path)


def _read(path):
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DatasetError(f"there is no card {path}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DatasetError(f"the card {path} is not TOML: {error}") from None
    return _make(Card, {"name": path.stem, **table}, f"the card {path}")


def _make(kind, table, where):
    """A checked dataclass out of a TOML table, and of the tables in it."""
    if not isinstance(table, dict):
        raise DatasetError(f"{where}: a table is needed, and {table!r} was found")
    known = {f.name: f for f in fields(kind)}
    for key in table:
        if key not in known:
            raise DatasetError(f"{where}: {key!r} is no key here; known are {', '.join(known)}")
    values = {}
    for key, f in known.items():
        if key not in table:
            if f.default is MISSING and f.default_factory is MISSING:
                raise DatasetError(f"{where}: {key!r} is missing")
            continue
        values[key] = _value(f, table[key], f"{where}, {key}")
    made = kind(**values)
    for problem in made.check() if hasattr(made, "check") else ():
        raise DatasetError(f"{where}: {problem}")
    return made


def _value(f, value, where):
    kinds = {list: list, dict: dict, str: str, bool: bool, int: int, float: (int, float)}
    wanted = kinds.get(f.type, (int, float)) if "tables" not in f.metadata else list if f.type is list else dict
    if not isinstance(value, wanted) or (isinstance(value, bool) and f.type is not bool):
        name = wanted.__name__ if isinstance(wanted, type) else "number"
        raise DatasetError(f"{where}: a {name} is needed, and {value!r} was found")
    if "tables" not in f.metadata:
        return value
    kind = f.metadata["tables"]
    if isinstance(value, list):
        return [_make(kind, each, f"{where}[{position}]") for position, each in enumerate(value)]
    return _make(kind, value, where)
