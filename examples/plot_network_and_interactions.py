"""
Columns that act together
=========================

An additive model cannot know that the effect of one column depends on another. A network of curves can, and says
which columns act together. The table is simulated (Friedman's first function, in scikit-learn), so the truth is
known: ``10 sin(pi x0 x1) + 20 (x2 - 0.5)^2 + 10 x3 + 5 x4``, and two columns that do nothing.
"""

# %%
# Two models
# ----------

import matplotlib.pyplot as plt
import pandas as pd
from sklearn.datasets import make_friedman1

from kan_tabular import KAAMRegressor, KANRegressor
from kan_tabular.plots import InteractionDisplay, NetworkDisplay, ShapeDisplay

values, y = make_friedman1(n_samples=500, n_features=7, noise=1.0, random_state=0)
X = pd.DataFrame(values, columns=[f"x{k}" for k in range(7)])
train, test = slice(0, 300), slice(300, None)

additive = KAAMRegressor().fit(X[train], y[train])
network = KANRegressor(n_estimators=2, max_iter=60, random_state=0).fit(X[train], y[train])
for name, model in (("additive model", additive), ("network", network)):
    print(f"R2 on 200 new rows, {name}: {model.score(X[test], y[test]):.3f}")

# %%
# What was trained, how well it did on rows it did not see, and how much it counts: if nothing interacted, the
# additive part would carry the prediction.

print(pd.DataFrame(network.candidates_).round(3).to_string(index=False))

# %%
# Which columns act together
# --------------------------
# The strength of a pair is what both do together and neither does alone.

pairs = network.interactions(X[train])
print(pairs.head(4).round(3).to_string(index=False))
InteractionDisplay.from_estimator(network, X[train], n_pairs=2)

# %%
# The main effects
# ----------------
# Drawn without bands: a network has none.

ShapeDisplay.from_estimator(network, ["x0", "x1", "x2", "x3", "x4", "x5"])

# %%
# The network itself
# ------------------
# One of its members, a smaller one for the picture, with a curve on every edge.

small = KANRegressor(hidden_layer_sizes=(4,), n_estimators=2, max_iter=60, random_state=0).fit(X[train], y[train])
NetworkDisplay.from_estimator(small, max_features=7)
print(f"R2 on 200 new rows, four hidden nodes: {small.score(X[test], y[test]):.3f}")

plt.show()
