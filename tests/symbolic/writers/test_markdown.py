"""The Markdown of formulas, read by another program."""

import pytest
from formula_cases import CASES, category, numeric, shape

from kan_tabular.symbolic.formula import Formula, Sum, T, Term
from kan_tabular.symbolic.writers import write


def _read(source):
    """Rows of the table as text, and the code block."""
    markdown = pytest.importorskip("markdown_it").MarkdownIt("commonmark").enable("table")
    tokens = markdown.parse(source)
    # A cell that held markup would have children other than plain text.
    cells = [t for t in tokens if t.type == "inline"]
    assert {c.type for t in cells for c in t.children} <= {"text", "text_special"}
    texts = ["".join(c.content for c in t.children) for t in cells]
    (block,) = (t.content for t in tokens if t.type == "fence")
    return [tuple(texts[i : i + 5]) for i in range(0, len(texts), 5)], block


def test_by_hand():
    terms = [shape("x", 2.5 * T**2 - 1, missing=0.25), Term("a|b", levels={"<b>": 1.5, "`": -1}, other=0.2)]
    formula = Formula([Sum(0.5, terms)], [numeric("x"), category("a|b", ["<b>", "`"])], "log", targets=["events"])
    rows, block = _read(write(formula, "markdown"))
    assert rows == [
        ("sum", "term", "adds", "if missing", "otherwise"),
        ("eta", "constant", "0.5", "", ""),
        ("eta", "x", "2.5*x**2 - 1", "0.25", "0"),
        ("eta", '"a|b"', '"<b>": 1.5, "`": -1', "", "0.2"),
    ]
    assert block == '"events" = exp(eta)\n'


@pytest.mark.parametrize("case", CASES)
def test_one_row_a_term(case):
    rows, block = _read(write(CASES[case], "markdown"))
    formula = CASES[case]
    sums = [n for n in formula.nodes() if hasattr(n, "terms")]
    products = len(formula.nodes()) - len(sums)
    assert len(rows) == 1 + products + sum(1 + len(s.terms) for s in sums)
    assert len(block.splitlines()) == (1 if formula.link == "sorted" else len(formula.outputs))
