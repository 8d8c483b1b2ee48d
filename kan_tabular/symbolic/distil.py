"""From a fitted network to a formula: functions, one joint fit of all constants, rounding, and how faithful it is.

Networks whose columns act together go through `deep` as well: the cheaper formula of the two is kept.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from kan_tabular.exceptions import FidelityError
from kan_tabular.symbolic.deep import (
    JointSearch,
    formula_of,
    joint_formulas,
    joint_misfit,
    joint_terms,
    obstacle,
    pruned_columns,
    step_row,
    text_of,
    writable,
)
from kan_tabular.symbolic.formula import Formula, Sum, T, Term
from kan_tabular.symbolic.joint import Joint
from kan_tabular.symbolic.network import FormulaNetwork
from kan_tabular.symbolic.refit import Imitation, refit, variance
from kan_tabular.symbolic.rows import read_rows
from kan_tabular.symbolic.search import Search

_FOLDS = 5
#: Shares of the standard errors that rounding respects, if a formula is not faithful enough.
_TIGHTNESS = (1.0, 0.1, 0.01)
#: How much dearer departures from the network become than the training rows make them, if a formula is not faithful.
_SHARPNESS = (1.0, 10.0, 100.0, 1000.0)
#: Steps of the fits within folds and along the way to simpler formulas.
_FEW = 4
#: Attempts that are compared where no fidelity is asked for, and the difference of AIC that counts.
_COMPARED, _CLEARLY = 4, 4.0


@dataclass
class Distilled:
    """A formula, and what is known about it.

    Attributes
    ----------
    network : FormulaNetwork
    terms : list of dict
        For each term: output, feature, function (names of candidates), formula (text), fidelity, complexity, share.
    fidelity : dict
        ``r2_model``: of the formula's linear predictor with the network's. ``loss_model, loss_formula, auc_model,
        auc_formula``: on the rows given (NaN without a target); the formula's with constants fitted to the other
        folds.
    stages : list of dict
        The formula and ever simpler ones, as plain data: ``network`` (`FormulaNetwork.summary`), ``terms``,
        ``fidelity``, ``complexity``, ``n_terms``, ``loss`` (as ``loss_formula``).
    steps : list of dict
        How it came about: ``step``, ``what``, ``columns`` (how many), ``r2_model``, ``loss`` (of the rows given, the
        constants being fitted to them), ``complexity``.
    """

    network: FormulaNetwork
    terms: list
    fidelity: dict
    stages: list
    steps: list


def distil(
    network, Z=None, y=None, weights=None, *, candidates, max_constants, digits="auto", fidelity=None, classes=()
):
    """Turn a fitted network into a formula.

    Parameters
    ----------
    network : FittedNetwork or DeepNetwork
    Z : ndarray (n, p), optional
        Encoded rows; without them, rows with the density of each column in training, independent of each other.
    y : ndarray (n,), optional
        Target as the likelihood wants it: the constants are then fitted to it, otherwise to the network.
    weights : ndarray (n,), optional
        Frequencies.
    candidates : tuple of Candidate
    max_constants : int
        Numeric constants of a term.
    digits : "auto", int or None
    fidelity : float, optional
        Least R2 of the formula's linear predictor with the network's.
    classes : sequence
        Labels.

    Raises
    ------
    FidelityError
        If no formula reaches `fidelity`.
    """
    given = None if y is None else read_rows(network, Z, y, weights)
    settings = (candidates, max_constants, digits, fidelity)
    if hasattr(network, "contributions"):
        search, final = _of_sums(network, Z, given, weights, *settings)
        steps = []
    else:
        search, final, steps = _of_a_deep_network(network, Z, given, weights, *settings)
    stages = [_stage(network, search, search.model, final, classes, given)]
    for simple in search.simpler():
        stages.append(_stage(network, simple, simple.model, simple.rounded(digits), classes, given))
    steps += _last_steps(search, stages[0])
    summaries = [{**stage, "network": stage["network"].summary()} for stage in stages]
    return Distilled(*(stages[0][name] for name in ("network", "terms", "fidelity")), summaries, steps)


def _of_sums(network, Z, given, weights, candidates, max_constants, digits, fidelity):
    """The sum of formulas of single columns: the search, and the model with rounded constants."""
    attempts = _attempts(network, Z, given, weights, candidates, max_constants, fidelity)
    if fidelity is not None:
        return _most_apt(attempts, network, fidelity, digits, max_constants)
    search = _most_predictive(attempts, given)
    return search, search.rounded(digits)


def _of_a_deep_network(network, Z, given, weights, candidates, max_constants, digits, fidelity):
    """Prune, then a sum and joint formulas: the cheaper one that is faithful enough; and the steps."""
    rows = read_rows(network, Z, None, weights) if given is None else given
    kept, eta = pruned_columns(network, rows, fidelity)
    steps = [step_row("network", "as it is", len(network.features), 1.0, _mean_loss(network, rows.eta, rows))]
    r2 = _r2_of(eta, rows)
    steps.append(step_row("pruned", "the other columns at their means", len(kept), r2, _mean_loss(network, eta, rows)))
    refused, options = None, []
    try:
        search, final = _of_sums(network, Z, given, weights, candidates, max_constants, digits, fidelity)
    except FidelityError as error:
        refused = error
    else:
        used = len({p.feature for p in search.model.parts})
        loss = _mean_loss(network, np.broadcast_to(search.model.predictor(), search.rows.eta.shape), search.rows)
        steps.append(step_row("sum", "functions of single columns", used, _r2(search.model, search.rows), loss))
        price = sum(search.price(p) for p in search.model.parts)
        options.append((joint_misfit(search.model, rows) + price, search, final))
    why_not, best = obstacle(network, rows, kept), -np.inf
    # Without a target, or where none that suits it is faithful, formulas imitate the network.
    imitated = rows if isinstance(rows.response, Imitation) else None
    for own in [] if why_not else [rows] if imitated is rows else [rows, None]:
        own = read_rows(network, Z, None, weights) if own is None else own
        found = joint_formulas(network, own, kept, candidates, max_constants)
        best = max([best, *(_r2(f.model, own) for f in found)])
        faithful = [f for f in found if fidelity is None or _r2(f.model, own) >= fidelity]
        start = next((i for i, f in enumerate(faithful) if writable(network, f.model, own)), None)
        if start is None:
            continue
        search = JointSearch(network, own, faithful[start:])
        final, loss = search.rounded(digits), _mean_loss(network, search.model.predictor(), own)
        used = len(formula_of(network, final, own).columns)
        steps.append(step_row("joint", search.names[0], used, _r2(search.model, own), loss))
        if fidelity is None or _r2(final, own) >= fidelity:
            options.append((faithful[start].cost if own is rows else np.inf, search, final))
            break
    if not options:
        tried = f"None was sought in which columns meet: {why_not}." if why_not else f"Where columns meet: {best:.4f}."
        raise FidelityError(f"{refused} {tried}")
    _, search, final = min(options, key=lambda option: option[0])
    return search, final, steps


def _mean_loss(network, eta, rows):
    return np.nan if isinstance(rows.response, Imitation) else _loss(network, eta, rows.response)


def _last_steps(search, stage):
    """The chosen formula before and after rounding."""
    rows = search.rows
    out = []
    for step, what, r2, complexity in (
        ("fitted", "all constants together", _r2(search.model, rows), None),
        ("rounded", "digits that the rows support", stage["fidelity"]["r2_model"], stage["complexity"]),
    ):
        columns = len(stage["network"].formula.columns)
        out.append(step_row(step, what, columns, r2, stage["loss"], complexity))
    return out


def _most_apt(attempts, network, fidelity, digits, max_constants):
    """The first attempt that is faithful enough, also with rounded constants; refuses if there is none."""
    best = (-np.inf, None, None)
    for search in attempts:
        r2 = _r2(search.model, search.rows)
        for tightness in _TIGHTNESS:
            final = search.model if r2 < fidelity else search.rounded(digits, tightness)
            r2_final = r2 if r2 < fidelity else _r2(final, search.rows)
            if r2_final > best[0]:
                best = r2_final, search, final
            if r2_final >= fidelity:
                return search, final
            if r2 < fidelity or digits != "auto":
                break
    r2, search, final = best
    raise FidelityError(_refusal(r2, fidelity, network, search.rows, final, max_constants))


def _most_predictive(attempts, given):
    """Of what suits the target and the closer imitations fitted to it, a later one if it is clearly better by AIC."""
    best = None
    for search in itertools.islice(attempts, _COMPARED):
        if given is None or search.imitates:
            if best is None:
                return search
            continue
        value = search.akaike()
        if best is None or value < best[1] - _CLEARLY:
            best = search, value
    return best[0]


def _attempts(network, Z, given, weights, candidates, max_constants, fidelity):
    """Searches, from what suits the target best to what imitates the network best."""
    if given is not None:
        search = Search(network, given, candidates, max_constants)
        search.run()
        yield search
        if search.imitates:
            given = None
    first = Search(network, read_rows(network, Z, None, weights), candidates, max_constants)
    # Where columns do together what sums cannot say, closer imitations of the single columns do not help.
    sums = fidelity is None or _r2_of(first.rows.base + first.rows.effects.sum(1), first.rows) >= fidelity
    for sharpness in _SHARPNESS if sums else _SHARPNESS[:1]:
        search = first if sharpness == 1 else first.sharper(sharpness)
        search.run()
        if given is not None:
            yield Search(network, given, candidates, max_constants, refit(search.model, given.response)[0])
        yield search


def _stage(network, search, model, final, classes, given):
    """A model and the same with rounded constants: what is to be told about them."""
    rows = search.rows
    joint = isinstance(final, Joint)
    formula = (formula_of if joint else to_formula)(network, final, rows, classes)
    scores = _scores(network, model, given)
    return {
        "network": FormulaNetwork.measured(formula, network, rows.Z, rows.weights),
        "terms": joint_terms(search, formula) if joint else _terms(network, final, rows, formula),
        "fidelity": {"r2_model": _r2_of(formula.evaluate_encoded(rows.Z), rows), **scores},
        "complexity": formula.complexity,
        "n_terms": sum(len(s.terms) for s in formula.outputs),
        "loss": scores["loss_formula"],
    }


# ---- the formula


def to_formula(network, model, rows, classes=()):
    """The model as a `Formula`; what its terms add on average stays with them."""
    outputs = []
    for k, constant in enumerate(model.intercept):
        terms = []
        for j in sorted({p.feature for p in model.parts if p.output == k}):
            term, own = _term(network.features[j], [p for p in model.parts if (p.feature, p.output) == (j, k)], rows, j)
            terms.append(term)
            constant += own
        outputs.append(Sum(float(f"{constant:.12g}"), terms))
    return Formula(outputs, network.features, network.likelihood.link_name, classes=classes)


def _term(feature, parts, rows, j):
    """The term of one column, and what goes to the constant."""
    if feature.kind == "category":
        (part,) = parts
        levels = dict(zip(feature.levels, part.beta[: len(feature.levels)].tolist(), strict=True))
        missing = float(part.beta[-1]) if len(part.beta) > len(levels) else None
        average = float(f"{np.average(part.value(), weights=rows.weights):.6g}")
        return Term(feature.name, levels=levels, missing=missing, other=average), 0.0
    numeric, missing = [p for p in parts if p.atoms], [p for p in parts if not p.atoms]
    x = rows.Z[:, j]
    known = ~np.isnan(x)
    # Where training had no missing value, and where a missing one is not told apart, it gets the average.
    neutral = float(np.average(numeric[0].value()[known], weights=rows.weights[known])) if numeric else 0.0
    expression = sum((a.expression(T) for p in numeric for a in p.atoms), 0)
    low, high = (numeric[0].low, numeric[0].high) if numeric else (feature.low, feature.high)
    constant, level = 0.0, None
    if missing:
        constant = missing[0].constant
        level = neutral + float(missing[0].beta[0])
        level = float(f"{level:.6g}")
    elif feature.missing and not known.all():
        level = float(f"{neutral:.6g}")
    return Term(feature.name, expression, (low, high), missing=level, other=float(f"{neutral:.6g}")), constant


def _terms(network, model, rows, formula):
    """What to tell about each term."""
    contributions, out = formula.contributions_encoded(rows.Z), []
    names = network.feature_names
    centred = [c - np.average(c, axis=0, weights=rows.weights) for c in contributions]
    sizes = [np.average(np.abs(c), axis=0, weights=rows.weights) for c in centred]
    total = max(sum(s.sum() for s in sizes), 1e-300)
    for k, output in enumerate(formula.outputs):
        for i, term in enumerate(output.terms):
            j = names.index(term.argument)
            own = [a.candidate.name for p in model.parts if (p.feature, p.output) == (j, k) for a in p.atoms]
            out.append(
                {
                    "output": k,
                    "feature": term.argument,
                    "function": " + ".join(sorted(own)) or ("levels" if term.levels is not None else "constant"),
                    "formula": _text(term),
                    "fidelity": _match(contributions[k][:, i], rows.effects[:, j, k], rows.weights),
                    "complexity": term.complexity,
                    "share": float(sizes[k][i] / total),
                }
            )
    return out


def _text(term):
    if term.levels is not None:
        return "; ".join(f"{level}: {value:g}" for level, value in term.levels.items())
    import sympy

    text = text_of(term.expression.xreplace({T: sympy.Symbol(term.argument)}))
    return text if term.missing is None else f"{text}; missing: {term.missing:g}"


# ---- how faithful


def _match(a, b, weights):
    """Weighted R2 of `a` as a prediction of `b`, both centred."""
    a, b = a - np.average(a, weights=weights), b - np.average(b, weights=weights)
    spread = np.average(b**2, weights=weights)
    return float(1 - np.average((a - b) ** 2, weights=weights) / spread) if spread > 0 else float(not np.any(a))


def _r2(model, rows):
    """R2 of the linear predictor with the network's, over all outputs."""
    return _r2_of(np.broadcast_to(model.predictor(), rows.eta.shape), rows)


