"""scikit-learn estimators: encode, solve, keep the fitted network."""
