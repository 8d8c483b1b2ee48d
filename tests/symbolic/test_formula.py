"""The structure of formulas."""

import json

import numpy as np
import pandas as pd
import pytest
import sympy
from formula_cases import CASES, category, formulas, numeric, shape, table
from hypothesis import given, settings
from scipy.special import expit, softmax

from kan_tabular.encoding.encoder import Feature
from kan_tabular.exceptions import FormulaError
from kan_tabular.likelihoods import REGISTRY as LIKELIHOODS
from kan_tabular.symbolic.conditions import IsMissing, Level
from kan_tabular.symbolic.expressions import FUNCTIONS, from_data, read_expression, to_data
from kan_tabular.symbolic.formula import INVERSE_LINKS, Formula, Product, Sum, T, Term

CLINIC = Formula(
    [
        Sum(
            -1.5,
            [
                Term("age", 0.03 * T, (20, 90), missing=1.2),
                Term("dose", sympy.log(sympy.Max(T, 0.01)), (0.5, 40), other=0.7),
                Term("sex", levels={"f": -0.2, "m": 0.2}, missing=0.05, other=0.01),
            ],
        )
    ],
    [numeric("age"), numeric("unused"), numeric("dose", 0.0), category("sex", ["f", "m"])],
    "logit",
    classes=np.array(["alive", "dead"]),
)
ROWS = pd.DataFrame(
    {
        "sex": ["f", "m", "x", None],
        "dose": [1.0, np.e, np.nan, -5.0],
        "age": [50.0, np.nan, 30.0, 100.0],
    }
)
BY_HAND = [-1.5 + 1.5 - 0.2, -1.5 + 1.2 + 1 + 0.2, -1.5 + 0.9 + 0.7 + 0.01, -1.5 + 3 + np.log(0.01) + 0.05]


def test_evaluate_by_hand():
    assert CLINIC.evaluate(ROWS).shape == (4, 1)
    np.testing.assert_allclose(CLINIC.evaluate(ROWS)[:, 0], BY_HAND, rtol=1e-14)
    np.testing.assert_allclose(CLINIC.predict(ROWS)[:, 0], expit(BY_HAND), rtol=1e-14)
    assert CLINIC.columns == ["age", "dose", "sex"] and CLINIC.classes == ("alive", "dead")


def test_tables_of_other_kinds():
    polars = pytest.importorskip("polars")
    frame = polars.from_pandas(ROWS.astype(object).where(ROWS.notna(), None))
    np.testing.assert_allclose(CLINIC.evaluate(frame)[:, 0], BY_HAND, rtol=1e-14)
    array = np.array([[50.0, 7.0, 1.0, "f"], [None, None, np.e, "m"]], dtype=object)
    np.testing.assert_allclose(CLINIC.evaluate(array)[:, 0], BY_HAND[:2], rtol=1e-14)
    numbers = Formula([Sum(0, [Term("b", T**2, (0, 1))])], [numeric("a"), numeric("b")])
    assert numbers.evaluate(np.array([[1.0, 3.0], [2.0, np.nan]])).ravel().tolist() == [9.0, 0.0]


def test_absent_column():
    with pytest.raises(FormulaError, match="the table has no column 'dose'"):
        CLINIC.evaluate(ROWS.drop(columns="dose"))


@pytest.mark.parametrize("case", CASES)
def test_finite_everywhere(case):
    formula = CASES[case]
    frame = table(formula, 300, far=1e69)
    assert np.isfinite(formula.evaluate(frame)).all() and np.isfinite(formula.predict(frame)).all()
    eta = formula.evaluate_encoded(np.full((1, len(formula.features)), np.nan))
    assert np.isfinite(eta).all()


def _row(frame, i):
    """Values for `subs`."""
    values = {}
    for name, v in frame.iloc[i].items():
        values[name] = sympy.nan if pd.isna(v) else Level(v) if isinstance(v, str) else sympy.Float(v, 40)
    return {sympy.Symbol(k): v for k, v in values.items()}


