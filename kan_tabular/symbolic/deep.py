"""Formulas of networks whose columns act together: prune, find the structure, fit all constants, round them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kan_tabular.exceptions import FormulaError
from kan_tabular.symbolic.formula import Formula, Sum
from kan_tabular.symbolic.joint import Joint, Shape, Writer, rounded_joint
from kan_tabular.symbolic.refit import Imitation, refit, variance
from kan_tabular.symbolic.structure import StructureSearch

#: Share of the variance of the network's output that pruned columns may take with them, of what fidelity leaves.
_PRUNED_SHARE = 0.05
#: How many times its loss a network may have then.
_PRUNED_LOSS = 1.05
#: Columns that a structure is sought in, at most: the most important.
_MOST_COLUMNS = 5
#: Outputs of a network, at most.
_MOST_OUTPUTS = 3
#: Structures whose constants are fitted to the response, and steps of that.
_REFITTED, _STEPS = 48, 25
#: Share of the variance that a formula need not explain: a network has errors of its own; a target only rounding.
_OWN_ERROR, _ROUNDING = 1e-4, 1e-16


@dataclass
class Found:
    """A joint formula: its model, what it costs, and how its kinds of functions are called."""

    model: Joint
    cost: float
    names: list


def pruned_columns(network, rows, fidelity):
    """Columns that the network needs: the others, at their training means, change next to nothing.

    Returns
    -------
    kept : list of int
    eta : ndarray (n, K)
        The network's linear predictor with the others at their means.
    """
    budget = _PRUNED_SHARE * (1 - (0.99 if fidelity is None else min(fidelity, 0.9999)))
    total = max(float(variance(rows.eta, rows.weights).mean()), 1e-300)
    alone = [_changed(network, rows, [j], total) for j in range(len(network.features))]
    dropped = []
    most = _PRUNED_LOSS * rows.response.deviance(rows.eta) if not isinstance(rows.response, Imitation) else np.inf
    for j in np.argsort([share for share, _ in alone], kind="stable").tolist():
        share, eta = _changed(network, rows, [*dropped, j], total)
        if share > budget or (np.isfinite(most) and rows.response.deviance(eta) > most):
            break
        dropped.append(j)
    eta = _changed(network, rows, dropped, total)[1] if dropped else rows.eta
    return [j for j in range(len(network.features)) if j not in dropped], eta


def _changed(network, rows, columns, total):
    """Share of the variance that fixing `columns` changes, and the linear predictor then."""
    Z = rows.Z.copy()
    for j in columns:
        Z[:, j] = typical(network.features[j], rows.Z[:, j], rows.weights)
    eta = network.forward(Z)
    return float(variance(eta - rows.eta, rows.weights).mean()) / total, eta


def typical(feature, z, weights):
    """The mean of a number, the most frequent level of a category; missing where all are."""
    known = ~np.isnan(z)
    if not known.any():
        return np.nan
    if feature.kind == "category":
        return float(np.argmax(np.bincount(z[known].astype(int).clip(0), weights[known])))
    return float(np.average(z[known], weights=weights[known]))


def joint_formulas(network, rows, kept, candidates, max_constants):
    """Joint formulas of all outputs, the cheapest first; none where `obstacle` has something to say.

    Returns
    -------
    found : list of Found
    """
    import sympy

    total = max(float(variance(rows.eta, rows.weights).mean()), 1e-300)
    shares = np.array([_changed(network, rows, [j], total)[0] for j in kept])
    columns = sorted(np.array(kept)[np.argsort(-shares, kind="stable")[:_MOST_COLUMNS]].tolist())
    X = rows.Z[:, columns]
    symbols = tuple(sympy.Symbol(f"x{j}", real=True) for j in columns)
    target = rows.eta
    if network.likelihood.link_name == "identity" and not isinstance(rows.response, Imitation):
        target = target + rows.points  # the target itself
    lists = []
    for k in range(target.shape[1]):
        floor = _OWN_ERROR if target is rows.eta else _ROUNDING
        search = StructureSearch(X, target[:, k], rows.weights, candidates, max_constants, rows.response.n, floor)
        lists.append([(s, *shaped(s, search.inventory, symbols)) for s in search.run()[:_REFITTED]])
    found = []
    for choice in zip(*lists, strict=False):
        structures, shapes, values = zip(*choice, strict=True)
        model = Joint.of(list(shapes), values, X)
        if not np.isfinite(model.objective(rows.response)):
            continue
        model, _ = refit(model, rows.response, _STEPS)
        price = sum(s.nodes_price for s in structures) + np.log(rows.response.n) * model.n_constants
        names = [s.name for s in structures]
        found.append(Found(model, joint_misfit(model, rows) + price, names))
    return sorted(found, key=lambda f: f.cost)


def obstacle(network, rows, kept):
    """Why no joint formula is sought, or None."""
    if not kept:
        return "the network says the same of all rows"
    if rows.eta.shape[1] > _MOST_OUTPUTS:
        return f"there are {rows.eta.shape[1]} outputs, more than {_MOST_OUTPUTS}"
    for j in kept:
        feature = network.features[j]
        if feature.kind == "category" or np.isnan(rows.Z[:, j]).any():
            what = "is a category" if feature.kind == "category" else "has missing values"
            return f"the column {feature.name!r} {what}"
    return None


def joint_misfit(model, rows):
    """-2 log-likelihood, up to a constant, of any model with a `predictor`; an imitation is allowed small errors."""
    response, n = rows.response, rows.response.n
    eta = np.broadcast_to(model.predictor(), rows.eta.shape)
    if isinstance(response, Imitation):
        total = float(variance(rows.eta, rows.weights).mean())
        return n * np.log(
            float(np.average((eta - rows.eta) ** 2, axis=0, weights=rows.weights).mean()) / total + _OWN_ERROR
        )
    if response.scale_known:
        return response.deviance(eta)
    return n * np.log(response.deviance(eta) / n + _ROUNDING * float(variance(rows.eta, rows.weights).mean()))


def shaped(structure, inventory, symbols):
    """A structure as a `Shape`, and the values of its constants."""
    import sympy

    outer, curve = structure.outer, structure.curve
    values, constants, summands, inner = [], [], [], {}

    def constant(value, summand):
        values.append(float(value))
        summands.append(summand)
        constants.append(sympy.Symbol(f"c{len(values) - 1}", real=True))
        return constants[-1]

    if curve is None:
        parts = [
            constant(c, len(structure.terms) > 1) * inventory.expression(u, symbols)
            for c, u in zip(structure.coefficients, structure.terms, strict=True)
        ]
        inside = sympy.Add(*parts)
    else:
        argument = inventory.expression(structure.terms[0], symbols)
        u = argument if argument in symbols else sympy.Symbol("u", real=True)
        if u is not argument:
            inner[u] = argument
        inside = constant(curve.constant, True)
        for atom in curve.atoms:
            names = atom.names
            slope = constant(atom.slope, False) if "slope" in names else sympy.Float(atom.slope)
            shift = constant(atom.shift, True) if "shift" in names else sympy.Float(atom.shift)
            slope, shift = (_whole(v) for v in (slope, shift))
            inside += constant(atom.weight, False) * atom.candidate.formula(slope * u + shift)
    sign = structure.sign
    expression = outer.inverse(inventory.expression(structure.factor, symbols) * inside, sign)
    return Shape(expression, symbols, tuple(constants), inner, tuple(summands)), np.array(values)


def _whole(value):
    import sympy

    return sympy.Integer(int(value)) if value.is_Float and value == int(value) else value


class JointSearch:
    """A joint formula in the place of an additive `Search`: what stages and reports ask for.

    Parameters
    ----------
    network : fitted network
    rows : Rows
    found : list of Found
    """

    def __init__(self, network, rows, found):
        self.network, self.rows, self.found = network, rows, found
        self.model, self.names = found[0].model, found[0].names

    @property
    def imitates(self):
        return isinstance(self.rows.response, Imitation)

    def dispersion(self, model):
        """Estimated where the likelihood does not give it."""
        response = self.rows.response
        if response.scale_known:
            return 1.0
        return max(response.deviance(model.predictor()), 1e-300) / max(response.n - model.n_constants, 1.0)

    def rounded(self, digits, tightness=1.0, model=None):
        """The model with the digits its constants deserve, enough that the rows cannot tell."""
        model, response = self.model if model is None else model, self.rows.response
        dispersion = self.dispersion(model)
        for _ in range(4):
            final = rounded_joint(model, response, dispersion, digits, tightness)
            rise = 2 * (final.objective(response) - model.objective(response)) / dispersion
            if (rise <= max(1.0, model.n_constants / 4) or digits != "auto") and writable(
                self.network, final, self.rows
            ):
                return final
            tightness /= 10
        return model

    def simpler(self):
        """Of the other formulas those that are cheaper to write than all before: models and names, ever simpler."""
        sizes = [_size(f.model) for f in self.found]
        least = sizes[0]
        for size, f in zip(sizes[1:], self.found[1:], strict=True):
            if size < least and writable(self.network, f.model, self.rows):
                least = size
                yield JointSearch(self.network, self.rows, [f])


def _size(model):
    import sympy

    return sum(1 for s in model.shapes for node in sympy.preorder_traversal(s.whole) if node not in s.symbols)


def formula_of(network, model, rows, classes=()):
    """The joint model as a `Formula`."""
    names = [network.feature_names[int(str(s)[1:])] for s in model.shapes[0].symbols]
    writer = Writer(names, model.shapes[0].symbols, model.X)
    outputs = [writer.sum(s.filled(v), s.inner) for s, v in zip(model.shapes, model.values, strict=True)]
    return Formula(outputs, network.features, network.likelihood.link_name, classes=classes)


def writable(network, model, rows):
    """Whether the model is a `Formula`: real and finite wherever its columns may be."""
    try:
        formula_of(network, model, rows)
    except FormulaError:
        return False
    return True


def joint_terms(search, formula):
    """What to tell about each term of a joint formula."""
    rows, out, sizes = search.rows, [], []
    for k, output in enumerate(formula.outputs):
        for term in output.terms:
            alone = Formula([Sum(0.0, [term])], formula.features)
            value = alone.evaluate_encoded(rows.Z)[:, 0]
            mean = np.average(value, weights=rows.weights)
            sizes.append(float(np.average(np.abs(value - mean), weights=rows.weights)))
            out.append(
                {
                    "output": k,
                    "feature": ", ".join(alone.columns),
                    "function": search.names[k],
                    "formula": text_of(alone.to_sympy()),
                    "fidelity": np.nan,
                    "complexity": alone.complexity,
                }
            )
    total = max(sum(sizes), 1e-300)
    return [{**row, "share": size / total} for row, size in zip(out, sizes, strict=True)]


def text_of(expression):
    """With six digits."""
    import sympy

    return str(expression.xreplace({f: sympy.Float(float(f), 6) for f in expression.atoms(sympy.Float)}))


def step_row(step, what, columns, r2, loss=np.nan, complexity=None):
    """A row of the table of steps."""
    return {"step": step, "what": what, "columns": columns, "r2_model": r2, "loss": loss, "complexity": complexity}
