"""Composition strings: strictly read, with the position of what is wrong."""

import math
import re

from kan_tabular.exceptions import CompositionError

#: All elements, in order of their atomic numbers.
SYMBOLS = tuple(
    re.findall(
        "[A-Z][a-z]?",
        "HHeLiBeBCNOFNeNaMgAlSiPSClArKCaScTiVCrMnFeCoNiCuZnGaGeAsSeBrKrRbSrYZrNbMoTcRuRhPdAgCdInSnSbTeIXeCsBa"
        "LaCePrNdPmSmEuGdTbDyHoErTmYbLuHfTaWReOsIrPtAuHgTlPbBiPoAtRnFrRaAcThPaUNpPuAmCmBkCfEsFmMdNoLrRfDbSgBh"
        "HsMtDsRgCnNhFlMcLvTsOg",
    )
)
_KNOWN = frozenset(SYMBOLS)
_CLOSING = {"(": ")", "[": "]", "{": "}"}
_NUMBER = re.compile(r"\d+(?:\.\d*)?|\.\d+")
_SYMBOL = re.compile(r"[A-Z][a-z]*")
_DASH = re.compile("[-\N{EN DASH}\N{MINUS SIGN}]")
_PERCENT_PART = re.compile(rf"({_NUMBER.pattern})\s*({_SYMBOL.pattern})")


def parse_formula(formula, *, fractions="atomic"):
    """Amounts of the elements in a composition string.

    Symbols and brackets, each with a number behind it (1 where there is none): ``"Al0.5CoCrFeNi"``,
    ``"(CoCr)0.5Fe2"``, ``"[(FeCo)3Si]2Nb"``, ``"Al0.25 Co1 Fe1"``. With ``fractions="weight"`` also a base element
    and percentages: ``"Ti-6Al-4V"`` (Ti is the rest to 100). Refused are brackets with a number where all numbers add
    up to 100, ``"(TiZrNbTa)95Mo5"``, as papers mean percent of the bracket or as many formulas.

    Parameters
    ----------
    formula : str
    fractions : {"atomic", "weight"}, default="atomic"
        What the numbers count. ``"Ti-6Al-4V"`` is read only where they are weights, as that notation means percent by
        weight by convention; the amounts that come back are in the units of the numbers.

    Returns
    -------
    amounts : dict of str to float
        Symbol to amount, all positive, in the order of the formula; not normalised.

    Raises
    ------
    CompositionError
        Naming the position of what is wrong.

    Examples
    --------
    >>> parse_formula("(CoCr)0.5Fe2")
    {'Co': 0.5, 'Cr': 0.5, 'Fe': 2.0}
    """
    check_fractions(fractions)
    if not isinstance(formula, str):
        raise TypeError(f"formula must be a string; got {formula!r}.")
    if not formula.strip():
        raise CompositionError("the formula is empty.")
    amounts = _percentages(formula, fractions) if _DASH.search(formula) else _Reader(formula).read()
    total = sum(amounts.values())
    if not 0 < total < math.inf:
        raise CompositionError(f"formula {formula!r}: its amounts add up to {total:g}; give at least one above 0.")
    return {symbol: amount for symbol, amount in amounts.items() if amount > 0}


def write_formula(elements, amounts):
    """A formula that `parse_formula` reads back to the same amounts, to twelve decimals."""
    return "".join(f"{symbol}{amount:.12f}" for symbol, amount in zip(elements, amounts, strict=True) if amount > 0)


def check_fractions(fractions):
    """Refuse what does not say whether numbers count atoms or weights."""
    if fractions not in ("atomic", "weight"):
        raise ValueError(f"fractions must be 'atomic' or 'weight'; got {fractions!r}.")