def _neutral(formula):
    """The formula with the terms' `other` for missing values, so that sympy's has a branch for each."""

    def node(n):
        if isinstance(n, Product):
            return Product([node(f) for f in n.factors])
        return Sum(n.constant, [term(t) for t in n.terms])

    def term(t):
        if not isinstance(t.argument, str):
            return Term(node(t.argument), t.expression, t.domain)
        return Term(t.argument, t.expression, t.domain, t.at_missing, t.levels, t.other)

    return Formula([node(s) for s in formula.outputs], formula.features, formula.link)


@settings(max_examples=12, deadline=None, derandomize=True)
@given(formulas())
def test_sympy_agrees_with_forty_digits(formula):
    formula = _neutral(formula)
    frame = table(formula, 4, far=20)
    expressions = formula.to_sympy()
    expressions = expressions if isinstance(expressions, list) else [expressions]
    exact = [[float(e.subs(_row(frame, i)).evalf(40)) for e in expressions] for i in range(len(frame))]
    np.testing.assert_allclose(formula.evaluate(frame), exact, rtol=1e-10, atol=1e-10)


def test_sympy_has_branches_only_where_training_had_them():
    expression = CLINIC.to_sympy()
    age, dose, sex = sympy.symbols("age dose sex")
    assert expression.free_symbols == {age, dose, sex}
    assert {m.args[0] for m in expression.atoms(IsMissing)} == {age, sex}
    assert expression.atoms(Level) == {Level("f"), Level("m")}
    assert isinstance(CASES["three classes"].to_sympy(), list)
    plain = Formula([Sum(1, [Term("age", 2 * T, (0, 1))])], [numeric("age", 0.0)])
    assert plain.to_sympy() == 2 * age + 1.0


def test_sympy_as_a_function_of_arrays():
    function = sympy.lambdify(["age", "dose", "sex"], CLINIC.to_sympy(), "numpy")
    known = ROWS.fillna({"dose": 1.0})
    values = function(known["age"].to_numpy(), known["dose"].to_numpy(), known["sex"].to_numpy(object))
    np.testing.assert_allclose(values, CLINIC.evaluate(known)[:, 0], rtol=1e-14)


def test_levels():
    assert sympy.Eq(Level("a"), Level("b")) == sympy.false and sympy.Eq(Level("a"), 3) == sympy.false
    assert sympy.Eq(Level("a"), Level("a")) == sympy.true and str(Level("a")) == '"a"'
    assert sympy.latex(sympy.Eq(sympy.Symbol("c"), Level("50%"))) == r"c = \text{50\%}"
    assert IsMissing(sympy.nan) == sympy.true and IsMissing(sympy.Integer(2)) == sympy.false
    assert str(IsMissing(sympy.Symbol("a"))) == "missing(a)"


@pytest.mark.parametrize("case", CASES)
def test_spec_is_json_and_gives_the_formula_back(case):
    formula = CASES[case]
    again = Formula.from_spec(json.loads(json.dumps(formula.to_spec(), allow_nan=False)))
    assert again == formula and hash(again) == hash(formula) and again.to_sympy() == formula.to_sympy()
    frame = table(formula, 50)
    assert (again.evaluate(frame) == formula.evaluate(frame)).all()


@settings(max_examples=10, deadline=None, derandomize=True)
@given(formulas())
def test_random_specs(formula):
    assert Formula.from_spec(json.loads(json.dumps(formula.to_spec()))) == formula


@pytest.mark.parametrize(
    "data",
    [
        "__import__('os')",
        ["__import__", "os"],
        ["exec", "1"],
        ["Lambda", "T", "T"],
        [],
        [[]],
        None,
        True,
        {"T": 1},
        2**60,
        float("nan"),
        ["ratio", 1, 0, 3],
        ["pow", 9, 9],
        ["pow", ["ratio", 3, 2], 1000],
        ["exp"],
        ["exp", 1, 2],
        ["piecewise", 3],
        ["piecewise", ["T"]],
        ["lt", "true", 3],
    ],
    ids=repr,
)
def test_hostile_expressions_are_refused(data):
    with pytest.raises(FormulaError):
        read_expression(from_data(data))


