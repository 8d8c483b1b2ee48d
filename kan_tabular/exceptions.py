"""Errors and warnings that users may want to catch by name."""


class DataError(ValueError):
    """A table that cannot be used as it is; the message names the column and the way out."""


class ColumnTypeError(TypeError):
    """A column of a type that no model here can read."""


class ModelFileError(ValueError):
    """A file that is not an intact model of this package."""


class UnseenCategoryWarning(UserWarning):
    """A category level that the training data did not have."""


class FormulaError(ValueError):
    """A formula that cannot be built, evaluated everywhere, or written in the language asked for."""


class FidelityError(ValueError):
    """No formula is as faithful to the model as asked."""


class LiveModelError(ValueError):
    """A model that a page cannot compute by itself; the message says why, in words for the page's reader too."""


class DatasetError(OSError, ValueError):
    """A data set that could not be had, or a file that is not the one its card describes."""


class CompositionError(ValueError):
    """A composition string that cannot be read; the message names the position, counted from 1."""


class MissingPropertyWarning(UserWarning):
    """An element without a property that a descriptor needs; the message names both."""


class UnseenElementWarning(UserWarning):
    """An element that the training data did not have."""