class _Reader:
    """Recursive descent over ``items = (symbol | bracket items bracket) [number] ...``."""

    def __init__(self, text):
        self.text = text
        self.at = 0

    def read(self):
        amounts, total, doubtful = self._items()
        if self.at < len(self.text):
            self._fail(f"has {self.text[self.at]!r}", "which closes no bracket")
        # 95% of an alloy with 5% Mo, or 95 times its formula?
        if doubtful is not None and abs(total - 100) < 0.5:
            self._doubt(doubtful)
        return amounts

    def _items(self):
        """Amounts up to the end or a closing bracket; the sum of the numbers, and where a bracket may mean percent."""
        amounts, total, n_items, doubtful = {}, 0.0, 0, None
        while True:
            self._skip_blanks()
            if self.at == len(self.text) or self.text[self.at] in _CLOSING.values():
                return amounts, total, doubtful if n_items > 1 else None
            opened = self.at
            inner = self._bracket(opened) if self.text[opened] in _CLOSING else {self._symbol(): 1.0}
            factor, size = self._number(), sum(inner.values())
            if abs(size - 100) < 0.5 and factor != 1:  # (Fe40Mn40Co10Cr10)98C2
                self._doubt(opened)
            if not math.isclose(size, 1) and doubtful is None:
                doubtful = opened
            total, n_items = total + factor, n_items + 1
            for symbol, amount in inner.items():
                amounts[symbol] = amounts.get(symbol, 0.0) + factor * amount

    def _doubt(self, at):
        why = (
            "whose number may count formulas or be a percentage of the whole: write the amounts out without the bracket"
        )
        self._fail(f"opens {self.text[at]!r}", why, at=at)

    def _bracket(self, opened):
        closing = _CLOSING[self.text[opened]]
        self.at += 1
        inner, _, _ = self._items()
        if self.at == len(self.text):
            self._fail(f"opens {self.text[opened]!r}", "which is never closed", at=opened)
        if self.text[self.at] != closing:
            self._fail(f"has {self.text[self.at]!r}", f"where {closing!r} was expected")
        if not inner:
            self._fail(f"opens {self.text[opened]!r}", "which is empty", at=opened)
        self.at += 1
        return inner

    def _symbol(self):
        found = _SYMBOL.match(self.text, self.at)
        if not found:
            character = self.text[self.at]
            hint = ""
            for length in (2, 1):
                name = self.text[self.at : self.at + length].capitalize()
                if character.islower() and name in _KNOWN:
                    hint = f" ({name!r}? Symbols begin with a capital letter)"
                    break
            self._fail(f"has {character!r}", f"where an element symbol was expected{hint}")
        check_symbol(found.group(), self.text, self.at)
        self.at = found.end()
        return found.group()

    def _number(self):
        found = _NUMBER.match(self.text, self.at)
        if not found:
            return 1.0
        self.at = found.end()
        return float(found.group())

    def _skip_blanks(self):
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1

    def _fail(self, what, why, at=None):
        raise CompositionError(_at(self.text, self.at if at is None else at, what, why))


def check_symbol(symbol, formula, at):
    """Refuse what is no element, naming its position in the formula."""
    if symbol not in _KNOWN:
        raise CompositionError(_at(formula, at, f"has {symbol!r}", "which is no element"))


def _at(formula, position, what, why):
    return f"formula {formula!r} {what} at position {position + 1}, {why}."


def _percentages(formula, fractions):
    """``"Ti-6Al-4V"``: the base element is the rest to 100."""
    parts, start = [], 0
    for text in _DASH.split(formula):
        parts.append((start + len(text) - len(text.lstrip()), text.strip()))
        start += len(text) + 1

    def refuse(position, part, why):
        raise CompositionError(_at(formula, position, f"has {part!r}" if part else "has nothing", why))

    if fractions != "weight":
        position = _DASH.search(formula).start()
        refuse(
            position,
            formula[position],
            "a notation that means percent by weight by convention: set fractions='weight' if it does, or write the "
            "atoms, as in 'Ti86Al10V4'",
        )
    position, base = parts[0]
    if not _SYMBOL.fullmatch(base):
        refuse(position, base, "where a base element was expected, as in 'Ti-6Al-4V'")
    check_symbol(base, formula, position)
    amounts = {base: 0.0}
    for position, part in parts[1:]:
        found = _PERCENT_PART.fullmatch(part)
        if not found:
            refuse(position, part, "where a percentage and a symbol were expected, as in 'Ti-6Al-4V'")
        percent, symbol = found.groups()
        check_symbol(symbol, formula, position + found.start(2))
        if symbol in amounts:
            refuse(position, part, f"but {symbol} was there before")
        amounts[symbol] = float(percent)
    amounts[base] = 100.0 - sum(amounts.values())
    if amounts[base] <= 0:
        raise CompositionError(
            f"formula {formula!r}: its percentages add up to {100 - amounts[base]:g}, which leaves no {base}."
        )
    return amounts
