"""Formulas and tables on which every writer is tried."""

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import sympy

from kan_tabular.encoding.encoder import Feature
from kan_tabular.symbolic.formula import Formula, Product, Sum, T, Term

#: Levels and names that end texts, comments or statements in one language or another.
HOSTILE = [
    "red",
    'a"b',
    "it's",
    "x'; DROP TABLE data; --",
    "back\\slash",
    "*/ } /*",
    "??/",
    "${1+1} `tick`",
    "</script>",
    "__proto__",
    "naïve 🙂",
    "tab\tand\nnewline",
    "=1+1",
    "NULL",
    "%s %d {0}",
]

FUNCTIONS = [
    T,
    T**2,
    T**3,
    1 / (1 + sympy.exp(-T)),
    sympy.exp(-(T**2) / 2),
    sympy.exp(T / 10),
    sympy.sin(T),
    sympy.cos(2 * T + 1),
    sympy.tanh(T),
    sympy.atan(T),
    sympy.asinh(T),
    sympy.Abs(T),
    sympy.sign(T - sympy.Rational(1, 3)),
    sympy.sqrt(T**2 + 1),
    sympy.log(sympy.Max(T + 3, 0.01)),
    sympy.cosh(T / 3),
    sympy.sinh(T / 4),
    sympy.Max(0, T - 0.5),
    sympy.Min(T, 1, T**2 - 1),
    1 / (T**2 - T + 1),
    sympy.sign(T) * sympy.Abs(T) ** sympy.Rational(1, 3),
    sympy.Max(T, 0.25) ** sympy.Float(-1.5),
    sympy.tan(sympy.Max(-1, sympy.Min(T, 1))),
    sympy.asin(sympy.tanh(T)) + sympy.acos(sympy.tanh(T / 2)),
    sympy.atanh(sympy.tanh(T) / 2),
    sympy.pi * T + sympy.E,
    sympy.Piecewise((0.25, T < 0), (sympy.sqrt(T), T >= 0)),
    sympy.Piecewise((1, sympy.And(T > -1, T <= 1)), (T / 7, sympy.Or(T > 5, T < -5)), (-2, True)),
    sympy.Piecewise((3, sympy.Eq(T, 2)), (sympy.log(T**2 + 0.1), sympy.Ne(T, 0)), (0, True)),
]


def numeric(name, missing=0.1, low=-5.0, high=5.0):
    return Feature(name, "numeric", low=low, high=high, missing=missing)


def category(name, levels=HOSTILE):
    return Feature(name, "category", levels=sorted(levels), missing=0.1)


def shape(argument, expression, **rest):
    return Term(argument, expression, (-5.0, 5.0), **rest)


def every_function():
    """One numeric column a function."""
    names = [f"v{k}" for k in range(len(FUNCTIONS))]
    terms = [shape(n, f + k / 10, missing=k / 10) for k, (n, f) in enumerate(zip(names, FUNCTIONS, strict=True))]
    return Formula([Sum(0.5, terms)], [numeric(n) for n in names])


def hostile_names():
    """Columns and levels with hostile names; one numeric column was complete in training."""
    columns = [*(f"{v} column" for v in HOSTILE), "double", "response", "kan_x1"]
    levels = {v: (k + 1) / 7 for k, v in enumerate(HOSTILE[:-1])}  # the last one counts as `other`
    terms = [shape(name, 0.1 * T + k, missing=None if k % 2 else k / 3, other=0.25) for k, name in enumerate(columns)]
    terms += [Term("level of", levels=levels, missing=-0.7, other=0.3), Term("class", levels=levels)]
    features = [*(numeric(c, 0.0) for c in columns), category("level of"), category("class"), numeric("unused")]
    return Formula([Sum(-1.0, terms)], features, "logit", classes=["no */ ??/", 'yes "\n\\ -- """'])


def nested(link="identity", **labels):
    """Three outputs over shared hidden sums and a product; guards on both sides."""
    a = shape("a", sympy.sin(T) + 0.5 * T, missing=0.3)
    b = shape("b", 1 / (1 + sympy.exp(-2 * T)))
    c = Term("c", levels={"u": 1.0, "v": -2.0}, missing=0.1, other=0.05)
    h1, h2 = Sum(1.0, [a, b]), Sum(-0.5, [c, shape("a", T**2 / 20)])
    product = Product([h1, h2])
    deep = Sum(0.2, [Term(product, sympy.tanh(T / 2) + T / 50, (-9.0, 9.0)), Term(h1, sympy.exp(-(T**2)), (-4.0, 4.0))])
    outputs = [
        Sum(0.1, [a, Term(deep, T, (-2.0, 2.0))]),
        Sum(0.0, [Term(deep, sympy.cos(T), (-2.0, 2.0)), c]),
        Sum(-0.3, [Term(product, T / 4, (-9.0, 9.0)), b]),
    ]
    features = [numeric("a"), numeric("b", 0.0), category("c", ["u", "v", "w"])]
    return Formula(outputs if link != "logit" else outputs[:1], features, link, **labels)


