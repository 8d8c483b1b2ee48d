"""What a card says, as text for `DESCR`."""

import textwrap

__all__ = ["describe"]


def describe(card, target, drop_leaks=True, title=True):
    """The card in reStructuredText.

    Parameters
    ----------
    card : kan_tabular.datasets.cards.Card
    target : kan_tabular.datasets.cards.Target
        The one that was asked for.
    drop_leaks : bool
        Whether the columns that say what the target is were left out.
    title : bool
        Whether to start with the title.

    Returns
    -------
    str
    """
    leaks = card.left_out(target)
    parts = [card.title + "\n" + "=" * len(card.title)] if title else []
    parts += [_target(card, target), _columns(card, target, leaks if drop_leaks else ())]
    if leaks:
        done = "left out (drop_leaks=False returns them)" if drop_leaks else "NOT left out (drop_leaks=False)"
        parts.append(
            f"Columns that say what the target is, {done}:\n\n" + _list(f"{n}: {why}" for n, why in leaks.items())
        )
    if card.quirks:
        parts.append("Be careful:\n\n" + _list(card.quirks))
    if card.groups is not None:
        parts.append(_wrap(f"Rows that no split may separate (`groups`): {grouping(card)}."))
    parts.append(_source(card))
    parts.append("Cite:\n\n" + _wrap(card.citation) + "\n\n" + card.bibtex.strip())
    return "\n\n".join(parts) + "\n"


def grouping(card):
    """What the groups of a card are, in words; empty where it has none."""
    if card.groups is None:
        return ""
    kind, columns = card.groups.kind, card.groups.columns
    return {
        "rows": "rows equal in all features",
        "columns": f"equal {_listed(columns)}",
        "composition": f"equal composition by {_listed(columns)}",
        "system": "the same elements",
        "tile": f"tiles of side {card.groups.size} in {_listed(columns)}",
    }[kind]


def _listed(names):
    return ", ".join(names) if len(names) <= 3 else f"values of {len(names)} columns ({names[0]} ... {names[-1]})"


def _target(card, target):
    unit = f" [{target.unit}]" if target.unit else ""
    lines = [f"Target ({target.task}): {target.name}{unit}, from column {target.column!r}."]
    if target.classes:
        lines.append("Classes: " + ", ".join(f"{code} {level.name}" for code, level in enumerate(target.classes)) + ".")
    if target.within is not None:
        w = target.within
        lines.append(f"Counted until {w.time} = {w.limit:g}; censored before: {w.censored}.")
    others = [other.name for other in card.targets if other.name != target.name]
    if others:
        lines.append(f"Other targets (target=): {', '.join(others)}.")
    return _wrap(" ".join(lines))


def _columns(card, target, left_out):
    lines = []
    for column in card.columns:
        names = column.names or [column.name]
        if column.role in ("id", "unused") or set(names) <= set(left_out):
            continue
        shown = (
            ", ".join(names) if len(names) <= 6 else f"{names[0]}, {names[1]} ... {names[-1]} ({len(names)} columns)"
        )
        unit = f" [{column.unit}]" if column.unit else ""
        said = [column.meaning] if column.meaning else []
        if column.levels:
            said.append(", ".join(f"{code} is {level}" for code, level in column.levels.items()))
        if column.missing:
            said.append(f"{', '.join(column.missing)} in the file means missing")
        if target.column in names:
            said.append("the target")
        lines.append(shown + unit + (": " + "; ".join(said) if said else ""))
    if card.rest:
        lines.append(f"other columns: {card.rest}")
    return "Columns:\n\n" + _list(lines)


def _source(card):
    lines = []
    for file in card.files:
        lines.append(f"{file.name}, {file.bytes} bytes, sha256 {file.sha256}, from {file.url}")
    if card.loader:
        lines.append(f"{card.loader}, so no download")
    lines.append(f"licence: {card.licence.repository}")
    if card.licence.data:
        lines.append(f"licence of the data: {card.licence.data}")
    return "Source:\n\n" + _list(lines)


def _list(lines):
    return "\n".join(_wrap(line, "- ", "  ") for line in lines)


def _wrap(text, first="", rest=""):
    options = {"break_long_words": False, "break_on_hyphens": False}
    return textwrap.fill(text, 100, initial_indent=first, subsequent_indent=rest, **options)
