"""
Are the probabilities right, and are they useful?
=================================================

Who of 442 patients with diabetes will be among the quarter that gets worse fastest? Three models give probabilities,
on patients that they have not seen: are these true to the frequencies, and would acting on them do more good than
harm? The table ships with scikit-learn.
"""

# %%
# The question
# ------------
# The score of progression is cut at its upper quartile, and half of the patients are kept aside.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split

from kan_tabular import KAAMClassifier, metrics
from kan_tabular.plots import CalibrationCurveDisplay, DecisionCurveDisplay, SortedProbabilityDisplay

X, progression = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
y = np.where(progression > progression.quantile(0.75), "fast", "slow")
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.5, stratify=y, random_state=0)

# %%
# Three models: all columns, body mass index alone, and a forest.

all_columns = KAAMClassifier(categorical_features=["sex"]).fit(X_train, y_train)
one_column = KAAMClassifier().fit(X_train[["bmi"]], y_train)
forest = RandomForestClassifier(500, random_state=0).fit(X_train, y_train)
fast = list(all_columns.classes_).index("fast")
probabilities = {
    "all columns": all_columns.predict_proba(X_test)[:, fast],
    "body mass index": one_column.predict_proba(X_test[["bmi"]])[:, fast],
    "forest": forest.predict_proba(X_test)[:, fast],
}

# %%
# Telling patients apart
# ----------------------
# With an interval, since 221 patients are not many.

for name, p in probabilities.items():
    auc, low, high = metrics.auc_interval(y_test, p, pos_label="fast")
    print(f"AUC, {name}: {auc:.3f} (95% interval {low:.3f} to {high:.3f})")

# %%
# Calibration
# -----------
# Of the patients with a probability of 30%, do 30% get worse fast? A slope below 1 means that the probabilities are
# too extreme, an intercept above 0 that they are too low on the whole. The curve has a band, and the histogram shows
# how many patients there are.

measures = metrics.calibration_measures(y_test, probabilities["all columns"], pos_label="fast")
print(f"slope {measures.slope.value:.2f} ({measures.slope.low:.2f} to {measures.slope.high:.2f})")
CalibrationCurveDisplay.from_estimator(all_columns, X_test, y_test, class_="fast")

# %%
# Sorted
# ------
# Each bar is a patient, in the order of the model's probability, coloured by what happened.

SortedProbabilityDisplay.from_estimator(all_columns, X_test, y_test, class_="fast")

# %%
# Decisions
# ---------
# Net benefit: true positives, less the false ones at the price that the threshold states. A model is worth using at a
# threshold where its curve is above both treating everyone and treating no one.

thresholds = np.arange(1, 71) / 100
DecisionCurveDisplay.from_predictions(y_test, probabilities, pos_label="fast", thresholds=thresholds)

plt.show()
