"""
A formula shows what a target is made of
========================================

Two tables of one paper (Poonia et al. 2023, Scientific Reports 13: 20504): 1887 alloys that are high-entropy alloys or
not, and 1149 alloys with a bulk modulus. Two questions. Can a network of curves tell the first from fractions of
elements alone, better than a perceptron or trees? And what is a model worth that predicts the second almost perfectly?
A formula answers that one: the modulus is no measurement, but the average of the moduli of the elements, in which
elements without a value count as 0.

Networks of curves have been reported to match or beat perceptrons at both (Bandyopadhyay, Avlani & Zhuang 2024, arXiv
2410.08452; very likely on these tables).
"""

# %%
# High-entropy alloy or not
# -------------------------
# Both tables are downloaded the first time. The label says whether a solid solution forms, not how many elements there
# are: there are "high-entropy" alloys of two.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import get_scorer
from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from kan_tabular import KAAMClassifier, KAAMRegressor, LogisticKAN
from kan_tabular.datasets import fetch_hea_bulk_modulus, fetch_hea_vs_nonhea

labelled = fetch_hea_vs_nonhea()
count = (labelled.data > 0).sum(axis=1)
kind = np.array(labelled.target_names)[labelled.target]
print(pd.crosstab(count, kind, rownames=["elements"], colnames=["alloys"]).to_string())

# %%
# How well, beside others, and in which folds?
# --------------------------------------------
# Random folds, and folds that keep all alloys of the same elements together. The network has half of its usual members,
# to be quick.


def compare(models, scoring, X, y, groups, random, together):
    """Mean score (and standard deviation over the folds) of each model in random folds and in folds of whole groups."""
    scorer, table = get_scorer(scoring), {}
    ways = {"random folds": random.split(X, y), "same elements together": together.split(X, y, groups)}
    for way, folds in ways.items():
        scores = {name: [] for name in models}
        for train, test in folds:
            for name, model in models.items():
                fitted = clone(model).fit(X.iloc[train], y.iloc[train])
                scores[name].append(scorer(fitted, X.iloc[test], y.iloc[test]))
        table[way] = {name: f"{np.mean(own):.3f} ({np.std(own, ddof=1):.3f})" for name, own in scores.items()}
    return pd.DataFrame(table)


of_five = {"n_splits": 5, "shuffle": True, "random_state": 0}
classifiers = {
    "LogisticKAN": LogisticKAN(n_estimators=4, random_state=0),
    "KAAM": KAAMClassifier(),
    "logistic regression": make_pipeline(StandardScaler(), LogisticRegression()),
    "perceptron": make_pipeline(StandardScaler(), MLPClassifier(early_stopping=True, random_state=0)),
    "random forest": RandomForestClassifier(200, random_state=0),
    "boosting": HistGradientBoostingClassifier(random_state=0),
}
own = (labelled.data, labelled.target, labelled.groups)
print("AUC")
print(compare(classifiers, "roc_auc", *own, StratifiedKFold(**of_five), StratifiedGroupKFold(**of_five)).to_string())
sizes = pd.Series(labelled.groups).value_counts()
print(f"{len(sizes)} sets of elements in {len(labelled.data)} alloys; the largest have {list(sizes[:3])} alloys")

# %%
# The bulk modulus
# ----------------
# All columns but the fractions of elements are left aside.

moduli_table = fetch_hea_bulk_modulus()
X, y, system = moduli_table.data.loc[:, "Ag":], moduli_table.target, moduli_table.groups
print(f"{len(X)} alloys of {X.shape[1]} elements; fractions sum to {X.sum(axis=1).min():g} ... {X.sum(axis=1).max():g}")
print(f"{len(X.drop_duplicates())} compositions, {len(set(system))} sets of elements")

perceptron = make_pipeline(StandardScaler(), MLPRegressor(early_stopping=True, max_iter=1000, random_state=0))
regressors = {
    "KAAM": KAAMRegressor(),
    "straight line": LinearRegression(),
    "perceptron": TransformedTargetRegressor(perceptron, transformer=StandardScaler()),
    "random forest": RandomForestRegressor(200, random_state=0),
}
print("R2")
print(compare(regressors, "r2", X, y, system, KFold(**of_five), GroupKFold(**of_five)).to_string())

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
far = pd.read_csv(moduli_table.filename)["Alloy"][error > 1].str.strip()
print(f"still further away than 1 GPa: {', '.join(far)}")

# %%
# The target of any alloy with zirconium, whose modulus is about 90 GPa, is too low.

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
# What can be concluded, and what not
# -----------------------------------
# - High-entropy alloy or not: from fractions alone the network of curves and the trees are about level, ahead of the
#   perceptron and far ahead of what only adds up (KAAM, logistic regression), so elements act together. Differences of
#   a hundredth are within the spread of the folds.
# - Nearly every alloy has elements of its own, so keeping the same elements together changes one fold: the one that has
#   the family of 42 alloys of Al, Co, Cr, Cu, Fe and Ni, all of them high-entropy. A model that has never seen that
#   family does worse on it; a mean over folds hides that.
# - Bulk modulus: nothing was measured, so no model of it says anything about alloys, however good its R2. A straight
#   line wins because the target is one. The forest does worse on new elements than in random folds; there it has
#   neighbours of the same elements to copy from, and still it has not found the law.
# - Before comparing models on a target, look at what it is made of: a formula is a quick way.

plt.show()
