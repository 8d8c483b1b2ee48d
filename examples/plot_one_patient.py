"""
One patient among others
========================

A probability is not an answer to "why?", and not to "have you seen anyone like this before?". Three pictures of one
breast mass: where it stands on the model's curves, its profile beside an average mass, and the known masses that the
model takes for alike. The table ships with scikit-learn.
"""

# %%
# The model, and the cases it may show
# ------------------------------------
# A model keeps no rows. :class:`~kan_tabular.explain.SimilarCases` does, on purpose.

import matplotlib.pyplot as plt
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

from kan_tabular import KAAMClassifier
from kan_tabular.explain import SimilarCases
from kan_tabular.plots import NeighborDisplay, PatientDisplay, RadarDisplay

data = load_breast_cancer(as_frame=True)
X, y = data.data, data.target_names[data.target]
X_known, X_new, y_known, y_new = train_test_split(X, y, stratify=y, random_state=0)
model = KAAMClassifier().fit(X_known, y_known)
cases = SimilarCases(model, n_neighbors=10).fit(X_known, y_known, ids=X_known.index)

# %%
# The patient: the new mass of which the model is least sure.

probability = model.predict_proba(X_new)[:, 1]
row = abs(probability - 0.5).argmin()
patient = X_new.iloc[[row]]
print(f"probability of malignant: {probability[row]:.2f}")

# %%
# Where the patient stands
# ------------------------
# The six curves that matter most, the patient's value on each, and those of similar cases.

PatientDisplay.from_estimator(model, X_new, row=row, cases=cases)

# %%
# The profile
# -----------
# A spoke a column: the probability if this column alone were the patient's and all others average. The faint lines
# are the nearest cases.

nearest = cases.kneighbors(patient, 5)[1][0]
RadarDisplay.from_estimator(model, X_new, row=row, neighbors=X_known.iloc[nearest])

# %%
# Who was like this, and what became of them?
# -------------------------------------------
# Two masses are alike if the model draws the same conclusions from them. Cells are shaded where they differ.

NeighborDisplay.from_estimator(cases, X_new, row=row, n_neighbors=5, max_features=10)
print(cases.outcomes(patient).to_string(index=False))

# %%
# And is there any case like it at all? Distances to the nearest case are compared with those that the cases have to
# each other.

print(cases.novelty(patient).to_string(index=False))
print(f"it was {y_new[row]}")

plt.show()