def test_hostile_specs_are_refused():
    spec = CLINIC.to_spec()
    for change in ({"outputs": 3}, {"outputs": [{}]}, {"features": [{}]}, {"link": "probit"}, {"classes": [1]}):
        with pytest.raises(FormulaError):
            Formula.from_spec(spec | change)
    with pytest.raises(FormulaError):
        Formula.from_spec({})


def test_expressions_come_back():
    for name, function in FUNCTIONS.items():
        assert from_data(to_data(function(T / 3))) == function(T / 3), name


def _complexity(expression, **rest):
    return Formula([Sum(0, [Term("a", expression, (1, 2), **rest)])], [numeric("a")]).complexity


def test_complexity():
    assert _complexity(T) == 0 and _complexity(T**2) == 2 and _complexity(sympy.sin(T)) == 1
    assert _complexity(0.5 * T + 1) == 4 and _complexity(T, missing=1.0) == 2
    assert _complexity(sympy.Piecewise((1.5, T < 1.5), (T, True))) == 4  # a choice, a comparison, two constants
    assert CLINIC.complexity == 4 + 4 + 3 + 5  # three additions and a constant; the three terms
    h = Sum(1.0, [Term("a", T**2, (1, 2))])
    twice = Sum(0, [Term(h, sympy.sin(T), (0, 9)), Term(h, sympy.cos(T), (0, 9))])
    assert Formula([twice], [numeric("a")]).complexity == 3 + 4  # the hidden node counts once
    assert Formula([Sum(0, [Term(Product([h, h]), T, (0, 9))])], [numeric("a")]).complexity == 4 + 1


def test_nodes_come_after_what_they_need():
    formula = CASES["three classes"]
    nodes = formula.nodes()
    assert len(nodes) == len(set(nodes)) == 7
    for k, node in enumerate(nodes):
        assert all(isinstance(a, str) or a in nodes[:k] for a in node.arguments)


def test_links_are_those_of_the_likelihoods():
    eta = np.random.default_rng(0).normal(size=(5, 3))
    assert {cls.link_name for cls in LIKELIHOODS.values()} == set(INVERSE_LINKS)
    for cls in LIKELIHOODS.values():
        if not cls.arguments:
            np.testing.assert_allclose(INVERSE_LINKS[cls.link_name](eta[:, :1]), cls().inverse_link(eta[:, :1]))
    three = LIKELIHOODS["multinomial"](3)
    scores = eta[:, :2] @ three.contrasts.T
    np.testing.assert_allclose(INVERSE_LINKS["softmax"](scores), three.inverse_link(eta[:, :2]))
    np.testing.assert_allclose(INVERSE_LINKS["softmax"](scores), softmax(scores, axis=1))
    quantiles = LIKELIHOODS["quantile"]((0.1, 0.5, 0.9))
    np.testing.assert_allclose(INVERSE_LINKS["sorted"](eta), quantiles.inverse_link(eta))


def test_contributions_add_up():
    (parts,) = CLINIC.contributions_encoded(np.array([[50.0, 0, 1.0, 0], [np.nan, 0, np.e, 1]]))
    np.testing.assert_allclose(parts.sum(1) - 1.5, BY_HAND[:2])
    nested = CASES["three classes"]
    Z = np.random.default_rng(0).uniform(-1, 1, (5, 3)).round()
    Z[:, 2] = 0
    for k, added in enumerate(nested.contributions_encoded(Z)):
        np.testing.assert_allclose(added.sum(1) + nested.outputs[k].constant, nested.evaluate_encoded(Z)[:, k])
    assert nested.joint_columns == ["a", "b", "c"]


