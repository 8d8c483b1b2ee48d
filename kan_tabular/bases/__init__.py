"""Basis families, by name. See docs/extending.md for what a new one needs."""

from kan_tabular.bases.base import Basis
from kan_tabular.bases.bspline import BSpline
from kan_tabular.bases.category import Category
from kan_tabular.bases.daruan import Daruan
from kan_tabular.bases.free_knots import FreeKnots
from kan_tabular.bases.node_spline import NodeSpline
from kan_tabular.bases.rational import Rational
from kan_tabular.bases.truncated_power import TruncatedPower

REGISTRY: dict[str, type[Basis]] = {
    cls.name: cls for cls in (BSpline, Category, Daruan, FreeKnots, NodeSpline, Rational, TruncatedPower)
}


def basis_from_spec(spec: dict) -> Basis:
    """Rebuild a basis from its plain data."""
    return REGISTRY[spec["name"]].from_spec(spec)


__all__ = [
    "REGISTRY",
    "BSpline",
    "Basis",
    "Category",
    "Daruan",
    "FreeKnots",
    "NodeSpline",
    "Rational",
    "TruncatedPower",
    "basis_from_spec",
]
