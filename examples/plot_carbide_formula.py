"""
Which descriptor decides whether a carbide is one phase?
========================================================

53 high-entropy carbides, 34 of a single phase and 19 of several, with 14 descriptors of their composition (Zhang et al.
2022, npj Computational Materials 8: 5). A formula of a few terms, and how far it can be trusted with so few rows.

``python examples/plot_carbide_formula.py`` shows the pictures; with ``--out carbides.png`` the second is written
instead.
"""

# %%
# The table
# ---------
# It is read from ``../shared/data`` beside the project; it comes from the repository of the paper,
# ``jzhang-github/HECC_phase_prediction``, files ``docs/Input data.csv`` and ``ANN/y_data.txt``. Averages and standard
# deviations (sigma) are over the carbides that are mixed.

import argparse
import warnings
from collections import Counter
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import RepeatedStratifiedKFold

from kan_tabular import KAAMClassifier, SymbolicClassifier
from kan_tabular.plots import FormulaParetoDisplay

FOLDER = Path(__file__).resolve().parents[2] / "shared" / "data"
FILES = [FOLDER / f"hecc_carbide_{name}" for name in ("features_53.csv", "labels_53.txt")]
for file in FILES:
    if not file.exists():
        raise SystemExit(f"this example needs {file.name}, which is not in ../shared/data beside the project.")

X = pd.read_csv(FILES[0]).drop(columns="Material")
y = np.where(np.loadtxt(FILES[1]).astype(int) == 0, "single phase", "several phases")

# %%
# The formula
# -----------
# It gives the log-odds of a single phase.

formula = SymbolicClassifier().fit(X, y)
print(formula.expression_)
print(formula.terms_[["feature", "formula", "share"]].to_string(index=False))

# %%
# What simpler formulas lose
# --------------------------
# Each version drops the term that matters least.

pareto = FormulaParetoDisplay.from_estimator(formula)
print(formula.pareto_.round(3).to_string(index=False))

# %%
# How sure?
# ---------
# Everything is done again without the rows that are to be predicted: the choice of the descriptors, too.

splits = list(RepeatedStratifiedKFold(n_splits=5, n_repeats=4, random_state=0).split(X, y))
scores, chosen, first = [], Counter(), Counter()
for train, test in splits:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        additive = KAAMClassifier().fit(X.iloc[train], y[train])
        full = SymbolicClassifier().fit(X.iloc[train], y[train])
    one = full.simplified(int((full.pareto_["n_terms"] == 1).argmax()))
    chosen.update(full.terms_["feature"])
    first.update(one.terms_["feature"])
    models = {"additive model": additive, "formula": full, "its first term": one}
    scores.append({k: roc_auc_score(y[test], m.decision_function(X.iloc[test])) for k, m in models.items()})
scores = pd.DataFrame(scores)
for name, column in scores.items():
    print(f"AUC, {name}: {column.mean():.3f} (standard deviation of {len(splits)} folds {column.std():.3f})")
print("in how many of the formulas: " + ", ".join(f"{k} {n}" for k, n in chosen.most_common(6)))
print("alone: " + ", ".join(f"{k} {n}" for k, n in first.most_common()))

# %%
# Descriptors say much the same as each other, so that others may stand in for them:

concurvity = KAAMClassifier().fit(X, y).concurvity().loc[list(formula.terms_["feature"])]
print(concurvity.round(2))

# %%
# To be read off
# --------------
# Where the formula of the two descriptors that matter most is at even odds.

two = formula.simplified(int((formula.pareto_["n_terms"] == 2).argmax()))
names = list(two.terms_.sort_values("share", ascending=False)["feature"])
grid = [np.linspace(X[c].min() - 0.05 * np.ptp(X[c]), X[c].max() + 0.05 * np.ptp(X[c]), 200) for c in names]
mesh = np.meshgrid(*grid)
rows = pd.DataFrame({c: np.full(mesh[0].size, X[c].median()) for c in X}).assign(
    **{c: m.ravel() for c, m in zip(names, mesh, strict=True)}
)
figure, ax = plt.subplots(figsize=(5.6, 4.2), layout="constrained")
ax.contour(*grid, two.decision_function(rows).reshape(mesh[0].shape), levels=[0.0], colors="0.4", linewidths=1.2)
for label, mark, colour in (("single phase", "o", "#0072B2"), ("several phases", "^", "#D55E00")):
    own = X[y == label]
    ax.plot(own[names[0]], own[names[1]], mark, ms=5, alpha=0.8, color=colour, label=f"{label} ({len(own)})")
ax.set(xlabel=names[0], ylabel=names[1])
ax.legend(frameon=False)
print(f"{two.expression_}: {(two.predict(X) == y).sum()} of {len(y)} on the right side")

# %%
# As points
# ---------

card = formula.to_scorecard(X, y, max_bands=3, max_points=4)
print(card.to_markdown())

# %%

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Draw what decides the phase of a carbide.")
    parser.add_argument("--out", help="picture file to write, e.g. carbides.png")
    out = parser.parse_args().out
    if out:
        figure.savefig(out, dpi=150, bbox_inches="tight")
    else:
        plt.show()
