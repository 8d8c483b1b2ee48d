"""Descriptors of an alloy from the fractions of its elements: closed forms, one function each.

Every function takes atomic fractions ``c`` of shape (n, k), rows summing to 1, and the `Properties` of the k elements,
and gives (n,) values; a row is NaN where an element it contains lacks a property that the descriptor needs.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import xlogy

#: Molar gas constant, J/mol/K (exact since 2019).
GAS_CONSTANT = 8.31446261815324

#: |mixing enthalpy| in kJ/mol below which Omega divides by this number instead: the pair enthalpies are whole numbers,
#: so smaller sums are not distinguishable from 0.
SMALLEST_ENTHALPY = 0.1

#: Atomic size difference in percent below which Lambda divides by this number instead: radii are known to about 1 pm.
SMALLEST_SIZE_DIFFERENCE = 0.1


@dataclass(frozen=True)
class Properties:
    """Properties of k elements: `table` (k rows, columns of `elements.PROPERTIES`) and `pairs` (k, k) in kJ/mol."""

    table: pd.DataFrame
    pairs: np.ndarray

    def mean(self, c, name):
        """Mean of a property over the atoms (n,)."""
        return present(c, self.table[name].to_numpy())

    def deviation(self, c, name, *, relative):
        """Root mean square deviation from the mean over the atoms (n,), as a share of the mean if `relative`."""
        values, mean = self.table[name].to_numpy(), self.mean(c, name)
        off = (values - mean[:, None]) / (mean[:, None] if relative else 1.0)
        return np.sqrt(present(c, off**2))


def present(c, values):
    """Sum of ``c * values`` over the elements that a row contains; `values` (k,) or (n, k)."""
    return np.where(c > 0, c * values, 0.0).sum(axis=1)


def _mixing_enthalpy(c, of):
    unknown = np.isnan(of.pairs)
    # 4 sum over pairs i < j is 2 sum over all ordered ones.
    enthalpy = 2 * ((c @ np.where(unknown, 0.0, of.pairs)) * c).sum(axis=1)
    there = (c > 0).astype(float)
    return np.where(((there @ unknown) * there).any(axis=1), np.nan, enthalpy)


def _mixing_entropy_r(c, of):
    return -xlogy(c, c).sum(axis=1) + 0.0  # not -0.0 for a pure element


def _mixing_entropy(c, of):
    return GAS_CONSTANT * _mixing_entropy_r(c, of)


def _size_difference(c, of):
    return 100 * of.deviation(c, "radius", relative=True)


def _omega(c, of):
    enthalpy = np.maximum(np.abs(_mixing_enthalpy(c, of)), SMALLEST_ENTHALPY)
    return of.mean(c, "melting_temperature") * _mixing_entropy(c, of) / (1000 * enthalpy)


def _lambda(c, of):
    return _mixing_entropy(c, of) / np.maximum(_size_difference(c, of), SMALLEST_SIZE_DIFFERENCE) ** 2


def _density(c, of):
    return of.mean(c, "atomic_weight") / of.mean(c, "molar_volume")


def _youngs_modulus(c, of):
    bulk, shear = of.mean(c, "bulk_modulus"), of.mean(c, "shear_modulus")
    return 9 * bulk * shear / (3 * bulk + shear)


@dataclass(frozen=True)
class Descriptor:
    """A column that the featurizer can make.

    Attributes
    ----------
    unit : str
    compute : callable
        ``compute(c, of)``, see above.
    needs : tuple of str
        Properties that every element of a row must have.
    pairs : bool
        Whether it needs the mixing enthalpy of every pair.
    default : bool
        Whether it is among the columns made by default.
    """

    unit: str
    compute: object
    needs: tuple = ()
    pairs: bool = False
    default: bool = True


def _mean_of(name, unit):
    return Descriptor(unit, lambda c, of: of.mean(c, name), (name,))


def _mismatch_of(name):
    return Descriptor("%", lambda c, of: 100 * of.deviation(c, name, relative=True), (name,))


#: Every descriptor by the name of its column.
DESCRIPTORS = {
    "mixing_enthalpy": Descriptor("kJ/mol", _mixing_enthalpy, pairs=True),
    "mixing_entropy": Descriptor("J/mol/K", _mixing_entropy),
    "mixing_entropy_R": Descriptor("R", _mixing_entropy_r, default=False),
    "size_difference": Descriptor("%", _size_difference, ("radius",)),
    "VEC": _mean_of("valence_electrons", "1/atom"),
    "electronegativity_difference": Descriptor(
        "Pauling", lambda c, of: of.deviation(c, "electronegativity", relative=False), ("electronegativity",)
    ),
    "omega": Descriptor("1", _omega, ("melting_temperature",), pairs=True),
    "lambda": Descriptor("J/mol/K/%^2", _lambda, ("radius",)),
    "melting_temperature": _mean_of("melting_temperature", "K"),
    "bulk_modulus": _mean_of("bulk_modulus", "GPa"),
    "shear_modulus": _mean_of("shear_modulus", "GPa"),
    "youngs_modulus": Descriptor("GPa", _youngs_modulus, ("bulk_modulus", "shear_modulus")),
    "bulk_modulus_mismatch": _mismatch_of("bulk_modulus"),
    "shear_modulus_mismatch": _mismatch_of("shear_modulus"),
    "density": Descriptor("g/cm3", _density, ("atomic_weight", "molar_volume")),
}


def atomic_fractions(amounts, atomic_weights, *, fractions):
    """Rows of amounts (n, k) as atomic fractions that sum to 1; with ``fractions="weight"`` they are weights."""
    if fractions == "weight":
        amounts = np.divide(amounts, atomic_weights, out=np.zeros_like(amounts), where=amounts > 0)
    return amounts / amounts.sum(axis=1, keepdims=True)
