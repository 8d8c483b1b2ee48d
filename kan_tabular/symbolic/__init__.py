"""Formulas: univariate functions in closed form, summed and multiplied as the network they came from."""
