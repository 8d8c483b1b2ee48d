"""How strongly to smooth: the marginal likelihood of the smoothing parameters and what they share.

All penalties are diagonal, so the penalised coefficients are independent Gaussians a priori,
``b_a ~ N(0, phi / (lambda_g s_a))`` for column a of group g, and everything below is a variance-components model.
With ``rho = log lambda`` and, in the working Gaussian model of penalised IRLS, ``V = (X'WX + S)^-1``, ``b = V X'Wz``,

    l(rho)              = 1/2 sum_g r_g rho_g - 1/2 log|X'WX + S| + 1/2 b'X'Wz + const          (phi = 1)
    dl/drho_g           = 1/2 (r_g - lambda_g sum_{a in g} s_a (V_aa + b_a^2))
    d2l/drho_g drho_h   = -1/2 [g = h] lambda_g sum_a s_a (V_aa + b_a^2)
                          + lambda_g lambda_h sum_{a in g, c in h} s_a s_c (V_ac^2 / 2 + b_a V_ac b_c)

(Wood, *Generalized Additive Models*, 2nd ed., sections 6.2 and 6.5; with phi unknown, phi is profiled out, 6.2.3). The
weights W are held while rho moves, as in mgcv's `bam` and in Fellner and Schall's method.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg.lapack import dpotrf, dpotri

#: Bounds of log lambda. The lower one leaves a coefficient free in effect; at the upper one a group has no edf left.
RHO_MIN, RHO_MAX = -25.0, 30.0


@dataclass
class Groups:
    """Which column shares which smoothing parameter.

    Attributes
    ----------
    start : ndarray of int (G + 1,)
        Columns ``start[g]:start[g + 1]`` belong to group g; column 0 is the intercept.
    scale : ndarray (q,)
        Penalty of each column at lambda 1 (0 for the intercept).
    kind : list of str (G,)
    feature : ndarray of int (G,)
    free : ndarray of bool (G,)
        Whether the data choose lambda; otherwise `rho` keeps its start.
    penalised : ndarray of bool (G,)
        Whether its prior is meant (otherwise it is only there to keep the problem proper).
    n_outputs : int
        Outputs share the smoothing parameters.
    """

    start: np.ndarray
    scale: np.ndarray
    kind: np.ndarray
    feature: np.ndarray
    free: np.ndarray
    penalised: np.ndarray
    n_outputs: int = 1

    def __post_init__(self):
        self.size = np.diff(self.start)
        #: Coefficients outside every penalty: the intercepts, and lines that are not to be shrunk.
        self.n_unpenalised = self.n_outputs * (1 + int(self.size[~self.penalised].sum()))
        self.of_column = np.concatenate([[0], np.repeat(np.arange(len(self.size)), self.size)])

    def precision(self, rho):
        """Diagonal of the penalty (q * n_outputs,)."""
        lam = np.exp(rho)[self.of_column] * self.scale if len(rho) else np.zeros(1)
        return np.tile(lam, self.n_outputs)

    def sums(self, per_column):
        """Sum over outputs and over each group's columns."""
        v = per_column.reshape(self.n_outputs, -1).sum(0)
        return np.add.reduceat(v[1:], self.start[:-1] - 1) if len(self.size) else v[:0]

    def sums2(self, per_pair):
        """Sum a (q C, q C) matrix over outputs and pairs of groups."""
        q, C = len(self.scale), self.n_outputs
        M = per_pair if C == 1 else per_pair.reshape(C, q, C, q).sum((0, 2))
        at = self.start[:-1] - 1
        return np.add.reduceat(np.add.reduceat(M[1:, 1:], at, axis=0), at, axis=1)


class HyperPrior:
    """What is believed about the smoothing parameters before the data: a log density of rho.

    Two parts. A far guard on the prior standard deviation ``sigma = exp(-rho / 2)`` of a contribution, an exponential
    tail with mean `guard`: without it separable classes send sigma to infinity. And, with `pooled`, a hierarchy: the
    log smoothing parameters of one kind (lines, curvatures, levels, missing) follow a Student t distribution around a
    common value that the data choose. A term with little to say follows the others, one with much to say follows its
    own evidence, and one far from the rest, useless or steep, is let go (the t's tails). ``pooled=False`` is textbook
    REML, each term for itself.
    """

    #: Degrees of freedom of the t. Its scale, in log lambda, was chosen on simulated tables and on data outside the
    #: benchmarks, where anything from 0.7 to 1.4 predicts about equally well.
    tails = 3.0

    @staticmethod
    def scale(m):
        """Scale of the t among m terms: few terms know less about what is common to them."""
        return np.sqrt(1.0 + 6.0 / m)

    def __init__(self, groups: Groups, pooled: bool, guard: float):
        self.guard = guard
        self.members = [np.flatnonzero((groups.kind == k) & groups.free) for k in dict.fromkeys(groups.kind)]
        self.members = [m for m in self.members if len(m)] if pooled else []
        #: The t as a normal of its own precision for each group, updated by `learn`.
        self.weight = np.ones(len(groups.size))

    def _around(self, m, rho):
        """Common value of some groups and their distances from it."""
        center = np.average(rho[m], weights=self.weight[m])
        return center, rho[m] - center

    def derivatives(self, rho):
        """Value, gradient (G,) and Hessian (G, G)."""
        tail = np.exp(-rho / 2) / self.guard
        value, gradient, hessian = -tail.sum(), tail / 2, np.diag(-tail / 4)
        for m in self.members:
            _, away = self._around(m, rho)
            precision = self.weight[m] / self.scale(len(m)) ** 2
            value -= 0.5 * (precision * away**2).sum()
            gradient[m] -= precision * away
            hessian[np.ix_(m, m)] -= np.diag(precision) - np.outer(precision, precision) / precision.sum()
        return value, gradient, hessian

    def learn(self, rho, hessian):
        """One EM step on the weights that turn the t into a normal: what the modes show and what is not known of them.

        `hessian` (G, G) is that of the log marginal likelihood at `rho`.
        """
        if not self.members:
            return
        values, axes = np.linalg.eigh(-(hessian + self.derivatives(rho)[2]))
        variance = (axes**2 / np.maximum(values, 1e-3)).sum(1)
        for m in self.members:
            squares = self._around(m, rho)[1] ** 2 + variance[m]
            self.weight[m] = (self.tails + 1) / (self.tails + squares / self.scale(len(m)) ** 2)

    def spread(self):
        """Standard deviation of the normal that stands for the t, for each group (G,); 0 where nothing is pooled."""
        out = np.zeros(len(self.weight))
        for m in self.members:
            out[m] = self.scale(len(m)) / np.sqrt(self.weight[m])
        return out

    def center(self, rho):
        """Common value of each group's kind (G,)."""
        out = rho.copy()
        for m in self.members:
            out[m] = self._around(m, rho)[0]
        return out


