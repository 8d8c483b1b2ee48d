"""What both formula estimators share: settings, what is known about the formula, other languages."""

from __future__ import annotations

import numbers

from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from kan_tabular.estimators._model import FittedMixin
from kan_tabular.estimators._validation import check_number

PARAMETERS = """max_complexity : int, default=3
        Numeric constants that the term of a column may have (the formula's additive constant apart): 1 allows
        ``a * f(x)`` only, 2 also ``a * f(x + b)``, 3 also ``a * f(b * x + c)`` and ``a * x + b * f(x + c)``.
    candidates : list of str or Candidate, optional
        Functions to choose from: names in `kan_tabular.symbolic.LIBRARY`, or your own; by default all of the library.
    digits : "auto", int or None, default="auto"
        Digits of the constants: those that their standard errors support, so many significant ones, or all.
    """

ATTRIBUTES = """expression_ : sympy.Expr, or list of them
        The linear predictor (log-odds; log of the mean for ``poisson`` and ``gamma``) in symbols named as the columns;
        one for each class where there are more than two, or for each target. Evaluates to what is predicted.
    formula_ : kan_tabular.symbolic.formula.Formula
    terms_ : pandas.DataFrame
        For each term ``feature``, ``function`` (names of candidates, or "levels"), ``formula``, ``fidelity`` (R2 with
        the curve it replaces), ``complexity``, ``share`` (of the mean absolute contributions), ``units`` (of what it
        adds), and ``output`` where there are several.
    fidelity_ : dict
        ``r2_model``, R2 of the formula's linear predictor with the model's; ``loss_model`` and ``loss_formula`` (mean
        log loss, squared error or deviance), ``auc_model`` and ``auc_formula`` (two classes) on the rows given, NaN
        without a target. The formula's are cross-fitted: its constants (not its functions) come from the other folds.
        The model's are as honest as the rows are new to it.
    distillation_ : pandas.DataFrame
        How the formula came about, a row a step: ``step``, ``what``, ``columns`` (how many it uses), ``r2_model``,
        ``loss`` on the rows given (of fitted constants; NaN without a target), ``complexity``. A network with hidden
        layers is pruned first; then a sum and formulas in which columns meet are sought.
    pareto_ : pandas.DataFrame
        The formula (row 0) and ever simpler ones: ``complexity``, ``n_terms``, ``loss``. `simplified` gives any of
        them.
    """


