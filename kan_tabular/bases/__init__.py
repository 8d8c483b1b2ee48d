"""Basis families, by name. See docs/extending.md for what a new one needs."""

from kan_tabular.bases.activation_pairs import ActivationPairs
from kan_tabular.bases.adaptive_rbf import AdaptiveRBF
from kan_tabular.bases.base import Basis
from kan_tabular.bases.bspline import BSpline
from kan_tabular.bases.category import Category
from kan_tabular.bases.gaussian import GaussianRBF
from kan_tabular.bases.node_spline import NodeSpline
from kan_tabular.bases.piecewise_linear import PiecewiseLinear
from kan_tabular.bases.relu import ReLUKAN
from kan_tabular.bases.wavelet import Wavelet

REGISTRY: dict[str, type[Basis]] = {
    cls.name: cls
    for cls in (
        ActivationPairs,
        AdaptiveRBF,
        BSpline,
        Category,
        GaussianRBF,
        NodeSpline,
        PiecewiseLinear,
        ReLUKAN,
        Wavelet,
    )
}


def basis_from_spec(spec: dict) -> Basis:
    """Rebuild a basis from its plain data."""
    return REGISTRY[spec["name"]].from_spec(spec)


__all__ = [
    "REGISTRY",
    "ActivationPairs",
    "AdaptiveRBF",
    "BSpline",
    "Basis",
    "Category",
    "GaussianRBF",
    "NodeSpline",
    "PiecewiseLinear",
    "ReLUKAN",
    "Wavelet",
    "basis_from_spec",
]