@dataclass
class WorkingModel:
    """The Gaussian model of one IRLS step: ``-1/2 (b - b0)'A(b - b0) + score'(b - b0) - rss0 / 2``."""

    A: np.ndarray
    score: np.ndarray
    b0: np.ndarray
    rss0: float
    n: float
    scale_known: bool

    def _rounding(self):
        """The dispersion that rounding alone would leave: a target without noise must not divide by zero."""
        response = self.rss0 + 2 * self.score @ self.b0 + self.b0 @ self.A @ self.b0
        return max(1e-16 * response / self.n, 1e-100)

    def solve(self, groups, rho):
        """Posterior of b and derivatives of the log marginal likelihood at rho."""
        precision = groups.precision(rho)
        V, log_det = inverse(self.A, precision)
        b = V @ (self.A @ self.b0 + self.score)
        step = b - self.b0
        rss = self.rss0 - 2 * self.score @ step + step @ self.A @ step
        penalty = precision * b**2
        n_free = self.n - groups.n_unpenalised
        phi = 1.0 if self.scale_known else max((rss + penalty.sum()) / max(n_free, 1.0), self._rounding())
        shrunk = groups.sums(penalty) / phi
        inside = groups.sums(precision * np.diag(V))
        size = groups.size * groups.n_outputs
        value = 0.5 * (size @ rho - log_det)
        value += -0.5 * (rss + penalty.sum()) if self.scale_known else -0.5 * n_free * np.log(phi)
        gradient = 0.5 * (size - inside - shrunk)
        d, db = precision[:, None], precision * b / np.sqrt(phi)
        hessian = groups.sums2(0.5 * d * V**2 * precision + db[:, None] * V * db)
        hessian[np.diag_indices_from(hessian)] -= 0.5 * (inside + shrunk)
        if not self.scale_known:
            hessian += np.outer(shrunk, shrunk) / (2 * n_free)
        return Posterior(b, V, phi, value, gradient, hessian, size - inside)


@dataclass
class Posterior:
    """Coefficients, unscaled covariance, dispersion; value, gradient and Hessian in rho; edf of each group."""

    b: np.ndarray
    V: np.ndarray
    phi: float
    value: float
    gradient: np.ndarray
    hessian: np.ndarray
    edf: np.ndarray


def inverse(A, precision):
    """Inverse and log determinant of ``A + diag(precision)``."""
    H = A.copy()
    H[np.diag_indices_from(H)] += precision
    # Equilibrate: dead groups have a precision many orders above the rest.
    root = 1 / np.sqrt(np.maximum(np.diag(H), 1e-300))
    H *= root[:, None] * root
    factor, bad = dpotrf(H, lower=1)
    if bad:
        H[np.diag_indices_from(H)] += 1e-10
        factor, bad = dpotrf(H, lower=1)
    if bad:
        raise FloatingPointError("the penalised information matrix is not positive definite")
    log_det = 2 * np.log(np.diag(factor)).sum() - 2 * np.log(root).sum()
    lower, _ = dpotri(factor, lower=1, overwrite_c=1)  # zeros above the diagonal
    V = lower + lower.T
    V[np.diag_indices_from(V)] /= 2
    V *= root[:, None] * root
    return V, log_det


def newton_step(gradient, hessian, free, limit=4.0):
    """Ascent step on a function that need not be concave; its predicted gain."""
    step = np.zeros_like(gradient)
    if not free.any():
        return step, 0.0
    values, axes = np.linalg.eigh(hessian[np.ix_(free, free)])
    along = axes.T @ gradient[free]
    move = axes @ (along / np.maximum(np.abs(values), 1e-4))
    longest = np.abs(move).max()
    if longest > limit:
        move *= limit / longest
    step[free] = move
    return step, float(gradient[free] @ move)