def counts():
    """A log link with a mean that overflows if nothing stops it."""
    return Formula([Sum(1.0, [shape("a", 3 * T**3), shape("b", T, missing=0.5)])], [numeric("a"), numeric("b")], "log")


CASES = {
    "every function": every_function(),
    "hostile names": hostile_names(),
    "several targets": nested(targets=["first", "second", "third"]),
    "two classes": nested("logit"),
    "three classes": nested("softmax", classes=["s", "t", "u"]),
    "quantiles": nested("sorted", targets=["q10", "q50", "q90"]),
    "counts": counts(),
    "constant": Formula([Sum(0.75)], [numeric("a")]),
    "all levels unseen": Formula([Sum(0, [Term("a", levels={}, missing=2.0, other=1.0)])], [category("a", ["x"])]),
}


def table(formula, n=1000, seed=0, far=1e4):
    """Rows inside the training range, at its ends, outside and far outside; missing values and unseen levels."""
    rng = np.random.default_rng(seed)
    columns = {}
    for feature in formula.features:
        if feature.kind == "category":
            values = np.array([*feature.levels, "unseen", "Red", None], dtype=object)
            columns[feature.name] = values[rng.integers(len(values), size=n)]
            continue
        x = rng.uniform(-5, 5, n)
        kind = rng.random(n)
        edges = np.array([-5.0, 5.0, 0.0, 1.0, -1.0, 2.0])
        x = np.where(kind < 0.2, edges[rng.integers(len(edges), size=n)], x)
        x = np.where(kind > 0.8, 4 * x, x)
        x = np.where(kind > 0.9, far * np.sign(x), x)
        columns[feature.name] = np.where(rng.random(n) < 0.1, np.nan, x)
    return pd.DataFrame(columns)


def rows(frame):
    """Rows as dictionaries; None is missing."""
    frame = frame.astype(object)
    return frame.where(frame.notna(), None).to_dict("records")


def assert_same(formula, frame, eta, response):
    """Linear predictor and response equal those of the formula, to 1e-9."""
    expected = formula.evaluate(frame)
    assert np.isfinite(expected).all()
    eta, response = np.asarray(eta, float), np.asarray(response, float)
    np.testing.assert_allclose(eta, expected, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(response, formula.predict(frame), rtol=1e-9, atol=1e-9)


@st.composite
def formulas(draw):
    """Random formulas: nested sums and products of any function, categories, missing values, several outputs."""
    features = [numeric("a", 0.1), numeric('b "', 0.0), category("c")]
    numbers = st.floats(-3, 3).map(lambda v: round(v, 3))

    def column_term():
        if draw(st.integers(0, 3)) == 0:
            chosen = draw(st.lists(st.sampled_from(HOSTILE), max_size=4, unique=True))
            return Term("c", levels={v: draw(numbers) for v in chosen}, missing=draw(numbers), other=draw(numbers))
        missing = draw(st.none() | numbers)
        expression = draw(numbers) * draw(st.sampled_from(FUNCTIONS)) + draw(numbers)
        return shape(draw(st.sampled_from(["a", 'b "'])), expression, missing=missing, other=draw(numbers))

    def node(depth):
        terms = [column_term() for _ in range(draw(st.integers(1, 2)))]
        if depth:
            inner = node(depth - 1)
            if draw(st.booleans()):
                inner = Product([inner, node(0)])
            # Bounded inside: what hidden nodes reach far outside is no matter of the writers.
            bounded = draw(st.sampled_from([sympy.tanh(T), sympy.atan(T), T / (1 + sympy.Abs(T)), sympy.Min(1, T**2)]))
            terms.append(Term(inner, draw(numbers) * bounded, (-50.0, 50.0)))
        return Sum(draw(numbers), terms)

    link = draw(st.sampled_from(["identity", "log", "logit", "softmax", "sorted"]))
    n_outputs = draw(st.integers(2, 4)) if link in ("softmax", "sorted") else 1
    return Formula([node(draw(st.integers(0, 2))) for _ in range(n_outputs)], features, link)
