"""Properties of the elements and enthalpies of their pairs, from the tables of hea-bench.

All of it comes from the library ``hea-bench`` (MIT; pair enthalpies and Miedema's parameters there from matminer,
BSD-3-Clause), in the extra ``materials``. Nothing is filled in: what the library does not have is missing.
"""

import numbers
from contextlib import suppress
from functools import cache

import numpy as np
import pandas as pd

from kan_tabular.materials.formulas import SYMBOLS

#: Columns of `element_properties` and their units.
PROPERTIES = {
    "atomic_weight": "g/mol",
    "radius": "pm",
    "melting_temperature": "K",
    "valence_electrons": "1/atom",
    "electronegativity": "Pauling",
    "molar_volume": "cm3/mol",
    "bulk_modulus": "GPa",
    "shear_modulus": "GPa",
}

#: What the tables leave out on purpose for elements that sit between a metal's atoms: they have no metallic radius and
#: (C, N) no melting point at 1 atm. For ``CompositionFeaturizer(properties=INTERSTITIALS)``, by the user's choice:
#: radii in metallic glasses (Miracle et al. 2010, International Materials Reviews 55, 218,
#: doi:10.1179/095066010X12646898728200), Pauling's electronegativities, s and p electrons. Melting points stay out.
INTERSTITIALS = {
    "B": {"radius": 88.0, "electronegativity": 2.04, "valence_electrons": 3.0},
    "C": {"radius": 77.0, "electronegativity": 2.55, "valence_electrons": 4.0},
    "N": {"radius": 72.0, "electronegativity": 3.04, "valence_electrons": 5.0},
}


def element_properties():
    """What is known of each element.

    Returns
    -------
    table : DataFrame of shape (118, 8)
        One row an element, in order of atomic numbers, columns as in `PROPERTIES`; NaN where the library has no value.

        - ``atomic_weight``: IUPAC/CIAAW abridged standard atomic weights, 2021.
        - ``radius``: metallic, for 12 neighbours (Goldschmidt; Teatum, Gschneidner & Waber 1968, LA-4003).
        - ``melting_temperature``: at 1 atm (CRC Handbook).
        - ``valence_electrons``: s and d (p) electrons, as in Guo et al. 2011, J. Appl. Phys. 109, 103505.
        - ``electronegativity``: Pauling's scale.
        - ``molar_volume``, ``bulk_modulus``, ``shear_modulus``: the table of Miedema's model (de Boer et al. 1988,
          Cohesion in Metals).

    Raises
    ------
    ImportError
        Without the extra ``materials``.
    """
    return _properties().copy()


def pair_enthalpies():
    """Mixing enthalpy of the liquid alloys of two elements, half of the atoms each.

    Returns
    -------
    table : DataFrame of shape (118, 118)
        kJ/mol, whole numbers, symmetric with a diagonal of 0; NaN for pairs that the library does not have. By
        Miedema's model (de Boer et al. 1988); the same model's values are printed in Takeuchi & Inoue 2005, Materials
        Transactions 46, 2817.

    Raises
    ------
    ImportError
        Without the extra ``materials``.
    """
    return _pairs().copy()


def merge_properties(properties):
    """`element_properties` with cells replaced by a user's.

    Parameters
    ----------
    properties : dict of dict, DataFrame or None
        ``{symbol: {property: value}}``, or a DataFrame with symbols as index; None and NaN leave a cell as it is.
    """
    table = element_properties()
    if properties is None:
        return table
    if isinstance(properties, pd.DataFrame):
        properties = properties.to_dict("index")
    if not isinstance(properties, dict) or not all(isinstance(row, dict) for row in properties.values()):
        raise TypeError(
            "properties must be a dict as {'C': {'radius': 77}} or a DataFrame with element symbols as index; "
            f"got {type(properties).__name__}."
        )
    for symbol, row in properties.items():
        if symbol not in table.index:
            raise ValueError(f"properties has {symbol!r}, which is no element.")
        for name, value in row.items():
            if name not in PROPERTIES:
                raise ValueError(f"properties[{symbol!r}] has {name!r}; choose from {', '.join(PROPERTIES)}.")
            if pd.isna(value):
                continue
            if not isinstance(value, numbers.Real) or not 0 < value < np.inf:
                raise ValueError(
                    f"properties[{symbol!r}][{name!r}] must be a positive number ({PROPERTIES[name]}); got {value!r}."
                )
            table.loc[symbol, name] = value
    return table


@cache
def _properties():
    library = _library()
    rows = []
    for symbol in SYMBOLS:
        known, mechanics = library.elements.get(symbol), library.mechanics(symbol)
        base = (known.radius_pm, known.melting_K, known.valence, known.electronegativity) if known else [np.nan] * 4
        # A 0 in the table of Miedema's model means that there is no value.
        moduli = [np.nan] * 3
        if mechanics:
            values = (mechanics.molar_volume_cm3, mechanics.bulk_modulus_gpa, mechanics.shear_modulus_gpa)
            moduli = [value or np.nan for value in values]
        rows.append([library.weights.get(symbol, np.nan), *base, *moduli])
    return pd.DataFrame(rows, index=list(SYMBOLS), columns=list(PROPERTIES), dtype=float)


@cache
def _pairs():
    library = _library()
    covered = library.covered()
    table = np.full((len(SYMBOLS), len(SYMBOLS)), np.nan)
    np.fill_diagonal(table, 0.0)
    for i, first in enumerate(SYMBOLS):
        for j, second in enumerate(SYMBOLS[:i]):
            if first in covered and second in covered:
                # Some pairs are missing, such as Th-U.
                with suppress(KeyError):
                    table[i, j] = table[j, i] = library.pair(first, second)
    return pd.DataFrame(table, index=list(SYMBOLS), columns=list(SYMBOLS))


class _library:
    """The names that are read from hea-bench, in one place."""

    def __init__(self):
        try:
            from hea_bench.descriptors.data.elemental import ELEMENTAL_DATA
            from hea_bench.descriptors.data.mechanics import mechanics
            from hea_bench.descriptors.data.pair_enthalpies import covered_elements, pair_enthalpy
            from hea_bench.properties.data.atomic_masses import ATOMIC_MASS_G_MOL
        except ImportError as error:
            raise ImportError(
                "Properties of elements come from the library hea-bench, which is not installed: "
                "pip install 'kan-tabular[materials]'."
            ) from error
        self.elements, self.weights = ELEMENTAL_DATA, ATOMIC_MASS_G_MOL
        self.mechanics, self.pair, self.covered = mechanics, pair_enthalpy, covered_elements
