"""All constants of a sum of formulas at once, on the likelihood."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

#: Steps of a joint fit, and the gain in log-likelihood below which it has converged.
_STEPS, _TOLERANCE = 60, 1e-3
#: |gradient / hessian| is only trusted where the curvature is not nothing compared to its largest value.
_FLAT = 1e-10


class Response:
    """The log-likelihood of rows as a function of what users see as linear predictors (n, K).

    Parameters
    ----------
    likelihood : Likelihood
    output_map : ndarray (C, K)
        From the likelihood's outputs to those of users.
    y, weights : ndarray
    """

    def __init__(self, likelihood, output_map, y, weights):
        self.likelihood, self.back, self.y, self.weights = likelihood, np.linalg.pinv(output_map), y, weights
        self.n = float(weights.sum())
        self.scale_known = likelihood.scale_known

    def value(self, eta):
        return self.likelihood.value(eta @ self.back, self.y, self.weights)

    def derivatives(self, eta):
        """Gradient (n, K) and negative Hessian (n, K, K)."""
        own = eta @ self.back
        gradient = self.likelihood.gradient(own, self.y, self.weights)
        hessian = self.likelihood.hessian(own, self.y, self.weights)
        return gradient @ self.back.T, self.back @ hessian @ self.back.T

    def deviance(self, eta):
        if self.likelihood.link_name in ("logit", "softmax"):  # also where a probability rounds to 0
            return -2 * self.value(eta)
        mean = self.likelihood.inverse_link(eta @ self.back)
        single = self.likelihood.n_outputs == 1 and self.likelihood.name != "quantile"
        return self.likelihood.deviance(mean[:, 0] if single else mean, self.y, self.weights)

    def rows(self, selection):
        """The response of some of the rows."""
        new = object.__new__(Response)
        new.__dict__.update(self.__dict__)
        new.y, new.weights = self.y[selection], self.weights[selection]
        new.n = float(new.weights.sum())
        return new


class Imitation(Response):
    """Squared distance from linear predictors `target` (n, K), with precisions (n, K)."""

    def __init__(self, target, precision, weights, dispersion=1.0):
        self.target, self.precision, self.weights = target, precision * weights[:, None] / dispersion, weights
        self.n = float(weights.sum())
        self.scale_known = True

    def sharper(self, factor):
        """With departures that many times as dear."""
        return Imitation(self.target, self.precision * factor / self.weights[:, None], self.weights)

    def value(self, eta):
        return -0.5 * float((self.precision * (self.target - eta) ** 2).sum())

    def derivatives(self, eta):
        return self.precision * (self.target - eta), self.precision[:, :, None] * np.eye(eta.shape[1])

    def deviance(self, eta):
        return -2 * self.value(eta)

    def rows(self, selection):
        new = object.__new__(Imitation)
        new.__dict__.update(self.__dict__)
        new.target, new.precision, new.weights = (v[selection] for v in (self.target, self.precision, self.weights))
        new.n = float(new.weights.sum())
        return new


@dataclass
class Part:
    """What one column adds to one output: atoms of a number, or fixed design columns (levels, missing).

    Attributes
    ----------
    feature, output : int
    atoms : tuple of Atom
    low, high : float
        Range of the column.
    ridge : float
        Penalty on the variance of what the atoms add.
    design : ndarray (n, q)
        Columns that enter linearly.
    beta : ndarray (q,)
    penalty : ndarray (q,)
        Ridge of each of them.
    x : ndarray (n,)
        The column, NaN where missing.
    missing : float
        For the effect of a missing number: the share of such rows, ``-missing`` being the value of `design` elsewhere.
    weights : ndarray (n,), optional
        Frequencies of the rows.
    held : bool
        Whether `beta` is final.
    """

    feature: int
    output: int
    x: np.ndarray
    atoms: tuple = ()
    low: float = 0.0
    high: float = 1.0
    ridge: float = 0.0
    design: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))
    beta: np.ndarray = field(default_factory=lambda: np.zeros(0))
    penalty: np.ndarray = field(default_factory=lambda: np.zeros(0))
    missing: float = 0.0
    weights: np.ndarray | None = None
    held: bool = False

    @property
    def key(self):
        """What tells it from the other parts of a model."""
        return self.feature, self.output, bool(self.atoms)

    @property
    def constant(self):
        """What the effect of a missing number adds where the number is known."""
        return -self.missing * float(self.beta[0]) if self.missing else 0.0

    @property
    def moving(self):
        """Which constants of the atoms derivatives can move."""
        return [(a.candidate.smooth or n == "weight") and n not in a.held for a in self.atoms for n in a.names]

    @property
    def parameters(self):
        own = [a.parameters for a in self.atoms]
        beta = np.zeros(0) if self.held else self.beta
        return np.concatenate([np.concatenate(own)[self.moving] if own else np.zeros(0), beta])

    @property
    def n_constants(self):
        """Numbers in the formula of the atoms."""
        return sum(len(a.names) for a in self.atoms)

    @property
    def complexity(self):
        return sum(a.complexity for a in self.atoms) + len(self.beta)

    def with_parameters(self, values):
        atoms, start, moving = [], 0, iter(self.moving)
        for atom in self.atoms:
            own = atom.parameters
            for i in range(len(own)):
                if next(moving):
                    own[i] = values[start]
                    start += 1
            atoms.append(atom.with_parameters(own).bounded(self.low, self.high))
        return replace(self, atoms=tuple(atoms), beta=self.beta if self.held else np.asarray(values[start:]))

    def value(self):
        """What it adds to each row (n,); rows where the number is missing get the average of the others."""
        out = self.design @ self.beta if len(self.beta) else np.zeros(len(self.x))
        if self.atoms:
            known = ~np.isnan(self.x)
            own = sum(a.evaluate(self.x[known]) for a in self.atoms)
            out = out + _filled(own, known, self.weights)
        return out

    def jacobian(self):
        """Derivatives of `value` by `parameters` (n, q)."""
        if not self.atoms:
            return self.design[:, : 0 if self.held else None]
        known = ~np.isnan(self.x)
        J = np.column_stack([a.jacobian(self.x[known]) for a in self.atoms])[:, self.moving]
        J = _filled(J, known, self.weights)
        return np.column_stack([J, self.design]) if len(self.beta) and not self.held else J

    def rows(self, selection):
        design = self.design[selection] if len(self.beta) else self.design
        weights = None if self.weights is None else self.weights[selection]
        return replace(self, x=self.x[selection], design=design, weights=weights)


def _filled(values, known, weights):
    """`values` of the known rows, and their mean in the others."""
    if known.all():
        return values
    out = np.empty((len(known), *values.shape[1:]))
    out[known], out[~known] = values, np.average(values, axis=0, weights=None if weights is None else weights[known])
    return out


def variance(values, weights):
    """Weighted, over the rows: of each column."""
    return np.average((values - np.average(values, axis=0, weights=weights)) ** 2, axis=0, weights=weights)


@dataclass
class Additive:
    """A sum of parts for each of K outputs.

    Attributes
    ----------
    intercept : ndarray (K,)
    parts : list of Part
    """

    intercept: np.ndarray
    parts: list

    def predictor(self):
        """Linear predictors (n, K) of the parts' rows."""
        n = len(self.parts[0].x) if self.parts else 1
        eta = np.tile(self.intercept, (n, 1))
        for part in self.parts:
            eta[:, part.output] += part.value()
        return eta

    def rows(self, selection):
        return Additive(self.intercept, [p.rows(selection) for p in self.parts])

    def _columns(self):
        """Positions of each output's intercept, then of each part's parameters."""
        K, start, slices = len(self.intercept), len(self.intercept), []
        for part in self.parts:
            slices.append(slice(start, start + len(part.parameters)))
            start = slices[-1].stop
        return K, slices, start

    def penalty(self, weights):
        """Value of the ridges."""
        out = 0.0
        for part in self.parts:
            if part.ridge:
                v = part.value() - (part.design @ part.beta if len(part.beta) else 0.0)
                v = v - np.average(v, weights=weights)
                out += 0.5 * part.ridge * np.average(v**2, weights=weights)
            out += 0.5 * float(part.penalty @ part.beta**2)
        return out

    def system(self, response):
        """Gradient of the penalised log-likelihood and its negative Hessian (Gauss-Newton): (q,), (q, q)."""
        eta = self.predictor()
        gradient, hessian = response.derivatives(np.broadcast_to(eta, (len(response.weights), eta.shape[1])))
        K, slices, q = self._columns()
        n = len(gradient)
        J, place = [np.ones((n, 1))] * K, [[k] for k in range(K)]
        for part, own in zip(self.parts, slices, strict=True):
            k = part.output
            J[k] = np.column_stack([J[k], part.jacobian()])
            place[k] += list(range(own.start, own.stop))
        g, H = np.zeros(q), np.zeros((q, q))
        for k in range(K):
            g[place[k]] = J[k].T @ gradient[:, k]
            for other in range(k + 1):
                block = (J[k] * hessian[:, k, other, None]).T @ J[other]
                H[np.ix_(place[k], place[other])] = block
                H[np.ix_(place[other], place[k])] = block.T
        share = response.weights / response.weights.sum()
        for part, own in zip(self.parts, slices, strict=True):
            m = 0 if part.held else len(part.beta)
            if part.ridge:
                atoms = slice(own.start, own.stop - m)
                Jp = part.jacobian()[:, : own.stop - own.start - m]
                Jp = Jp - share @ Jp
                v = part.value() - (part.design @ part.beta if len(part.beta) else 0.0)
                H[atoms, atoms] += part.ridge * (Jp * share[:, None]).T @ Jp
                g[atoms] -= part.ridge * (Jp * share[:, None]).T @ (v - share @ v)
            if m:
                levels = slice(own.stop - m, own.stop)
                H[levels, levels] += np.diag(part.penalty)
                g[levels] -= part.penalty * part.beta
        return g, H

    def moved(self, step):
        K, slices, _ = self._columns()
        parts = [p.with_parameters(p.parameters + step[own]) for p, own in zip(self.parts, slices, strict=True)]
        return Additive(self.intercept + step[:K], parts)

    def like(self, other):
        """With the constants of the other, which has the same functions."""
        parts = [replace(p, atoms=q.atoms, beta=q.beta) for p, q in zip(self.parts, other.parts, strict=True)]
        return Additive(other.intercept, parts)

    def objective(self, response):
        eta = self.predictor()
        eta = np.broadcast_to(eta, (len(response.weights), eta.shape[1]))
        return -response.value(eta) + self.penalty(response.weights)


