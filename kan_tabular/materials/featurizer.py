"""CompositionFeaturizer: compositions become descriptors, behind the transformer API of scikit-learn."""

import warnings

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from kan_tabular.exceptions import DataError, MissingPropertyWarning, UnseenElementWarning
from kan_tabular.materials.compositions import find_composition, read_amounts, read_frame
from kan_tabular.materials.descriptors import DESCRIPTORS, Properties, atomic_fractions
from kan_tabular.materials.elements import merge_properties, pair_enthalpies
from kan_tabular.materials.formulas import SYMBOLS, check_fractions


class CompositionFeaturizer(TransformerMixin, BaseEstimator):
    """Turn compositions of alloys into descriptors with units.

    The composition is a column of formulas (``"Al0.5CoCrFeNi"``), or columns of fractions that are called like elements
    and add up to 1 or 100 in every row. Definitions and sources of the descriptors are in the documentation
    (``docs/materials.md``). Properties of the elements come from the library hea-bench (extra ``materials``).

    Parameters
    ----------
    composition : str, list of str or None, default=None
        The column with formulas, or the columns with fractions. None: the only column of the table, or all columns that
        are called like elements.
    fractions : {"atomic", "weight"}, default="atomic"
        Whether formulas and fractions count atoms or weights. ``"Ti-6Al-4V"`` is read only as weights.
    descriptors : "default" or list of str, default="default"
        Columns to make: names of ``kan_tabular.materials.DESCRIPTORS``. By default all but ``mixing_entropy_R``, which
        is ``mixing_entropy`` in other units.
    elements : "seen", list of str or None, default="seen"
        Elements whose atomic fractions become columns: those of the training table, those named, or none. The fractions
        add up to 1 and fix all means exactly, so a model that gets both shares an effect among them.
    properties : dict, DataFrame or None, default=None
        Properties to use in place of the library's, ``{"C": {"radius": 77}}``, in the units of
        ``kan_tabular.materials.PROPERTIES``; for example ``kan_tabular.materials.INTERSTITIALS``.
    normalize : bool, default=False
        Whether rows of fractions that do not add up to 1 or 100 (within 0.5%) are divided by their sum; otherwise they
        are refused.
    remainder : {"passthrough", "drop"}, default="passthrough"
        What happens to the other columns. Those passed on come last, unchanged.

    Attributes
    ----------
    composition_ : list of str
        The columns of the composition.
    formulas_ : bool
        Whether that is one column of formulas.
    elements_ : list of str
        The elements in the training table, by atomic number.
    feature_units_ : dict of str to str
        Unit of each column that is made.
    passthrough_ : list of str
        The other columns that are passed on.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Only if the table had names.

    Notes
    -----
    A property that an element lacks is never replaced: descriptors of the rows that contain it and need it are NaN, and
    a `MissingPropertyWarning` says which element lacks what. `transform` gives a pandas DataFrame unless ``set_output``
    says otherwise, so that models know the names of the columns.

    Examples
    --------
    >>> from kan_tabular.materials import CompositionFeaturizer
    >>> table = CompositionFeaturizer(descriptors=["VEC", "mixing_entropy_R"], elements=None)
    >>> table.fit_transform(["CoCrFeMnNi", "Al0.5CoCrFeNi"]).round(3)
         VEC  mixing_entropy_R
    0  8.000             1.609
    1  7.667             1.581
    """

    def __init__(
        self,
        *,
        composition=None,
        fractions="atomic",
        descriptors="default",
        elements="seen",
        properties=None,
        normalize=False,
        remainder="passthrough",
    ):
        self.composition = composition
        self.fractions = fractions
        self.descriptors = descriptors
        self.elements = elements
        self.properties = properties
        self.normalize = normalize
        self.remainder = remainder

    def fit(self, X, y=None):
        """Find the columns of the composition and the elements in it.

        Parameters
        ----------
        X : DataFrame, Series or list of str
            The table, or just the formulas.
        y : ignored

        Returns
        -------
        self : CompositionFeaturizer

        Raises
        ------
        DataError
            For a composition that cannot be read, naming the row and, in formulas, the position.
        ImportError
            Without the extra ``materials``.
        """
        check_fractions(self.fractions)
        if self.remainder not in ("passthrough", "drop"):
            raise ValueError(f"remainder must be 'passthrough' or 'drop'; got {self.remainder!r}.")
        self._descriptors = self._chosen_descriptors()
        self._table, self._pairs = merge_properties(self.properties), pair_enthalpies()
        frame, named = read_frame(X)
        self._check_columns(frame, named, reset=True)
        self.composition_, self.formulas_ = find_composition(frame, named, self.composition)
        self.elements_, _ = self._read(frame)
        self._fraction_columns = self._chosen_elements()
        others = [name for name in frame.columns if name not in self.composition_]
        self.passthrough_ = others if self.remainder == "passthrough" else []
        self.feature_units_ = {name: DESCRIPTORS[name].unit for name in self._descriptors}
        self.feature_units_ |= dict.fromkeys(self._fraction_columns, "atomic fraction")
        if not self.feature_units_:
            raise ValueError("descriptors=[] and elements=None leave nothing to compute; name at least one column.")
        twice = [name for name in self.passthrough_ if name in self.feature_units_]
        if twice:
            raise DataError(f"Column {twice[0]!r} of X has the name of a column to be made: rename or drop it.")
        self._warn_of_gaps(self.elements_)
        return self

    def transform(self, X):
        """Compute the descriptors.

        Parameters
        ----------
        X : DataFrame, Series or list of str
            With the columns of the training table.

        Returns
        -------
        table : DataFrame of shape (n_samples, n_features_out)
            With the index of X; another container if ``set_output`` says so.

        Raises
        ------
        DataError
            For a composition that cannot be read.
        """
        check_is_fitted(self)
        frame, named = read_frame(X)
        self._check_columns(frame, named, reset=False)
        elements, amounts = self._read(frame)
        new = [symbol for symbol in elements if symbol not in self.elements_]
        if new:
            self._warn_of_new(new)
        c = atomic_fractions(amounts, self._table.loc[elements, "atomic_weight"].to_numpy(), fractions=self.fractions)
        of = Properties(self._table.loc[elements], self._pairs.loc[elements, elements].to_numpy())
        columns = {name: DESCRIPTORS[name].compute(c, of) for name in self._descriptors}
        shares = dict(zip(elements, c.T, strict=True))
        columns |= {symbol: shares.get(symbol, np.zeros(len(c))) for symbol in self._fraction_columns}
        made = pd.DataFrame(columns, index=frame.index)
        return pd.concat([made, frame[self.passthrough_]], axis=1)

    def get_feature_names_out(self, input_features=None):
        """Names of the columns that `transform` gives.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Ignored, as the names in the training table decide.

        Returns
        -------
        names : ndarray of str
        """
        check_is_fitted(self)
        return np.array([*self.feature_units_, *self.passthrough_], dtype=object)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        # Not any table of numbers: columns mean elements.
        tags.input_tags.two_d_array = False
        return tags

    def _check_columns(self, frame, named, *, reset):
        # Tables without names go in as arrays, so that scikit-learn compares only their width.
        validate_data(self, frame if named else frame.to_numpy(), reset=reset, skip_check_array=True)

    def _read(self, frame):
        elements, amounts = read_amounts(
            frame, self.composition_, formulas=self.formulas_, fractions=self.fractions, normalize=self.normalize
        )
        if self.fractions == "weight":
            unknown = [symbol for symbol in elements if np.isnan(self._table.loc[symbol, "atomic_weight"])]
            if unknown:
                raise DataError(
                    f"{unknown[0]} has no atomic weight in the tables, so its weight cannot be turned into atoms: give "
                    f"it by properties={{{unknown[0]!r}: {{'atomic_weight': ...}}}}, or drop the rows."
                )
        return elements, amounts

    def _chosen_descriptors(self):
        if isinstance(self.descriptors, str) and self.descriptors == "default":
            return [name for name, descriptor in DESCRIPTORS.items() if descriptor.default]
        return _names("descriptors", self.descriptors, DESCRIPTORS, "'default' or a list of names")

    def _chosen_elements(self):
        if self.elements is None:
            return []
        if isinstance(self.elements, str) and self.elements == "seen":
            return list(self.elements_)
        return _names("elements", self.elements, SYMBOLS, "'seen', None or a list of symbols")

    def _warn_of_gaps(self, elements):
        """One warning for all properties that these elements lack and the chosen descriptors need."""
        chosen = {name: DESCRIPTORS[name] for name in self._descriptors}
        gaps = []
        for symbol in elements:
            lacking = self._table.columns[self._table.loc[symbol].isna()]
            lost = {name for descriptor in chosen.values() for name in descriptor.needs if name in lacking}
            if lost:
                gaps.append(f"{symbol} has no {', '.join(sorted(lost))}")
        if any(descriptor.pairs for descriptor in chosen.values()):
            known = sorted({*self.elements_, *elements}, key=SYMBOLS.index)
            for i, first in enumerate(known):
                without = [
                    b for b in known[i + 1 :] if np.isnan(self._pairs.loc[first, b]) and {first, b} & {*elements}
                ]
                if without:
                    gaps.append(f"{first} has no mixing enthalpy with {', '.join(without)}")
        if gaps:
            warnings.warn(
                f"{'; '.join(gaps)}: descriptors that need it are missing (NaN) in rows that contain the element. "
                "Known values can be given by the parameter properties.",
                MissingPropertyWarning,
                stacklevel=3,
            )

    def _warn_of_new(self, new):
        self._warn_of_gaps(new)
        if isinstance(self.elements, str):
            warnings.warn(
                f"{', '.join(new)}: not in the training table, so without a column of fractions; the fractions of rows "
                "that contain it do not add up to 1.",
                UnseenElementWarning,
                stacklevel=3,
            )


def _names(argument, value, allowed, wording):
    if isinstance(value, str) or not hasattr(value, "__iter__"):
        raise ValueError(f"{argument} must be {wording}; got {value!r}.")
    names = list(value)
    wrong = [name for name in names if name not in allowed]
    if wrong:
        listing = f"; choose from {', '.join(allowed)}" if len(allowed) < 50 else ""
        raise ValueError(f"{argument} has {wrong[0]!r}, which is not known{listing}.")
    if len(set(names)) < len(names):
        raise ValueError(f"{argument} names {next(n for n in names if names.count(n) > 1)!r} twice.")
    return names