def _r2_of(own, rows):
    own, eta = (e - e.mean(1, keepdims=True) if rows.centred else e for e in (own, rows.eta))
    mean = np.average(eta, axis=0, weights=rows.weights)
    spread = np.average(((eta - mean) ** 2).sum(1), weights=rows.weights)
    error = np.average(((eta - own) ** 2).sum(1), weights=rows.weights)
    scale = 1e-12 * np.average((eta**2).sum(1), weights=rows.weights) + 1e-300
    return float(1 - error / spread) if spread > scale else float(error <= scale)


def _scores(network, model, given):
    names = ("loss_model", "loss_formula", "auc_model", "auc_formula")
    if given is None or isinstance(given.response, Imitation):
        return dict.fromkeys(names, np.nan)
    eta = _cross_fitted(model, given)
    response = given.response
    return {
        "loss_model": _loss(network, given.eta, response),
        "loss_formula": _loss(network, eta, response),
        "auc_model": _auc(given.eta, response),
        "auc_formula": _auc(eta, response),
    }


def _cross_fitted(model, rows):
    """Linear predictors (n, K) with constants from the other folds."""
    fold = np.random.default_rng(0).permutation(len(rows.weights)) % _FOLDS
    eta = np.empty(rows.eta.shape)
    for f in range(_FOLDS):
        train, test = np.flatnonzero(fold != f), np.flatnonzero(fold == f)
        if not len(test):
            continue
        fitted, _ = refit(model.rows(train), rows.response.rows(train), _FEW)
        eta[test] = model.like(fitted).rows(test).predictor()
    return eta