def refit(model, response, steps=_STEPS):
    """Maximise the penalised log-likelihood over all constants by Levenberg-Marquardt; the model never gets worse."""
    value, damping = model.objective(response), 1e-4
    for _ in range(steps):
        g, H = model.system(response)
        diagonal = np.diag(H)
        scale = 1 / np.sqrt(np.maximum(diagonal, 1e-12 * max(diagonal.max(), 1e-300)))
        Hs, gs = H * scale * scale[:, None], g * scale
        gain = 0.0
        while damping < 1e8:
            step = np.linalg.solve(Hs + (damping + 1e-10) * np.eye(len(g)), gs) * scale
            with np.errstate(all="ignore"):
                new = model.moved(step)
                new_value = new.objective(response)
            if np.isfinite(new_value) and new_value < value:
                gain, model, value = value - new_value, new, new_value
                damping = max(damping * 0.1, 1e-12)
                break
            damping = max(damping, 1e-6) * 8
        if gain <= _TOLERANCE * (1.0 if response.scale_known else 2 * abs(value) / response.n):
            break
        damping = min(damping, 1e4)
    return model, value


def covariance(model, response, dispersion):
    """Of all constants at the maximum: intercepts, then each part's parameters in turn."""
    _, H = model.system(response)
    size = np.sqrt(np.maximum(np.diag(H), 1e-300))
    return dispersion * np.linalg.pinv(H / size / size[:, None], rcond=1e-14, hermitian=True) / size / size[:, None]
