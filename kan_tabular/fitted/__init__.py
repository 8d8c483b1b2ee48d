"""The structure that every estimator yields and that everything a user sees is read from."""

from kan_tabular.fitted.curves import InputCurves
from kan_tabular.fitted.network import FittedNetwork
from kan_tabular.fitted.shape import ShapeFunction, ShapeReader

__all__ = ["FittedNetwork", "InputCurves", "ShapeFunction", "ShapeReader"]
