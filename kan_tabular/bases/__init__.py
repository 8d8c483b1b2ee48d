"""Basis families, by name. See docs/extending.md for what a new one needs."""

from kan_tabular.bases.base import Basis
from kan_tabular.bases.bspline import BSpline
from kan_tabular.bases.category import Category
from kan_tabular.bases.chebyshev import Chebyshev
from kan_tabular.bases.cosine import Cosine
from kan_tabular.bases.fourier import Fourier
from kan_tabular.bases.hermite import Hermite
from kan_tabular.bases.legendre import Legendre
from kan_tabular.bases.node_spline import NodeSpline
from kan_tabular.bases.polynomial_chaos import PolynomialChaos

_FAMILIES = (BSpline, Category, Chebyshev, Cosine, Fourier, Hermite, Legendre, NodeSpline, PolynomialChaos)
REGISTRY: dict[str, type[Basis]] = {cls.name: cls for cls in _FAMILIES}


def basis_from_spec(spec: dict) -> Basis:
    """Rebuild a basis from its plain data."""
    return REGISTRY[spec["name"]].from_spec(spec)


__all__ = [
    "REGISTRY",
    "BSpline",
    "Basis",
    "Category",
    "Chebyshev",
    "Cosine",
    "Fourier",
    "Hermite",
    "Legendre",
    "NodeSpline",
    "PolynomialChaos",
    "basis_from_spec",
]
