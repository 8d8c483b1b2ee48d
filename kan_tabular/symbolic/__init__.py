"""Formulas: univariate functions in closed form, summed and multiplied as the network they came from."""

from kan_tabular.symbolic.candidates import LIBRARY, Candidate
from kan_tabular.symbolic.edge import EdgeFit, fit_edge

__all__ = ["LIBRARY", "Candidate", "EdgeFit", "fit_edge"]
