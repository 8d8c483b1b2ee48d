"""The simulated situations of bands.py."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from kan_tabular import KAAMClassifier, KAAMRegressor

Curve = Callable[[np.ndarray], np.ndarray]
N_GRID = 200


def wave(x):
    return np.sin(2 * np.pi * x)


def hill(x):
    return 2 * np.exp(-0.5 * ((x - 0.6) / 0.2) ** 2)


def rise(x):
    return np.exp(2 * x) / 4


def line(x):
    return 1.5 * x


def nothing(x):
    return np.zeros_like(x)


def rough(x):
    """Two unequal peaks: the third test function of Gu and Wahba (1991), scaled to unit height."""
    return (0.2 * x**11 * (10 * (1 - x)) ** 6 + 10 * (10 * x) ** 3 * (1 - x) ** 10) / 8


def ripple(x):
    return np.sin(4 * np.pi * x)


def uniform(rng, n, p):
    """Independent columns on (0, 1)."""
    return rng.uniform(size=(n, p))


def sparse(rng, n, p):
    """A skewed column whose right half is nearly empty, a column with a gap, then uniform ones."""
    X = rng.uniform(size=(n, p))
    X[:, 0] = rng.beta(1, 4, n)
    left = rng.random(n) < 0.7
    X[:, 1] = np.where(left, rng.uniform(0, 0.4, n), rng.uniform(0.75, 1, n))
    return X


def correlated(rng, n, p):
    """Uniform columns whose normal scores correlate by .7."""
    shared = rng.normal(size=(n, 1))
    return stats.norm.cdf(np.sqrt(0.7) * shared + np.sqrt(0.3) * rng.normal(size=(n, p)))


def respond(rng, response, eta, noise):
    """Responses with the linear predictor `eta` (n,), and an unfitted model for them."""
    if response == "gaussian":
        return eta + noise * rng.normal(size=len(eta)), KAAMRegressor()
    if response == "poisson":
        return rng.poisson(np.exp(eta)).astype(float), KAAMRegressor(loss="poisson")
    return (rng.random(len(eta)) < 1 / (1 + np.exp(-eta))).astype(int), KAAMClassifier()


def grid_and_truth(x, curve):
    """Quantiles of a training column (N_GRID,), and the true curve there, centred on the training rows."""
    grid = np.quantile(x, (np.arange(N_GRID) + 0.5) / N_GRID)
    return grid, curve(grid) - curve(x).mean()


@dataclass(frozen=True)
class Design:
    """One simulated situation.

    Attributes
    ----------
    n : int
        Rows a draw.
    response : {"gaussian", "binary", "poisson"}
    curves : dict of str to callable
        The true term of each column, on the link scale.
    columns : callable
        ``columns(rng, n, p)`` draws the table.
    noise : float
        Standard deviation of a Gaussian response.
    intercept : float
    """

    n: int
    response: str
    curves: dict[str, Curve]
    columns: Callable = uniform
    noise: float = 0.5
    intercept: float = 0.0

    def draw(self, rng):
        """One table, its response and an unfitted model."""
        X = pd.DataFrame(self.columns(rng, self.n, len(self.curves)), columns=list(self.curves))
        eta = self.intercept + sum(curve(X[name].to_numpy()) for name, curve in self.curves.items())
        return X, *respond(rng, self.response, eta, self.noise)


DESIGNS = {
    "gaussian smooth": Design(400, "gaussian", {"wave": wave, "hill": hill, "rise": rise}),
    "gaussian rough": Design(600, "gaussian", {"rough": rough, "ripple": ripple, "line": line}, noise=0.4),
    "gaussian null": Design(400, "gaussian", {"wave": wave, "rise": rise, "nothing": nothing}),
    "gaussian sparse": Design(400, "gaussian", {"skewed": hill, "gap": wave, "line": line}, columns=sparse),
    "gaussian correlated": Design(
        500, "gaussian", {"wave": wave, "hill": hill, "rise": rise, "line": line}, columns=correlated
    ),
    "logistic smooth": Design(1000, "binary", {"wave": wave, "hill": hill, "rise": rise}, intercept=-1.5),
    "logistic line and null": Design(800, "binary", {"wave": wave, "line": line, "nothing": nothing}, intercept=-0.7),
    "poisson": Design(500, "poisson", {"wave": wave, "hill": hill, "rise": rise}, intercept=-0.5),
}

#: Tables that say little about their curves: what is shrunk is shrunk far.
LITTLE = {
    f"logistic, {n} correlated rows": Design(
        n, "binary", {"wave": wave, "line": line, "nothing": nothing}, columns=correlated
    )
    for n in (300, 1000)
}