def test_values_beyond_the_reach_count_as_its_ends():
    term = Term("a", sympy.exp(T), (0, 10), reach=(-3, 20))
    assert term.guard == (-3, 20)
    formula = Formula([Sum(0, [term])], [numeric("a")])
    np.testing.assert_allclose(formula.evaluate(np.array([[1e60], [-1e60]])).ravel(), np.exp([20, -3]))
    assert Term("a", T**3, (0, 10)).guard == (None, None)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"argument": "a"}, "either an expression"),
        ({"argument": "a", "expression": T, "domain": (0, 1), "levels": {}}, "either an expression"),
        ({"argument": "a", "expression": T}, "needs its domain"),
        ({"argument": "a", "expression": sympy.Symbol("x"), "domain": (0, 1)}, "holds the symbol x"),
        ({"argument": "a", "expression": sympy.gamma(T), "domain": (1, 2)}, "gamma"),
        ({"argument": "a", "expression": sympy.log(T), "domain": (-1, 1)}, "guard its argument"),
        ({"argument": "a", "expression": T, "domain": (0, 1), "reach": (0.5, 2)}, "must hold the domain"),
        ({"argument": "a", "expression": 1 / (T + 1), "domain": (0, 1), "reach": (-2, 2)}, "guard its argument"),
        ({"argument": "a", "levels": {"u": np.inf}}, "level 'u' must be a finite number"),
        ({"argument": "a", "levels": {}, "missing": np.nan}, "missing must be a finite number"),
        ({"argument": 3, "levels": {}}, "name of a column, a Sum or a Product"),
        ({"argument": Sum(), "levels": {}}, "hidden node"),
        ({"argument": Sum(), "expression": T, "domain": (0, 1), "missing": 1.0}, "hidden node"),
    ],
)
def test_terms_that_make_no_sense(arguments, message):
    with pytest.raises(FormulaError, match=message):
        Term(**arguments)


def test_texts_are_not_expressions():
    with pytest.raises(sympy.SympifyError):
        Term("a", "__import__('os').getpid()", (0, 1))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"outputs": []}, "at least one"),
        ({"outputs": [3]}, "must be Sums"),
        ({"link": "probit"}, "link='probit': expected one of"),
        ({"outputs": [Sum(), Sum()]}, "link='logit' needs one output"),
        ({"classes": ["a"]}, "classes has 1 entries, but the formula has 2"),
        ({"targets": ["a"]}, "name them by classes"),
        ({"link": "identity"}, "name its outputs by targets"),
        ({"features": [numeric("age")]}, "'dose', which features does not have"),
        ({"features": [numeric("age"), numeric("dose"), numeric("sex")]}, "'sex' is a number"),
        ({"features": [category("age"), numeric("dose"), category("sex")]}, "'age' is a category"),
        ({"features": [numeric("age"), numeric("dose"), category("sex", ["f"])]}, "has no level 'm'"),
        ({"features": [*CLINIC.features, numeric("age")]}, "same name"),
    ],
)
def test_formulas_that_make_no_sense(change, message):
    parts = {"outputs": CLINIC.outputs, "features": CLINIC.features, "link": "logit", "classes": CLINIC.classes}
    with pytest.raises(FormulaError, match=message):
        Formula(**(parts | change))


def test_products():
    with pytest.raises(FormulaError, match="at least two factors"):
        Product([Sum(1.0)])
    big = Sum(0, [Term("a", T**5, (0, 1))])
    with pytest.raises(FormulaError, match="could grow"):
        Product([big, big, big])


def test_names_of_outputs():
    one, two = Formula([Sum()], []), Formula([Sum(), Sum(1.0)], [])
    assert one.targets == ("y",) and two.targets == ("y 1", "y 2")
    assert Formula([Sum()], [], "logit").classes == (0, 1)
    assert Formula([Sum(), Sum(1.0)], [], "softmax").classes == (0, 1)


def test_an_all_missing_column_may_stay_unused():
    formula = Formula([Sum(2.0)], [Feature("empty", "numeric")])
    assert formula.evaluate(pd.DataFrame({"empty": [np.nan, 1.0]})).ravel().tolist() == [2.0, 2.0]
    assert Formula.from_spec(formula.to_spec()) == formula


def test_shape_of_a_constant_expression():
    formula = Formula([Sum(0, [shape("a", 3)])], [numeric("a")])
    assert formula.evaluate(pd.DataFrame({"a": [1.0, 2.0]})).ravel().tolist() == [3.0, 3.0]
