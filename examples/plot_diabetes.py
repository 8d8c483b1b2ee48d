"""
Curves of a diabetes study
==========================

Which measurements go with a faster course of diabetes, and in what shape? The table ships with scikit-learn: 442
patients, ten measurements at baseline, and a score of how far the disease had moved on one year later.

``python examples/plot_diabetes.py`` shows the pictures; with ``--out shapes.png`` it writes the first one instead.
"""

# %%
# The table
# ---------
# ``scaled=False`` gives the measurements in their own units. The blood tests are called s1 to s6; they get the
# names that the description of the data gives them (for s5: "possibly log of serum triglycerides").

import argparse

import matplotlib.pyplot as plt
from sklearn.datasets import load_diabetes

from kan_tabular import KAAMRegressor
from kan_tabular.plots import ContributionDisplay, ShapeDisplay

X, y = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
X = X.rename(
    columns={
        "bmi": "body mass index",
        "bp": "mean blood pressure",
        "s1": "total cholesterol",
        "s2": "LDL cholesterol",
        "s3": "HDL cholesterol",
        "s4": "total / HDL",
        "s5": "log triglycerides",
        "s6": "glucose",
    }
)

# %%
# The model
# ---------
# Sex is coded 1 and 2 in this table, so it has to be named as a category.

model = KAAMRegressor(categorical_features=["sex"]).fit(X, y)
print(model.summary())

# %%
# Shapes
# ------
# Each panel shows what one column adds to the predicted score, the pointwise (darker) and simultaneous (lighter) 95%
# bands, and below them where the patients are. All panels share one scale, so a flat curve matters little.

shapes = ShapeDisplay.from_estimator(
    model, ["log triglycerides", "body mass index", "mean blood pressure", "age", "glucose", "sex"]
)

# %%
# The cholesterol columns are left out of the picture: they are nearly functions of each other, and how the model splits
# a common effect among them is arbitrary. `concurvity` says so.

print(model.concurvity())

# %%
# One patient
# -----------
# The same curves, read at the values of one patient, add up to the prediction.

contributions = ContributionDisplay.from_estimator(model, X, row=3)

# %%

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Draw the curves of the diabetes model.")
    parser.add_argument("--out", help="picture file to write, e.g. shapes.png")
    out = parser.parse_args().out
    if out:
        shapes.figure_.savefig(out, dpi=150, bbox_inches="tight")
    else:
        plt.show()
