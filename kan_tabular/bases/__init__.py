"""Basis families, by name. See docs/extending.md for what a new one needs."""

from kan_tabular.bases.activation_pairs import ActivationPairs
from kan_tabular.bases.adaptive_rbf import AdaptiveRBF
from kan_tabular.bases.base import Basis
from kan_tabular.bases.bspline import BSpline
from kan_tabular.bases.category import Category
from kan_tabular.bases.chebyshev import Chebyshev
from kan_tabular.bases.clipped import Clipped
from kan_tabular.bases.cosine import Cosine
from kan_tabular.bases.daruan import Daruan
from kan_tabular.bases.fourier import Fourier
from kan_tabular.bases.free_knots import FreeKnots
from kan_tabular.bases.gaussian import GaussianRBF
from kan_tabular.bases.hermite import Hermite
from kan_tabular.bases.legendre import Legendre
from kan_tabular.bases.node_spline import NodeSpline
from kan_tabular.bases.piecewise_linear import PiecewiseLinear
from kan_tabular.bases.polynomial_chaos import PolynomialChaos
from kan_tabular.bases.pool import Pool
from kan_tabular.bases.rational import Rational
from kan_tabular.bases.relu import ReLUKAN
from kan_tabular.bases.truncated_power import TruncatedPower
from kan_tabular.bases.wavelet import Wavelet
from kan_tabular.bases.with_line import WithLine

REGISTRY: dict[str, type[Basis]] = {
    cls.name: cls
    for cls in (
        ActivationPairs,
        AdaptiveRBF,
        BSpline,
        Category,
        Chebyshev,
        Clipped,
        Cosine,
        Daruan,
        Fourier,
        FreeKnots,
        GaussianRBF,
        Hermite,
        Legendre,
        NodeSpline,
        PiecewiseLinear,
        PolynomialChaos,
        Pool,
        Rational,
        ReLUKAN,
        TruncatedPower,
        Wavelet,
        WithLine,
    )
}

#: Families that exist for one purpose; not offered as a choice.
_INTERNAL = {"category", "clipped", "node_spline", "pool", "with_line"}


def families(linear=False):
    """Names of the families to choose from.

    Parameters
    ----------
    linear : bool, default=False
        Only those whose functions have nothing to learn.
    """
    return sorted(name for name, cls in REGISTRY.items() if name not in _INTERNAL and (cls.linear or not linear))


def basis_from_spec(spec: dict) -> Basis:
    """Rebuild a basis from its plain data.

    Parameters
    ----------
    spec : dict
        What its ``to_spec`` gave.
    """
    return REGISTRY[spec["name"]].from_spec(spec)


__all__ = [
    "REGISTRY",
    "ActivationPairs",
    "AdaptiveRBF",
    "BSpline",
    "Basis",
    "Category",
    "Chebyshev",
    "Clipped",
    "Cosine",
    "Daruan",
    "Fourier",
    "FreeKnots",
    "GaussianRBF",
    "Hermite",
    "Legendre",
    "NodeSpline",
    "PiecewiseLinear",
    "PolynomialChaos",
    "Pool",
    "Rational",
    "ReLUKAN",
    "TruncatedPower",
    "Wavelet",
    "WithLine",
    "basis_from_spec",
    "families",
]