def _loss(network, eta, response):
    """Mean log loss of classes, mean deviance otherwise (squared error, ...)."""
    factor = 0.5 if network.likelihood.link_name in ("logit", "softmax") else 1.0
    return factor * response.deviance(eta) / response.n


def _auc(eta, response):
    """Area under the ROC curve for two classes, otherwise NaN."""
    if response.likelihood.name != "log_loss" or len(np.unique(response.y)) < 2:
        return np.nan
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(response.y, eta[:, 0], sample_weight=response.weights))


def _refusal(r2, fidelity, network, rows, model, max_constants):
    """Why, and what to do."""
    names = network.feature_names
    misfit = {}
    for j, name in enumerate(names):
        for k in range(rows.eta.shape[1]):
            own = sum((p.value() for p in model.parts if (p.feature, p.output) == (j, k)), np.zeros(len(rows.Z)))
            curve = rows.effects[:, j, k]
            misfit[name] = misfit.get(name, 0.0) + float(variance(own - curve, rows.weights))
    rest = rows.eta - rows.base - rows.effects.sum(1)
    joint = variance(rest, rows.weights).mean() / max(variance(rows.eta, rows.weights).mean(), 1e-300)
    worst = sorted(misfit, key=misfit.get, reverse=True)[:3]
    advice = (
        f"The columns that formulas miss most: {', '.join(map(repr, worst))}. Allow more constants a term "
        f"(max_complexity={max_constants + 1}), other candidates, or a lower fidelity."
    )
    if joint > 1 - fidelity:
        advice = (
            f"{joint:.0%} of the variance of its linear predictor is what columns do together, which a sum of formulas "
            "cannot say; ask for a lower fidelity, or fit an additive model instead."
        )
    return f"the best formula has an R2 of {r2:.4f} with the model, below fidelity={fidelity:g}. {advice}"
