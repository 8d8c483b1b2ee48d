"""Errors and warnings of kan_tabular; every error is a ``ValueError``."""

__all__ = ["DataError", "FidelityError", "ModelFileError", "UnseenCategoryWarning"]


class DataError(ValueError):
    """A table or target that cannot be used as it is; the message names the column and says what to do."""


class FidelityError(ValueError):
    """No formula reaches the fidelity that was asked for."""


class ModelFileError(ValueError):
    """A model file that is damaged, foreign, or written by a newer version."""


class UnseenCategoryWarning(UserWarning):
    """Levels met at prediction that were absent in training; they contribute nothing."""
