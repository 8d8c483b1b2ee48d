"""The structure that every estimator yields and that everything a user sees is read from."""
