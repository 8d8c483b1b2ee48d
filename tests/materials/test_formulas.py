"""Composition strings: what they mean, and where they are wrong."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kan_tabular.exceptions import CompositionError
from kan_tabular.materials import parse_formula
from kan_tabular.materials.formulas import SYMBOLS, write_formula

AMOUNTS = {
    "Fe": {"Fe": 1},
    "CoCrFeMnNi": {"Co": 1, "Cr": 1, "Fe": 1, "Mn": 1, "Ni": 1},
    "Al0.5CoCrFeNi": {"Al": 0.5, "Co": 1, "Cr": 1, "Fe": 1, "Ni": 1},
    "Al.5Co2.": {"Al": 0.5, "Co": 2},
    "(CoCr)0.5Fe2": {"Co": 0.5, "Cr": 0.5, "Fe": 2},
    "[(Fe0.6Co0.4)3Si]2{NbB}": {"Fe": 3.6, "Co": 2.4, "Si": 2, "Nb": 1, "B": 1},
    "FeCoFe": {"Fe": 2, "Co": 1},
    " (CoCrCuFeNi)2Nb0.5 ": {"Co": 2, "Cr": 2, "Cu": 2, "Fe": 2, "Ni": 2, "Nb": 0.5},
    "[(Fe0.6Co0.4)0.75B0.2Si0.05]96Nb4": {"Fe": 43.2, "Co": 28.8, "B": 19.2, "Si": 4.8, "Nb": 4},  # 1 in the bracket
    "(CoCr)100": {"Co": 100, "Cr": 100},
    "Al0.25 Co1\tFe1": {"Al": 0.25, "Co": 1, "Fe": 1},
    "V10Cr10Fe45Co35Ni0": {"V": 10, "Cr": 10, "Fe": 45, "Co": 35},  # the end of a series, written so in tables
    "CO": {"C": 1, "O": 1},
}


@pytest.mark.parametrize("formula", AMOUNTS)
def test_amounts(formula):
    amounts = parse_formula(formula)
    assert amounts == pytest.approx(AMOUNTS[formula])
    assert list(amounts) == list(AMOUNTS[formula])


DOUBTFUL = {
    "(TiZrNbTa)95Mo5": 1,
    "Al7 (HfNbTiZr)93": 5,
    "Ni45(FeCoCr)40(AlTi)15": 5,
    "(Fe40Mn40Co10Cr10)98C2.2": 1,
    "Ni2[(Fe50Ni50)3B]": 5,
}


@pytest.mark.parametrize("formula", DOUBTFUL)
def test_brackets_that_may_mean_percent_are_refused(formula):
    with pytest.raises(CompositionError, match="count formulas or be a percentage") as error:
        parse_formula(formula)
    assert f"at position {DOUBTFUL[formula]}, " in str(error.value)


WRONG = {
    "Ta_Th": (3, "'_'"),
    "Xx2": (1, "'Xx' .* no element"),
    "CoAx3": (3, "'Ax' .* no element"),
    "COCRFENI": (4, "'R' .* no element"),
    "al0.5Co": (1, "'a' .*'Al'. Symbols begin with a capital"),
    "Cofe": (1, "'Cofe' .* no element"),
    "Co fe": (4, "'f' .*'Fe'"),
    "(CoCr": (1, "never closed"),
    "Fe(Co[CrNi)2": (11, "']' was expected"),
    "CoCr)2": (5, "closes no bracket"),
    "(Co]Cr": (4, r"'\)' was expected"),
    "Fe()": (3, "empty"),
    "2Co": (1, "'2' .* element symbol was expected"),
    "Co 2": (4, "'2'"),  # of Co, or of what follows?
    "Fe1.2.3": (6, "'.'"),
    "Fe,Co": (3, "','"),
    "Fe1e3": (4, "'e'"),
    "CoCr\N{SUBSCRIPT TWO}": (5, "element symbol was expected"),
    "Fe-5": (3, "percent by weight by convention: set fractions='weight'"),
    "Ti-6Al-4V": (3, "percent by weight by convention: set fractions='weight'"),
}


@pytest.mark.parametrize("formula", WRONG)
def test_position_of_what_is_wrong(formula):
    position, why = WRONG[formula]
    with pytest.raises(CompositionError, match=f"at position {position}, |{why}") as error:
        parse_formula(formula)
    assert f"at position {position}, " in str(error.value)
    assert error.match(why)


def test_nothing_to_read():
    for formula in ("", "  \n"):
        with pytest.raises(CompositionError, match="empty"):
            parse_formula(formula)
    for formula in ("Co0", "(CoCr)0", "Co0.0Ni0", "Co" + 400 * "9"):
        with pytest.raises(CompositionError, match="add up to (0|inf)"):
            parse_formula(formula)
    for formula in (None, 5, float("nan"), b"Fe"):
        with pytest.raises(TypeError, match="must be a string"):
            parse_formula(formula)


def test_percent_by_weight():
    """The notation for commercial alloys: the first element is the rest."""
    assert parse_formula("Ti-6Al-4V", fractions="weight") == pytest.approx({"Ti": 90, "Al": 6, "V": 4})
    dashes = parse_formula("Co\N{EN DASH}33Cr\N{MINUS SIGN}9W-0.35N - .1C", fractions="weight")
    assert dashes == pytest.approx({"Co": 57.55, "Cr": 33, "W": 9, "N": 0.35, "C": 0.1})
    assert parse_formula("Fe2Co", fractions="weight") == {"Fe": 2, "Co": 1}
    with pytest.raises(ValueError, match="fractions must be 'atomic' or 'weight'; got 'mass'"):
        parse_formula("Fe", fractions="mass")


AMBIGUOUS = {
    "Ti-Al": (4, "percentage and a symbol"),
    "Ti-6Al-": (8, "nothing"),
    "-6Al": (1, "base element"),
    "Ti--4V": (4, "nothing"),
    "Ti6-4V": (1, "base element"),
    "Ti-6Ax": (5, "no element"),
    "Tx-6Al": (1, "no element"),
    "Ti-6Al-4Al": (8, "Al was there before"),
    "Ti-6Al-4Ti": (8, "Ti was there before"),
    "Ti-Al6": (4, "percentage and a symbol"),
    "Ti-6(AlV)": (4, "percentage and a symbol"),
}


@pytest.mark.parametrize("formula", AMBIGUOUS)
def test_percentages_that_leave_doubt_are_refused(formula):
    position, why = AMBIGUOUS[formula]
    with pytest.raises(CompositionError, match=why) as error:
        parse_formula(formula, fractions="weight")
    assert f"at position {position}, " in str(error.value)


def test_percentages_leave_something_of_the_base():
    with pytest.raises(CompositionError, match="add up to 100, which leaves no Ti"):
        parse_formula("Ti-60Al-40V", fractions="weight")


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from(SYMBOLS), st.integers(1, 10**6), min_size=1, max_size=12))
def test_written_formulas_are_read_back(counts):
    shares = np.array(list(counts.values())) / sum(counts.values())
    written = write_formula(list(counts), shares)
    assert parse_formula(written) == pytest.approx(dict(zip(counts, shares, strict=True)), abs=1e-12)


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="CoFeAl()[]0123.5 -_xN", max_size=12))
def test_any_text_is_read_or_refused(text):
    try:
        amounts = parse_formula(text)
    except CompositionError:
        return
    assert amounts and all(symbol in SYMBOLS and amount > 0 for symbol, amount in amounts.items())


def test_symbols_are_the_periodic_table():
    assert len(SYMBOLS) == len(set(SYMBOLS)) == 118
    assert [SYMBOLS.index(s) + 1 for s in ("H", "Fe", "Ag", "W", "U", "Og")] == [1, 26, 47, 74, 92, 118]