class SymbolicEstimator(FittedMixin, BaseEstimator):
    """What formulas share."""

    @property
    def formula_(self):
        check_is_fitted(self)
        return self.network_.formula

    @property
    def expression_(self):
        return self.formula_.to_sympy()

    @property
    def pareto_(self):
        import pandas as pd

        check_is_fitted(self)
        rows = [{k: stage[k] for k in ("complexity", "n_terms", "loss")} for stage in self.stages_]
        return pd.DataFrame(rows, columns=["complexity", "n_terms", "loss"])

    @property
    def terms_(self):
        import pandas as pd

        check_is_fitted(self)
        columns = ["feature", "function", "formula", "fidelity", "complexity", "share", "units"]
        units = {"logit": "log-odds", "softmax": "log-odds", "log": "log of the mean"}.get(self.formula_.link, "target")
        rows = [{**term, "units": units} for term in self.term_rows_]
        if self.network_.n_outputs > 1:
            labels = self.formula_.classes or self.formula_.targets
            rows = [{**row, "output": labels[row["output"]]} for row in rows]
            columns = ["output", *columns]
        return pd.DataFrame(rows, columns=columns)

    @property
    def distillation_(self):
        import pandas as pd

        check_is_fitted(self)
        return pd.DataFrame(self.steps_, columns=["step", "what", "columns", "r2_model", "loss", "complexity"])

    def simplified(self, row):
        """The formula in a row of `pareto_` as an estimator of its own.

        Parameters
        ----------
        row : int

        Returns
        -------
        estimator : SymbolicClassifier or SymbolicRegressor
        """
        check_is_fitted(self)
        if not isinstance(row, numbers.Integral) or not 0 <= row < len(self.stages_):
            raise ValueError(f"row={row!r}: expected a row of pareto_, 0 to {len(self.stages_) - 1}.")
        new = type(self)(**self.get_params())
        for name in ("classes_", "n_features_in_", "feature_names_in_", "encoder_", "n_iter_"):
            if hasattr(self, name):
                setattr(new, name, getattr(self, name))
        stage = self.stages_[row]
        new.network_ = self.network_.simpler(stage["network"])
        new.term_rows_, new.stages_, new.steps_ = stage["terms"], self.stages_[row:], self.steps_
        new.fidelity_ = self.fidelity_ if row == 0 else stage["fidelity"]
        return new

    def write(self, language, **options):
        """The formula in another language: linear predictor and response.

        Parameters
        ----------
        language : {"c", "excel", "javascript", "latex", "markdown", "python", "sql"}
        **options
            Those of the language (docs/formulas.md).

        Returns
        -------
        text : str
        """
        from kan_tabular.symbolic.writers import write

        return write(self.formula_, language, **options)

    def latex(self, **options):
        """The formula for a paper."""
        return self.write("latex", **options)

    def to_python(self, **options):
        """Source text of a function that needs NumPy only."""
        return self.write("python", **options)

    def to_sql(self, dialect="ansi", **options):
        """A query, or expressions for one.

        Parameters
        ----------
        dialect : {"ansi", "postgres", "bigquery"}, default="ansi"
        **options
            ``table``: a name, or a sequence of its parts.
        """
        return self.write("sql", dialect=dialect, **options)

    def to_excel_formula(self, **options):
        """The formula of a spreadsheet's cell."""
        return self.write("excel", **options)

    def to_c(self, **options):
        """A function in C99."""
        return self.write("c", **options)

    def to_javascript(self, **options):
        """A function in JavaScript."""
        return self.write("javascript", **options)

    def to_markdown(self, **options):
        """A table of the terms, and the formula."""
        return self.write("markdown", **options)

    def explain(self, X):
        """What each feature adds to each prediction, on the link scale: as of `KAAMClassifier`, exact."""
        Z = self._encode(X)
        return self._explanation(self.network_.contributions(Z), X)

    def shape_function(self, feature, grid=None, class_=None):
        """The term of one feature as a curve, centred on the training data; formulas have no bands (NaN).

        Parameters
        ----------
        feature, grid, class_
            As of `KAAMClassifier`.
        """
        check_is_fitted(self)
        return self.network_.shape(self._position(feature), self._output(class_), grid)

    def importance(self, X=None, kind="mean_abs"):
        """Importance of each feature, not normalised.

        Parameters
        ----------
        X, kind
            As of `KAAMClassifier`.
        """
        if kind not in ("mean_abs", "variance"):
            raise ValueError(f"kind={kind!r}: expected 'mean_abs' or 'variance'.")
        check_is_fitted(self)
        own = (self.network_.mean_abs, self.network_.variance)
        sizes = own if X is None else self.network_.contribution_sizes(self._encode(X))
        return sizes[kind == "variance"].copy()

    def to_symbolic(self, *_, **__):
        """It is a formula already."""
        raise TypeError("this is a formula already; `simplified` and `pareto_` give simpler ones.")

    def _check_settings(self):
        check_number(self, "max_complexity", 1, integer=True)
        digits = self.digits
        whole = isinstance(digits, numbers.Integral) and not isinstance(digits, bool) and digits > 0
        if not (whole or digits is None or (isinstance(digits, str) and digits == "auto")):
            raise ValueError(f"digits={digits!r}: expected 'auto', a positive integer or None.")
        fidelity = self.fidelity
        proper = isinstance(fidelity, numbers.Real) and not isinstance(fidelity, bool) and fidelity <= 1
        if not (fidelity is None or proper):
            raise ValueError(f"fidelity={fidelity!r}: expected a number of at most 1, or None.")

    def _distil(self, network, Z, y, weights):
        from kan_tabular.symbolic.candidates import read_candidates
        from kan_tabular.symbolic.distil import distil

        self._check_settings()
        result = distil(
            network,
            Z,
            y,
            weights,
            candidates=read_candidates(self.candidates),
            max_constants=self.max_complexity,
            digits=self.digits,
            fidelity=self.fidelity,
            classes=self.classes_.tolist() if hasattr(self, "classes_") else (),
        )
        self.network_, self.term_rows_ = result.network, result.terms
        self.fidelity_, self.stages_, self.steps_ = result.fidelity, result.stages, result.steps
        return self

    def _get_state(self):
        attributes, arrays = super()._get_state()
        own = {"term_rows": self.term_rows_, "fidelity": self.fidelity_, "stages": self.stages_, "steps": self.steps_}
        return {**attributes, **own}, arrays

    @classmethod
    def _read_network(cls, spec, arrays):
        from kan_tabular.symbolic.network import FormulaNetwork

        return FormulaNetwork.from_spec(spec, arrays)

    @classmethod
    def _from_state(cls, params, attributes, arrays):
        self = super()._from_state(params, attributes, arrays)
        self.term_rows_, self.fidelity_ = attributes["term_rows"], attributes["fidelity"]
        self.stages_, self.steps_ = attributes["stages"], attributes.get("steps", [])
        return self
