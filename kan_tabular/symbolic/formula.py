"""The structure of a formula: a network of univariate functions in closed form, as plain data.

A `Sum` adds a constant and `Term`s; a term is one function of a column or of a hidden node, which is itself a `Sum`
or a `Product`. An additive model is one sum of terms in columns; a network with hidden layers nests.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import sympy
from scipy.special import expit, softmax

from kan_tabular.encoding.encoder import Feature
from kan_tabular.exceptions import FormulaError
from kan_tabular.symbolic.conditions import IsMissing, Level
from kan_tabular.symbolic.expressions import T
from kan_tabular.symbolic.nodes import Node, Product, Sum, Term, node_from_spec
from kan_tabular.symbolic.tables import encode

__all__ = ["INVERSE_LINKS", "Formula", "Product", "Sum", "T", "Term"]

#: From the linear predictor (n, n_outputs) to the response, by the name that `Likelihood.link_name` has.
INVERSE_LINKS = {
    "identity": lambda eta: eta,
    "log": lambda eta: np.exp(np.clip(eta, None, 700.0)),
    "logit": expit,
    "softmax": lambda eta: softmax(eta, axis=1),
    "sorted": lambda eta: np.sort(eta, axis=1),
}


@dataclass(frozen=True, eq=False)
class Formula(Node):
    """A whole model in closed form.

    Parameters
    ----------
    outputs : tuple of Sum
        Linear predictors, on the link scale: one for regression and for two classes (log-odds of the second), one a
        class for more, one a target or a quantile level.
    features : sequence of Feature
        The columns of the training table, in its order, used or not (`kan_tabular.encoding.encoder.Feature`).
    link : {"identity", "log", "logit", "softmax", "sorted"}
        How the response follows from the linear predictor; `Likelihood.link_name`. "sorted": quantiles, which may not
        cross.
    classes : sequence, optional
        Labels of a classifier (``logit`` and ``softmax``); by default 0, 1, ...
    targets : sequence of str, optional
        Names of a regressor's outputs; by default ``y``, or ``y 1``, ``y 2``, ...

    Raises
    ------
    FormulaError
        Parts that do not go together, such as a term in a column that `features` lacks.
    """

    outputs: tuple[Sum, ...]
    features: tuple[Feature, ...]
    link: str = "identity"
    classes: tuple = ()
    targets: tuple[str, ...] = ()

    def __post_init__(self):
        for name in ("outputs", "features", "classes", "targets"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        object.__setattr__(self, "classes", tuple(c.item() if isinstance(c, np.generic) else c for c in self.classes))
        self._check_outputs()
        kinds = {f.name: f for f in self.features}
        if len(kinds) < len(self.features):
            raise FormulaError("two features have the same name.")
        for term in self._terms():
            if isinstance(term.argument, str):
                _check_column(term, kinds)

    def _check_outputs(self):
        n = len(self.outputs)
        if not n or not all(isinstance(s, Sum) for s in self.outputs):
            raise FormulaError("outputs must be Sums, at least one.")
        if self.link not in INVERSE_LINKS:
            raise FormulaError(f"link={self.link!r}: expected one of {', '.join(map(repr, INVERSE_LINKS))}.")
        classifies = self.link in ("logit", "softmax")
        if self.link == "logit" and n != 1:
            raise FormulaError(f"link='logit' needs one output, the log-odds of the second class; there are {n}.")
        if not classifies and self.classes:
            raise FormulaError(f"link={self.link!r} is for numbers: name its outputs by targets, not classes.")
        if classifies and self.targets:
            raise FormulaError(f"link={self.link!r} is for classes: name them by classes, not targets.")
        n_labels = 2 if self.link == "logit" else n
        name = "classes" if classifies else "targets"
        labels = getattr(self, name)
        if labels and len(labels) != n_labels:
            raise FormulaError(f"{name} has {len(labels)} entries, but the formula has {n_labels}.")
        if not labels:
            default = range(n) if self.link == "softmax" else (0, 1)
            names = ["y"] if n == 1 else [f"y {k + 1}" for k in range(n)]
            object.__setattr__(self, name, tuple(default if classifies else names))

    def _terms(self):
        for node in self.nodes():
            if isinstance(node, Sum):
                yield from node.terms

    def nodes(self, outputs=None):
        """All distinct sums and products, each after those it needs; the outputs are among the last."""
        found = {}

        def visit(node):
            if node not in found:
                for argument in node.arguments:
                    if not isinstance(argument, str):
                        visit(argument)
                found[node] = None

        for output in self.outputs if outputs is None else outputs:
            visit(output)
        return list(found)

    @property
    def columns(self):
        """Names of the columns that the formula uses, in the table's order."""
        used = {t.argument for t in self._terms() if isinstance(t.argument, str)}
        return [f.name for f in self.features if f.name in used]

    def columns_of(self, part):
        """Names of the columns that a term (or a node) uses, in the table's order."""
        used, todo = set(), [part]
        while todo:
            one = todo.pop()
            if isinstance(one, str):
                used.add(one)
            else:
                todo += [one.argument] if isinstance(one, Term) else one.arguments
        return [f.name for f in self.features if f.name in used]

    @property
    def joint_columns(self):
        """Names of the columns that meet others in a hidden node."""
        joint = {
            c for s in self.outputs for t in s.terms if not isinstance(t.argument, str) for c in self.columns_of(t)
        }
        return [f.name for f in self.features if f.name in joint]

    @property
    def complexity(self):
        """Operations and constants over all outputs; a hidden node that several terms use counts once.

        ``0.5 + 2*log(age)`` counts 5: an addition, a product, a logarithm, two constants. A category counts one
        constant a level and one for the choice, a missing value one constant and one for the choice. Reaches do not
        count.
        """
        return sum(node.own_complexity for node in self.nodes())

    def evaluate(self, table):
        """Linear predictor of the rows of a table.

        Parameters
        ----------
        table : DataFrame, or array of shape (n, n_features)
            A data frame with (at least) the columns the formula uses, in any order; or an array with all features in
            order.

        Returns
        -------
        eta : ndarray (n, n_outputs)
            Finite for every finite or missing input.
        """
        return self.evaluate_encoded(encode(self.features, self.columns, table))

    def predict(self, table):
        """Response of the rows of a table (n, n_outputs): means, probabilities (of the second class), quantiles."""
        return self.inverse_link(self.evaluate(table))

    def inverse_link(self, eta):
        """Response (n, n_outputs) of linear predictors (n, n_outputs)."""
        return INVERSE_LINKS[self.link](eta)

    def evaluate_encoded(self, Z):
        """Linear predictor (n, n_outputs) of encoded rows `Z` (n, n_features): level codes, -1 unseen, NaN missing."""
        return self._values_of(self.outputs, Z)

    def _values_of(self, outputs, Z):
        """Values (n, len(outputs)) of sums at encoded rows."""
        columns = {f.name: Z[:, j] for j, f in enumerate(self.features)}
        values = {}
        for node in self.nodes(outputs):
            if isinstance(node, Product):
                values[node] = math.prod(values[f] for f in node.factors)
            else:
                values[node] = self._sum(node, columns, values, len(Z))
        return np.stack([values[s] for s in outputs], axis=1)

    def contributions_encoded(self, Z):
        """What each term of each output adds at encoded rows: a list of (n, n_terms), one an output."""
        return [np.column_stack([np.zeros((len(Z), 0)), *(self.term_encoded(t, Z) for t in output.terms)])
                for output in self.outputs]  # fmt: skip

    def term_encoded(self, term, Z):
        """What one term adds at encoded rows (n,)."""
        return self._values_of([Sum(0.0, [term])], Z)[:, 0]

    def evaluate_joint(self, Z):
        """What the terms in hidden nodes add to each output (n, n_outputs)."""
        joint = [[t for t in s.terms if not isinstance(t.argument, str)] for s in self.outputs]
        return self._values_of([Sum(0.0, terms) for terms in joint], Z)

    def _sum(self, node, columns, values, n):
        out = np.full(n, node.constant)
        for term in node.terms:
            out += self._term(term, columns, values)
        return out

    def _term(self, term, columns, values):
        if not isinstance(term.argument, str):
            return term.at(values[term.argument])
        x = columns[term.argument]
        if term.levels is None:
            return term.at(x)
        # Codes 0 ... are the feature's levels; -2 is missing and -1 unseen, read from the end.
        levels = next(f.levels for f in self.features if f.name == term.argument)
        lookup = np.array([*(term.levels.get(v, term.other) for v in levels), term.at_missing, term.other])
        return lookup[np.where(np.isnan(x), -2, x).astype(int)]

    def to_sympy(self):
        """The linear predictor as a sympy expression in symbols named as the columns; a list for several outputs.

        A category is a Piecewise over ``Eq(Symbol("color"), Level("red"))``, a missing value a Piecewise over
        ``IsMissing(Symbol("age"))`` (`kan_tabular.symbolic.conditions`), both only where training had them.
        ``expression.subs({"age": 61.0, "color": Level("red")})`` gives the value of a row, and `sympy.lambdify` a
        function of NumPy arrays in which NaN is missing and levels are text. Reaches (see `Term`) are left out: they
        only matter where numbers would overflow.
        """
        values = {}
        for node in self.nodes():
            if isinstance(node, Product):
                values[node] = sympy.Mul(*(values[f] for f in node.factors))
            else:
                terms = [_term_to_sympy(t, values) for t in node.terms]
                constant = [sympy.Float(node.constant)] if node.constant else []
                values[node] = sympy.Add(*constant, *terms)
        out = [values[s] for s in self.outputs]
        return out[0] if len(out) == 1 else out

    def to_spec(self):
        """Plain JSON data; `from_spec` gives the formula back."""
        return {
            "outputs": [s.to_spec() for s in self.outputs],
            "features": [f.to_spec() for f in self.features],
            "link": self.link,
            "classes": list(self.classes),
            "targets": list(self.targets),
        }

    @classmethod
    def from_spec(cls, spec):
        """The formula that `to_spec` described. Nothing in `spec` is executed.

        Raises
        ------
        FormulaError
            If it is not such a description.
        """
        try:
            return cls(
                [node_from_spec(s) for s in spec["outputs"]],
                [Feature.from_spec(f) for f in spec["features"]],
                spec["link"],
                spec["classes"],
                spec["targets"],
            )
        except (KeyError, TypeError, AttributeError, IndexError) as error:
            raise FormulaError(f"not the description of a formula: {error}") from error


def _term_to_sympy(term, values):
    if not isinstance(term.argument, str):
        return term.expression.xreplace({T: values[term.argument]})
    symbol = sympy.Symbol(term.argument)
    branches = [] if term.missing is None else [(sympy.Float(term.missing), IsMissing(symbol))]
    if term.levels is None:
        own = term.expression.xreplace({T: symbol})
    else:
        branches += [(sympy.Float(v), sympy.Eq(symbol, Level(k))) for k, v in term.levels.items()]
        own = sympy.Float(term.other)
    return sympy.Piecewise(*branches, (own, True)) if branches else own


def _check_column(term, features):
    name = term.argument
    if name not in features:
        raise FormulaError(f"a term uses the column {name!r}, which features does not have.")
    category = features[name].kind == "category"
    if category != (term.levels is not None):
        needs = "category: its term needs levels" if category else "number: its term needs an expression"
        raise FormulaError(f"column {name!r} is a {needs}.")
    unknown = [v for v in term.levels or () if v not in features[name].levels]
    if unknown:
        raise FormulaError(f"column {name!r} has no level {unknown[0]!r}.")
