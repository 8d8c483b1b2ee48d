"""Basis families, by name. See docs/extending.md for what a new one needs."""

from kan_tabular.bases.base import Basis
from kan_tabular.bases.bspline import BSpline
from kan_tabular.bases.category import Category

REGISTRY: dict[str, type[Basis]] = {cls.name: cls for cls in (BSpline, Category)}


def basis_from_spec(spec: dict) -> Basis:
    """Rebuild a basis from its plain data."""
    return REGISTRY[spec["name"]].from_spec(spec)


__all__ = ["REGISTRY", "BSpline", "Basis", "Category", "basis_from_spec"]
