"""
A formula for a table
=====================

Curves can be written down. From 442 patients and ten measurements (scikit-learn's diabetes table) to an equation of a
few terms, how much simpler ones lose, and the same equation as a database query.
"""

# %%
# From curves to functions
# ------------------------
# The model first, then its formula: every column's curve becomes a function in closed form, all constants are fitted
# together, and their digits are those that the standard errors support. A formula that is not faithful to the model
# is refused.

import matplotlib.pyplot as plt
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split

from kan_tabular import KAAMRegressor
from kan_tabular.plots import FormulaParetoDisplay, ShapeDisplay

X, y = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
X = X.rename(columns={"bmi": "body_mass_index", "bp": "blood_pressure", "s3": "hdl", "s5": "log_triglycerides"})
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)

model = KAAMRegressor(categorical_features=["sex"]).fit(X_train, y_train)
formula = model.to_symbolic(X_train, y_train)
print(formula.expression_)
print(formula.terms_[["feature", "formula", "share"]].to_string(index=False))

# %%
# On patients that neither has seen:

for name, fitted in (("model", model), ("formula", formula)):
    print(f"R2 of the {name}: {fitted.score(X_test, y_test):.3f}")

# %%
# What simpler formulas lose
# --------------------------
# Each version drops the terms that matter least. Losses are on held-out rows: where they hardly rise, terms can go.

FormulaParetoDisplay.from_estimator(formula)
short = formula.simplified(int((formula.pareto_["n_terms"] <= 4).argmax()))
print(formula.pareto_.round(1).to_string())
print(short.expression_)
print(f"R2 on new patients with {len(short.terms_)} terms: {short.score(X_test, y_test):.3f}")

# %%
# The same pictures
# -----------------
# A formula is an estimator, so all displays take it.

ShapeDisplay.from_estimator(short, list(short.terms_["feature"]), n_cols=2)

# %%
# Somewhere else
# --------------
# In a database, a spreadsheet, a paper: ``to_sql``, ``to_excel_formula``, ``latex``, and more.

print(short.to_sql("postgres"))

plt.show()
