"""What was not known about the smoothing parameters, and what that adds to the bands.

At one value of the smoothing parameters the posterior of a term is Gaussian. Its covariance there is too small, and it
is zero for a term that was shrunk away: the parameters were estimated. Here the term's own parameters are integrated
out on a grid (the others' terms are already integrated out of the term's information), so the covariance becomes
``E[V] + E[(m - b)(m - b)']`` over their posterior. This is the aim of the correction of Wood, Pya & Saefken (2016, JASA
111, section 4), without its linearisation at the mode, which vanishes exactly where it is needed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: Grid of one log smoothing parameter: this far to both sides, in this many points.
_REACH, _POINTS = 5.0, 9
#: The grid stays where the data can still tell: log of information times prior variance, at most this.
_UPPER, _LOWER = 5.0, -8.0


@dataclass
class TermSmoothing:
    """Smoothing of one term.

    Attributes
    ----------
    kinds : list of str
        "linear", "curvature", "level", "missing".
    sizes : list of int
        Columns of each group.
    scale : list of float
        Penalty of each column at smoothing parameter 1.
    rho : list of float
        Log smoothing parameter of each group.
    free : list of bool
        Whether the data chose it.
    center, spread : list of float
        The hierarchy's common value and standard deviation for each group; a spread of 0 means none (flat).
    """

    kinds: list
    sizes: list
    scale: list
    rho: list
    free: list
    center: list
    spread: list

    def to_spec(self):
        return dict(self.__dict__)

    @classmethod
    def from_spec(cls, spec):
        return cls(**spec)


class SmoothingPosterior:
    """Posterior of a term's coefficients with its smoothing parameters integrated out.

    Parameters
    ----------
    V : ndarray (k C, k C)
        Posterior covariance at the chosen parameters, dispersion included.
    b : ndarray (k C,)
        Coefficients, output by output.
    dispersion : float
    smoothing : TermSmoothing
    n_outputs : int
    """

    def __init__(self, V, b, dispersion, smoothing, n_outputs):
        self.V, self.b, self.phi, self.smoothing, self.n_outputs = V, b, dispersion, smoothing, n_outputs
        group = np.repeat(np.arange(len(smoothing.sizes)), smoothing.sizes)
        self.group = np.tile(group, n_outputs)
        self.scale = np.tile(np.asarray(smoothing.scale), n_outputs)

    def covariance(self):
        s = self.smoothing
        free = [g for g in range(len(s.kinds)) if s.free[g]]
        if not free:
            return self.V
        rho = np.asarray(s.rho)
        prior = np.exp(rho)[self.group] * self.scale / self.phi
        # V = (I + prior)^-1; the term's own information I, kept accurate where the prior dwarfs it.
        root = 1 / np.sqrt(prior + 1e-300)
        eigen, axes = np.linalg.eigh((self.V / root[:, None]) / root)
        eigen = np.clip(eigen, 1e-12, 1 - 1e-12 if len(free) == len(s.kinds) else None)
        information = (axes * (1 / eigen - 1)) @ axes.T / root[:, None] / root
        pull = information @ self.b + prior * self.b
        grids = [self._grid(g, information) if g in free else np.array([rho[g]]) for g in range(len(rho))]
        points = np.stack([a.ravel() for a in np.meshgrid(*grids, indexing="ij")], 1)
        D = np.exp(points)[:, self.group] * self.scale / self.phi
        H = information + D[:, :, None] * np.eye(len(self.b))
        # Equilibrated, so that dead directions do not spoil the rest.
        r = 1 / np.sqrt(np.einsum("kaa->ka", H))
        Hr = H * r[:, :, None] * r[:, None, :]
        inverse = np.linalg.inv(Hr) * r[:, :, None] * r[:, None, :]
        log_det = np.linalg.slogdet(Hr)[1] - 2 * np.log(r).sum(1)
        mean = np.einsum("kab,b->ka", inverse, pull)
        log_weight = 0.5 * (np.log(D).sum(1) - log_det + mean @ pull)
        for g in free:
            if s.spread[g]:
                log_weight -= 0.5 * ((points[:, g] - s.center[g]) / s.spread[g]) ** 2
        weight = np.exp(log_weight - log_weight.max())
        weight /= weight.sum()
        away = mean - self.b
        return np.einsum("k,kab->ab", weight, inverse) + np.einsum("k,ka,kb->ab", weight, away, away)

    def _grid(self, g, information):
        own = self.group == g
        known = np.log(max((np.diag(information)[own] / self.scale[own]).mean() * self.phi, 1e-300))
        middle = np.clip(self.smoothing.rho[g], known + _LOWER, known + _UPPER - _REACH)
        points = 5 if self.smoothing.kinds[g] == "missing" else _POINTS
        return middle + np.linspace(-_REACH, _REACH, points)
