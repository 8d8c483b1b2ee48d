"""
An additive model, read
=======================

What makes a breast mass look malignant to a model? 569 masses, thirty measurements of cell nuclei each; the table
ships with scikit-learn. The model is a sum of curves, so reading the curves is reading the model.
"""

# %%
# The table
# ---------
# Ten properties of the nuclei, each as mean, standard error and worst (largest) value. The two classes get their
# names, and the second in alphabetical order, *malignant*, is the one whose probability is modelled.

import matplotlib.pyplot as plt
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

from kan_tabular import KAAMClassifier
from kan_tabular.metrics import auc_interval
from kan_tabular.plots import ContributionDisplay, ImportanceDisplay, ShapeDisplay

data = load_breast_cancer(as_frame=True)
X, y = data.data, data.target_names[data.target]
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)

# %%
# The model
# ---------
# Nothing is scaled and nothing is tuned. On masses that it has not seen:

model = KAAMClassifier().fit(X_train, y_train)
auc, low, high = auc_interval(y_test, model.predict_proba(X_test)[:, 1])
print(f"AUC on {len(y_test)} masses: {auc:.3f} (95% interval {low:.3f} to {high:.3f})")

# %%
# What matters
# ------------
# A bar is the mean size of what a column adds to the log-odds, as a share of the whole.

ImportanceDisplay.from_estimator(model, max_features=12)

# %%
# In what shape
# -------------
# Each curve is what one column adds to the log-odds of *malignant*, given the others: 0 is the average mass. The darker
# band is pointwise, the lighter one is for the curve as a whole, and the strip below shows where the masses are. Here
# straight lines are enough, which the model found out by itself: 426 masses that are nearly separable do not support
# more. (:ref:`Diabetes <sphx_glr_auto_examples_plot_diabetes.py>` has bends.)

ShapeDisplay.from_estimator(model, n_cols=3)

# %%
# How far to trust a single curve
# -------------------------------
# Radius, perimeter and area are nearly the same measurement. The prediction does not suffer from that, but how their
# common effect is split among their curves is arbitrary. Concurvity near 1 says that the other columns could tell the
# same story.

print(model.concurvity().loc[model.summary().index[:8]].round(2).to_string())

# %%
# One mass
# --------
# The same curves, read at the values of the mass whose probability is nearest to one half, add up to its prediction:
# nothing is approximated.

unsure = abs(model.predict_proba(X_test)[:, 1] - 0.5).argmin()
ContributionDisplay.from_estimator(model, X_test, row=unsure)
print(f"probability of malignant {model.predict_proba(X_test)[unsure, 1]:.2f}; it was {y_test[unsure]}")

plt.show()
