"""From curves to a sum of formulas: which functions, fitted jointly, and what is not worth its cost."""

from __future__ import annotations

from copy import copy
from dataclasses import replace

import numpy as np

from kan_tabular.symbolic.edge import UNIT, EdgeSearch
from kan_tabular.symbolic.refit import Additive, Imitation, Part, covariance, refit, variance
from kan_tabular.symbolic.rounding import round_constants
from kan_tabular.symbolic.rows import working_points

#: Share of the linear predictor's variance below which a curve is nothing.
_NOTHING = 1e-8
#: What it costs to be there, in the units of a log-likelihood ratio; further constants cost log n.
_PRESENCE = 2.0
#: Share of the variance below which a term is only kept if the rows leave no doubt.
_INVISIBLE, _INVISIBLE_PRICE = 1e-5, 40.0
_SHARPEST = 1000.0
#: Times that rounding is repeated with ten times smaller steps.
_TIGHTENINGS = 4
_SWEEPS = 2
#: Steps of the joint fit between sweeps, and along the way to simpler formulas, of which there are so many.
_FEW, _FEW_STEPS, _MOST_STAGES = 12, 4, 8


class Search:
    """A formula that grows into the rows.

    Parameters
    ----------
    network : fitted network
    rows : Rows
    candidates : tuple of Candidate
    max_constants : int
        Of a term.

    Attributes
    ----------
    model : Additive
        By default the formulas of the network's curves, each for itself.
    """

    def __init__(self, network, rows, candidates, max_constants, model=None):
        self.network, self.rows = network, rows
        self.candidates, self.max_constants = candidates, max_constants
        self.sharpness, self.edges = 1.0, {}
        self.model = self._start() if model is None else model

    def run(self):
        """Functions from the curves, then from what the other formulas leave; terms that do not pay go."""
        self.model, _ = refit(self.model, self.rows.response, _FEW)
        if not self.imitates:  # the curves of a network are known, whatever stands for the others
            self._improve()
        self.model, _ = refit(self.model, self.rows.response)
        self._drop()
        return self.model

    @property
    def imitates(self):
        return isinstance(self.rows.response, Imitation)

    def _improve(self):
        best = self.cost(self.model)
        for _ in range(_SWEEPS):
            new, changed = self._sweep()
            if not changed:
                break
            new, _ = refit(new, self.rows.response, _FEW)
            cost = self.cost(new)
            if cost >= best - 1e-6:
                break
            self.model, best = new, cost

    def sharper(self, factor):
        """The formulas that this search found for each curve, chosen anew where departures cost `factor` times as much.

        For imitations only: the searches of the curves are kept.
        """
        new = copy(self)
        new.rows = replace(self.rows, response=self.rows.response.sharper(factor))
        new.sharpness = factor
        new.model = new._start()
        return new

    def rounded(self, digits, tightness=1.0, model=None):
        """The model with the digits its constants deserve (`round_constants`), enough that the rows cannot tell."""
        model = self.model if model is None else model
        response, dispersion = self.rows.response, self.dispersion(model)
        allowed = max(1.0, sum(len(p.parameters) for p in model.parts) / 4)
        for _ in range(_TIGHTENINGS):
            final = round_constants(model, response, dispersion, digits, tightness)
            rise = 2 * (final.objective(response) - model.objective(response)) / dispersion
            if rise <= allowed or digits != "auto":
                break
            tightness /= 10
        return final

    def simpler(self):
        """Ever fewer terms, the one that gains least going first, constants fitted again each time."""
        rows, model = self.rows, self.model
        step = -(-len(model.parts) // _MOST_STAGES)
        while model.parts:
            weak = np.argsort(self.gains(model))[:step].tolist()
            model, _ = refit(without(model, weak, rows.weights), rows.response, _FEW_STEPS)
            simple = copy(self)
            simple.model = model
            yield simple

    # ---- cost

    def dispersion(self, model=None):
        """Estimated where the likelihood does not give it."""
        response, model = self.rows.response, self.model if model is None else model
        if response.scale_known:
            return 1.0
        constants = len(model.intercept) + sum(len(p.parameters) for p in model.parts)
        eta = np.broadcast_to(model.predictor(), self.rows.eta.shape)
        return max(response.deviance(eta), 1e-300) / max(response.n - constants, 1.0)

    def misfit(self, model):
        """-2 log-likelihood, up to a constant, with the ridges."""
        response, n = self.rows.response, self.rows.response.n
        eta = np.broadcast_to(model.predictor(), self.rows.eta.shape)
        deviance = response.deviance(eta) + 2 * model.penalty(response.weights)
        return deviance if response.scale_known else n * np.log(max(deviance / n, 1e-300))

    def cost(self, model):
        """-2 log-likelihood + log n for each constant + the complexity of the functions."""
        return self.misfit(model) + sum(self.price(p) for p in model.parts)

    def akaike(self):
        """-2 log-likelihood + 2 for each constant."""
        return self.misfit(self.model) + 2 * sum(p.n_constants + len(p.beta) for p in self.model.parts)

    def price(self, part):
        """What a part has to gain."""
        if not part.atoms:
            return _PRESENCE * len(part.beta)
        complexity = UNIT * sum(a.candidate.complexity for a in part.atoms)
        return _PRESENCE + np.log(self.rows.response.n) * (part.n_constants - 1) + complexity

    def presence(self, part):
        """What a part has to gain to stay: as AIC, since it is shrunk; much more if nobody could see it."""
        seen = variance(part.value(), self.rows.weights)
        total = variance(self.rows.eta, self.rows.weights).mean()
        if seen < _INVISIBLE * total:
            return _INVISIBLE_PRICE
        return _PRESENCE * (len(part.beta) or 1) + UNIT

    # ---- functions

    def _start(self):
        """A formula for each curve, as the response asks for it beside all other curves."""
        rows, parts = self.rows, []
        intercept = rows.base.astype(float).copy()
        total = variance(rows.eta, rows.weights).mean()
        for j in range(len(self.network.features)):
            for k in range(rows.eta.shape[1]):
                curve = rows.effects[:, j, k]
                if variance(curve, rows.weights) <= _NOTHING * max(total, 1e-300):
                    continue
                for part, constant in self._parts(j, k, curve):
                    parts.append(part)
                    intercept[k] += constant
        return Additive(intercept, parts)

    def _parts(self, j, k, curve):
        """Parts for one column and output, and the constants that go to the intercept."""
        x, feature = self.rows.Z[:, j], self.network.features[j]
        known = ~np.isnan(x)
        share = float(np.average(~known, weights=self.rows.weights))
        if feature.kind == "category":
            yield self._category(j, k, curve, x, known), 0.0
            return
        if known.any() and np.ptp(x[known]) > 0:
            low, high = self._range(j)
            fit = self._edge(j, k, curve)
            if fit.atoms:
                yield self._part(j, k, atoms=fit.atoms, low=low, high=high, ridge=self._ridge(j, curve)), fit.constant
        if 0 < share < 1:
            level = curve[~known][0] - np.average(curve[known], weights=self.rows.weights[known])
            design = np.where(known, -share, 1 - share)[:, None]
            penalty = self._penalty(j, "missing", 1)
            yield self._part(j, k, design=design, beta=np.array([level]), penalty=penalty, missing=share), 0.0

    def _part(self, j, k, **what):
        return Part(j, k, self.rows.Z[:, j], weights=self.rows.weights, **what)

    def _range(self, j):
        x, feature = self.rows.Z[:, j], self.network.features[j]
        return float(np.fmin(np.nanmin(x), feature.low)), float(np.fmax(np.nanmax(x), feature.high))

    def _category(self, j, k, curve, x, known):
        """Indicators of the levels, and of a missing value."""
        levels = len(self.network.features[j].levels)
        codes = [*range(levels), *([np.nan] if 0 < known.mean() < 1 else [])]
        design = np.column_stack([np.isnan(x) if np.isnan(c) else x == c for c in codes]).astype(float)
        beta = np.array([curve[d > 0][0] if d.any() else 0.0 for d in design.T])
        penalty = self._penalty(j, "level", levels)
        if len(codes) > levels:
            penalty = np.append(penalty, self._penalty(j, "missing", 1))
        return self._part(j, k, design=design, beta=beta, penalty=penalty)

    def _edge(self, j, k, target):
        """The cheapest formula for `target` (n,), what column j should add to output k."""
        x, rows = self.rows.Z[:, j], self.rows
        known = ~np.isnan(x)
        low, high = self._range(j)
        distinct = len(np.unique(x[known][:4000]))
        search = self.edges.get((j, k)) if self.imitates else None
        if search is None:
            search = EdgeSearch(
                x[known],
                (target + rows.points[:, k])[known],
                rows.precision[known, k],
                low=low,
                high=high,
                n_rows=max(rows.weights[known].sum(), 2.0),
                # An imitation may be asked for any closeness later.
                scale=rows.dispersion / _SHARPEST if self.imitates else rows.dispersion,
                max_constants=max(min(self.max_constants, distinct - 1), 1),
            )
            search.run(self.candidates)
            self.edges[j, k] = search
        scale = rows.dispersion / self.sharpness if self.imitates else None
        presence = _PRESENCE - np.log(search.n)
        return search.finished(search.ranked(scale, presence)[0], covariance=False)

    def _sweep(self):
        """Each number's functions anew, the other formulas as they are; whether any changed."""
        rows, changed = self.rows, False
        eta = np.broadcast_to(self.model.predictor(), rows.eta.shape)
        points, precision = working_points(rows.response, eta)
        self.rows = replace(rows, points=points, precision=precision)
        parts, intercept = [], self.model.intercept.copy()
        for part in self.model.parts:
            if not part.atoms:
                parts.append(part)
                continue
            own = part.value()
            fit = self._edge(part.feature, part.output, own)
            names = sorted(a.candidate.name for a in part.atoms)
            if sorted(a.candidate.name for a in fit.atoms) == names:
                parts.append(part)
                continue
            changed = True
            new = replace(part, atoms=fit.atoms)
            if fit.atoms:
                parts.append(new)
            mean = np.average(own, weights=rows.weights) - (
                np.average(new.value(), weights=rows.weights) if fit.atoms else 0.0
            )
            intercept[part.output] += mean
        return Additive(intercept, parts), changed

    def _ridge(self, j, curve):
        """The network's own penalty on the variance of what the column adds; a weak prior where it has none."""
        smoothing = getattr(self.network, "smoothing", None)
        if smoothing is None:
            dispersion = 1.0 if self.rows.dispersion is None else self.rows.dispersion
            return (
                dispersion / max(variance(curve, self.rows.weights), 1e-300) if self.rows.response.scale_known else 0.0
            )
        s, b = smoothing[j], self.network.inputs[j].coefficients
        own = np.repeat(np.exp(s.rho), s.sizes) * s.scale
        keep = np.repeat([kind in ("linear", "curvature") for kind in s.kinds], s.sizes)
        size = (b**2).sum(1) * keep
        return float(own @ size / size.sum()) / b.shape[1] if size.sum() > 0 else 0.0

    def _penalty(self, j, kind, n):
        smoothing = getattr(self.network, "smoothing", None)
        if smoothing is None or kind not in smoothing[j].kinds:
            return np.full(n, 1e-3 * self.rows.precision.sum() / len(self.rows.Z))
        return np.full(n, np.exp(smoothing[j].rho[smoothing[j].kinds.index(kind)]))

    # ---- terms

    def gains(self, model):
        """What each part gains beside the others, its functions as they are: by the curvature at the maximum."""
        shares = Additive(
            model.intercept,
            [
                Part(p.feature, p.output, p.x, design=p.value()[:, None], beta=np.ones(1), penalty=np.zeros(1))
                for p in model.parts
            ],
        )
        V = covariance(shares, self.rows.response, self.dispersion(model))
        return 1 / np.maximum(np.diag(V)[len(model.intercept) :], 1e-300)

    def _drop(self):
        """Parts that gain less than they cost go, the least first, a third of them at a time."""
        kept = set()
        while self.model.parts:
            parts = self.model.parts
            excess = self.gains(self.model) - np.array([self.presence(p) for p in parts])
            order = np.argsort(excess, kind="stable")
            weak = [i for i in order if excess[i] < 0 and parts[i].key not in kept]
            if not weak:
                return
            weak = weak[: max(len(weak) // 3, 1)]
            if not self._try_without(weak):
                # Under separation the curvature at the maximum says that nothing gains (Hauck & Donner 1977).
                if len(weak) > 1 and self._try_without(weak[:1]):
                    continue
                kept.add(parts[weak[0]].key)

    def _try_without(self, weak):
        """Leave out some parts if the likelihood does not miss them either."""
        response, dispersion = self.rows.response, self.dispersion()
        new, value = refit(without(self.model, weak, self.rows.weights), response, _FEW)
        rise = 2 * (value - self.model.objective(response)) / dispersion
        if rise > sum(self.presence(self.model.parts[i]) + 2 for i in weak):
            return False
        self.model = new
        return True


def without(model, positions, weights):
    """The model without the parts at `positions`, whose averages go to the intercepts."""
    intercept = model.intercept.copy()
    for i in positions:
        intercept[model.parts[i].output] += np.average(model.parts[i].value(), weights=weights)
    return Additive(intercept, [p for i, p in enumerate(model.parts) if i not in positions])
