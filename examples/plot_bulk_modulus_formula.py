"""
A formula shows what a target is made of
========================================

A table of 1149 alloys (Poonia et al. 2023, Scientific Reports 13: 20504) has mole fractions of 57 elements and a bulk
modulus, and models predict it almost perfectly. A formula says why: it is no measurement, but the average of the moduli
of the elements, in which elements without a value count as 0.

``python examples/plot_bulk_modulus_formula.py`` shows the picture; with ``--out moduli.png`` it is written instead.
"""

# %%
# The table
# ---------
# It is read from ``../shared/data`` beside the project; it comes from the repository of the paper,
# ``anshpoonia/Design-of-High-Bulk-Moduli-High-Entropy-Alloys-using-ML``, file ``HEA_BulkModulus.csv``.

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.model_selection import GroupShuffleSplit

from kan_tabular import KAAMRegressor

FILE = Path(__file__).resolve().parents[2] / "shared" / "data" / "hea_bulk_modulus_1149.csv"
if not FILE.exists():
    raise SystemExit(f"this example needs {FILE.name}, which is not in ../shared/data beside the project.")

table = pd.read_csv(FILE)
X, y = table.loc[:, "Ag":], table["BulkModulus (GPa)"]
X = X.loc[:, (X > 0).any()]
print(f"{len(X)} alloys of {X.shape[1]} elements; fractions sum to {X.sum(axis=1).min():g} ... {X.sum(axis=1).max():g}")

# %%
# How well does it predict alloys of other elements?
# --------------------------------------------------
# All alloys of the same elements stay on one side of the split.

system = (X > 0).apply(lambda row: " ".join(X.columns[row]), axis=1)
train, test = next(GroupShuffleSplit(1, test_size=0.2, random_state=0).split(X, y, system))
additive = KAAMRegressor().fit(X.iloc[train], y.iloc[train])
print(f"R2 on {len(test)} alloys of other systems: {additive.score(X.iloc[test], y.iloc[test]):.4f}")

# %%
# The formula
# -----------
# The search is free to choose among all functions, and what it chooses is nearly always a straight line.

model = KAAMRegressor().fit(X, y)
free = model.to_symbolic(X, y)
others = free.terms_[free.terms_["function"] != "linear"]
print(f"{len(free.terms_)} terms, {len(free.terms_) - len(others)} of them straight lines")
print(others[["feature", "formula", "share"]].to_string(index=False))

# %%
# So all of them are straight lines. As fractions sum to 1, a constant can be moved between the slopes and the additive
# constant at will; what can be read is the prediction for a pure element.

formula = model.to_symbolic(X, y, candidates=["linear"])
print(f"R2 with the model {formula.fidelity_['r2_model']:.4f}")
print(f"R2 with the target: model {model.score(X, y):.4f}, formula {formula.score(X, y):.4f}")
moduli = pd.Series(formula.predict(pd.DataFrame(np.eye(X.shape[1]), columns=X.columns)), X.columns)

# %%
# Beside them the moduli that the descriptors of Magpie have for elements (Ward et al. 2016, npj Computational Materials
# 2: 16028; file ``BulkModulus.table``), in GPa. It has no value for gallium, germanium, indium, nitrogen, strontium and
# zirconium.

MAGPIE = pd.Series(
    {
        **{"Ag": 100, "Al": 76, "Au": 220, "B": 320, "Be": 130, "Bi": 31, "C": 33, "Ca": 17, "Cd": 42, "Ce": 22},
        **{"Co": 180, "Cr": 160, "Cu": 140, "Dy": 41, "Er": 44, "Fe": 170, "Gd": 38, "Hf": 110, "Ho": 40, "La": 28},
        **{"Li": 11, "Lu": 48, "Mg": 45, "Mn": 120, "Mo": 230, "Na": 6.3, "Nb": 170, "Nd": 32, "Ni": 180, "P": 11},
        **{"Pb": 46, "Pd": 180, "Pr": 29, "Pt": 230, "Re": 370, "Rh": 380, "Ru": 220, "Sb": 42, "Sc": 57, "Si": 100},
        **{"Sm": 38, "Sn": 58, "Ta": 200, "Tb": 38.7, "Ti": 110, "Tm": 45, "V": 160, "W": 310, "Y": 41, "Yb": 31},
        "Zn": 70,
    }
)
known = MAGPIE.reindex(X.columns)
absent = known.index[known.isna()]
distance = (moduli - known).abs()
print(f"formula and Magpie, {known.notna().sum()} elements: median distance {distance.median():.2f} GPa")
print(
    "further apart than 3 GPa: " + ", ".join(f"{e} {moduli[e]:.0f} ({known[e]:.0f})" for e in known[distance > 3].index)
)
print("elements without a value: " + ", ".join(f"{e} {abs(moduli[e]):.1f}" for e in absent))

# %%
# The mean of Magpie's values, weighed by mole fractions and with 0 where there is none, *is* the target, but for alloys
# with boron. There the formula knows better which value was used: with its own for boron, nearly all rows are exact.

for name, boron in (("Magpie", known["B"]), ("the formula", moduli["B"].round())):
    error = (y - X @ known.fillna(0.0).where(known.index != "B", boron)).abs()
    print(f"B {boron:g} GPa, as {name} has it: {(error < 0.01).mean():.1%} of the rows within 0.01 GPa of the mean")
print(f"still further away than 1 GPa: {', '.join(table['Alloy'][error > 1].str.strip())}")

# %%
# So a model learns nothing about alloys here, however good its R2, and the target of any alloy with zirconium (whose
# modulus is about 90 GPa) is too low.

lacking = (X[absent] > 0).any(axis=1).mean()
print(f"alloys with an element that counts as 0: {lacking:.1%}, with Zr {(X['Zr'] > 0).mean():.1%}")

# %%
# The picture
# -----------

figure, ax = plt.subplots(figsize=(5.6, 4.6), layout="constrained")
ax.axline((0, 0), slope=1, lw=1, color="0.6")
ax.plot(known.dropna(), moduli[known.notna()], "o", ms=5, label="elements with a value")
ax.plot(np.zeros(len(absent)), moduli[absent], "D", ms=5, label=f"without: {', '.join(absent)}")
for element in known[distance > 10].index:
    ax.annotate(element, (known[element], moduli[element]), xytext=(6, -3), textcoords="offset points")
ax.set(xlabel="bulk modulus of the element in Magpie's table, GPa", ylabel="what the formula gives for it pure, GPa")
ax.legend(frameon=False)

# %%

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Draw the moduli of elements that a formula finds.")
    parser.add_argument("--out", help="picture file to write, e.g. moduli.png")
    out = parser.parse_args().out
    if out:
        figure.savefig(out, dpi=150, bbox_inches="tight")
    else:
        plt.show()
