"""The LaTeX of formulas."""

import pytest
import sympy
from formula_cases import CASES, HOSTILE, category, formulas, numeric, shape
from hypothesis import given, settings

from kan_tabular.symbolic.conditions import latex_text
from kan_tabular.symbolic.formula import Formula, Product, Sum, T, Term
from kan_tabular.symbolic.writers import latex, write


def _braces_balance(source):
    depth = 0
    plain = source.replace(r"\{", "").replace(r"\}", "")
    for c in plain:
        depth += (c == "{") - (c == "}")
        if depth < 0:
            return False
    return depth == 0 and plain.count(r"\begin{") == plain.count(r"\end{")


def test_by_hand():
    terms = [
        shape("x", 2.5 * sympy.log(sympy.Max(T + 3, 0.01)), missing=0.25),
        Term("smoker", levels={"yes": 1.5, "no": -1}, missing=0.1, other=0.2),
        shape("body_mass", -T / 2),
    ]
    features = [numeric("x"), category("smoker", ["yes", "no"]), numeric("body_mass")]
    formula = Formula([Sum(1e-7, terms)], features, "logit", classes=["well", "50% ill"])
    assert write(formula, "latex").splitlines() == [
        r"\begin{align*}",
        r"\eta &= 1 \cdot 10^{-7} \\",
        r"&\quad + \begin{cases} 0.25 & x\ \text{is missing} \\ "
        r"2.5 \log{\left(\max\left(0.01, x + 3\right) \right)} & \text{otherwise} \end{cases} \\",
        r"&\quad + \begin{cases} 0.1 & \text{smoker}\ \text{is missing} \\ 1.5 & \text{smoker} = \text{yes} \\ "
        r"-1 & \text{smoker} = \text{no} \\ 0.2 & \text{otherwise} \end{cases} \\",
        r"&\quad - \frac{\text{body\_mass}}{2} \\",
        r"\Pr(\text{50\% ill}) &= \frac{1}{1 + e^{-\eta}}",
        r"\end{align*}",
    ]


def test_hidden_nodes_are_defined_before_use():
    h1, h2 = Sum(1.0, [shape("x", T)]), Sum(0, [shape("y", T**2)])
    outer = Sum(0, [Term(Product([h1, h2]), sympy.sin(T), (-5, 5)), Term(h1, T, (-5, 5))])
    lines = write(Formula([outer], [numeric("x"), numeric("y")], "log", targets=["n"]), "latex").splitlines()
    assert [line.removesuffix(r" \\") for line in lines[1:-1]] == [
        "h_{1} &= 1",
        r"&\quad + x",
        "h_{2} &= y^{2}",
        "h_{3} &= h_{1} h_{2}",
        r"\eta &= \sin{\left(h_{3} \right)}",
        r"&\quad + h_{1}",
        r"\text{n} &= e^{\eta}",
    ]


@pytest.mark.parametrize("case", CASES)
def test_every_case_balances(case):
    source = write(CASES[case], "latex")
    assert _braces_balance(source) and "nan" not in source and "oo" not in source.replace("red column", "")


@settings(max_examples=8, deadline=None, derandomize=True)
@given(formulas())
def test_random_formulas_balance(formula):
    assert _braces_balance(write(formula, "latex"))


@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_escaped(name):
    escaped = latex_text(name)[len(r"\text{") : -1]
    for c in "&%$#_":
        assert escaped.count("\\" + c) == name.count(c) == escaped.count(c)
    assert _braces_balance(escaped) and "\n" not in escaped
    assert escaped.count("\\textbackslash{}") == name.count("\\")


@pytest.mark.parametrize("x", [0.0, 1.0, -2.5, 1e-9, 6.02e23, 1 / 3])
def test_numbers_keep_their_digits(x):
    assert float(latex.number(x).replace(r" \cdot 10^{", "e").replace("}", "")) == x
