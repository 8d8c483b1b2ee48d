"""What both network estimators share: settings, training, explanations."""

from __future__ import annotations

import itertools
import numbers

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from kan_tabular.estimators._model import FittedMixin
from kan_tabular.estimators._validation import check_groups, check_number, read_basis, resolve_device
from kan_tabular.fitted.deep import PERMUTATIONS, DeepNetwork
from kan_tabular.fitted.explanation import interventional

#: Settings that "auto" trains: weight decay, bending, additive start. Chosen on other tables than the benchmarks'
#: (examples/benchmarks/network_settings.py); what each table needs is decided by its own held-out rows.
_PORTFOLIO = (
    (0.15, 0.03, False),
    (0.5, 0.03, False),
    (0.15, 0.2, False),
    (0.5, 0.2, False),
    (0.3, 1.0, False),
    (0.5, 0.03, True),
)
#: The same for full batches, where the first is the strength of a ridge.
_RIDGES = (
    (1e-4, 0.2, False),
    (1e-3, 0.2, False),
    (1e-2, 0.2, False),
    (1e-3, 1.0, False),
    (1e-2, 1.0, False),
)
_ITERATIONS = 200
_STEPS, _FEWEST_EPOCHS, _MOST_EPOCHS = 800, 20, 200
_HOLD_OUT_ROWS = 20
#: Share of the epochs after which only the most useful settings go on.
_SELECTION = 1 / 3
#: Rows on which `prune` measures edges and `interactions` pairs, at most.
_MEASURED_ROWS = 512


class NetworkEstimator(FittedMixin, BaseEstimator):
    """Shared fit of the network estimators."""

    _network_class = DeepNetwork

    def _fit(self, table, y, weights, likelihood, offset=0.0, groups=None):
        self._check_settings()
        groups = check_groups(groups, table.n_rows)
        encoded, keep = self._encode_training(table, weights)
        if not keep.all():
            encoded, y, weights = encoded[keep], y[keep], weights[keep]
            offset = offset[keep] if isinstance(offset, np.ndarray) else offset
            groups = None if groups is None else groups[keep]
        from kan_tabular.training.fit import fit_deep

        start = self._last_fit() if self.warm_start and hasattr(self, "network_") else None
        if start is None:
            self.seed_ = int(check_random_state(self.random_state).randint(2**32, dtype=np.uint64))
        options = self._options(len(y), likelihood.name != "quantile", start is not None)
        rng = np.random.default_rng(self.seed_)
        total = options.schedule.epochs
        if options.full_batch:
            total = len(options.settings) * options.n_estimators
        with _bar(self.verbose, total) as callback:
            self.network_, report = fit_deep(
                encoded,
                self.encoder_.features_,
                y,
                weights,
                likelihood,
                options,
                rng,
                offset=offset,
                groups=groups,
                callback=callback,
                start=start,
            )
        self.n_iter_ = report.n_epochs
        self._keep_report(report)
        found = zip(report.candidates, report.losses, report.weights, strict=True)
        self.candidates_ = [
            {**self._describe(c), "held_out_loss": float(loss), "weight": float(w)} for c, loss, w in found
        ]
        return self

    def _describe(self, candidate):
        """A candidate of `candidates_`: "additive", or a setting."""
        if candidate == "additive":
            return {"candidate": "additive", "alpha": None, "smoothness": None, "additive_start": None}
        return {
            "candidate": "network",
            "alpha": candidate.alpha,
            "smoothness": 1 / candidate.bend,
            "additive_start": candidate.additive,
        }

    def _keep_report(self, report):
        """What else of the training is to be kept."""

    def _last_fit(self):
        """The network to go on with: that of the last fit, if it has any members."""
        before, now = self.network_.features, self.encoder_.features_
        for old, new in zip(before, now, strict=False):
            if (old.name, old.kind, list(old.levels)) != (new.name, new.kind, list(new.levels)):
                raise ValueError(
                    f"warm_start=True: column {new.name!r} was {old.name!r} ({old.kind}, {len(old.levels)} levels) in "
                    f"the last fit and is now {new.kind} with {len(new.levels)} levels; give the same columns and "
                    "levels, or use warm_start=False to begin anew."
                )
        if len(before) != len(now):
            raise ValueError(
                f"warm_start=True: the last fit had {len(before)} columns and X has {len(now)}; give the same columns, "
                "or use warm_start=False to begin anew."
            )
        return self.network_ if self.network_.n_members else None

    def _settings(self, additive_fit, warm):
        """The settings to train: the portfolio, or those that the last fit kept; what the user gave overrides."""
        from kan_tabular.training.fit import Setting

        portfolio = _RIDGES if self.solver == "lbfgs" else _PORTFOLIO
        if warm:
            last = [c for c in self.candidates_ if c["candidate"] == "network" and c["weight"] > 0]
            portfolio = [(c["alpha"], 1 / c["smoothness"], c["additive_start"]) for c in last]
        settings = []
        for alpha, bend, additive in portfolio:
            additive = additive and additive_fit
            setting = Setting(
                alpha if _is_auto(self.alpha) else float(self.alpha),
                bend if _is_auto(self.smoothness) else 1 / float(self.smoothness),
                additive if _is_auto(self.additive_start) else bool(self.additive_start) and additive_fit,
            )
            if warm or setting not in settings:
                settings.append(setting)
        return tuple(settings)

    def _options(self, n, additive_fit, warm=False):
        """The settings for a table of `n` rows; `additive_fit` says whether there is one for this response."""
        from kan_tabular.training.fit import Options
        from kan_tabular.training.trainer import Schedule

        batch = int(np.clip(n // 64, 128, 1024)) if self.batch_size == "auto" else self.batch_size
        batch = min(batch, max(n // 4, 16)) if self.batch_size == "auto" else min(batch, n)
        epochs = self.max_iter
        if epochs == "auto":
            epochs = int(np.clip(np.ceil(_STEPS / max(n // batch, 1)), _FEWEST_EPOCHS, _MOST_EPOCHS))
        sizes = self.hidden_layer_sizes
        if self.projection is not None:
            sizes = (self.projection, *sizes)
        full_batch = self.solver == "lbfgs"
        family = None if self._hidden_splines() else read_basis(self.basis)
        if full_batch and self.max_iter == "auto":
            epochs = _ITERATIONS
        kept = [c["candidate"] for c in self.candidates_ if c["weight"] > 0] if warm else []
        return Options(
            settings=self._settings(additive_fit, warm),
            additive=additive_fit and _is_auto(self.additive_start) and "additive" in kept,
            hidden=tuple(tuple(map(int, h)) if np.ndim(h) else int(h) for h in sizes),
            straight=self.projection is not None,
            family=family,
            n_estimators=self.n_estimators,
            hold_out=n >= _HOLD_OUT_ROWS if self.early_stopping == "auto" else bool(self.early_stopping),
            validation_fraction=self.validation_fraction,
            sparsity=float(self.sparsity),
            full_batch=full_batch,
            schedule=Schedule(
                epochs=epochs,
                batch_size=batch,
                learning_rate=float(self.learning_rate_init),
                patience=max(epochs // 2, 1) if self.n_iter_no_change is None else self.n_iter_no_change,
                max_time=self.max_time,
                selection=_SELECTION,
                sizes=tuple(np.atleast_1d(self.grid_size).tolist()) if family is None else family.sizes,
            ),
            device=resolve_device(self.device, n),
        )

    def _hidden_splines(self):
        """Whether hidden nodes have B-splines on a grid."""
        return isinstance(self.basis, str) and self.basis == "bspline"

    def _check_settings(self):
        sizes = self.hidden_layer_sizes
        if isinstance(sizes, str) or not hasattr(sizes, "__len__") or not len(sizes):
            raise ValueError(
                f"hidden_layer_sizes={self.hidden_layer_sizes!r}: expected a tuple of numbers of nodes such as (16,); "
                "use KAAMClassifier or KAAMRegressor for a model without hidden layers."
            )
        if not all(_is_layer(size) for size in sizes):
            raise ValueError(
                f"hidden_layer_sizes={self.hidden_layer_sizes!r}: expected integers of at least 1, or pairs "
                "(sums, products) of integers of at least 0, not both 0."
            )
        read_basis(self.basis)
        grids = np.atleast_1d(np.asarray(self.grid_size, dtype=object)).tolist()
        if not grids or not all(isinstance(g, numbers.Integral) and not isinstance(g, bool) and g > 0 for g in grids):
            raise ValueError(f"grid_size={self.grid_size!r}: expected an integer of at least 1, or several of them.")
        if any(b <= a or b % a for a, b in itertools.pairwise(grids)):
            raise ValueError(f"grid_size={self.grid_size!r}: each grid must be a multiple of the one before.")
        if len(grids) > 1 and not self._hidden_splines():
            raise ValueError(
                f"grid_size={self.grid_size!r}: only the default B-splines of hidden nodes go from coarse to fine; use "
                "one number."
            )
        if self.projection is not None:
            check_number(self, "projection", 1, integer=True)
        if self.solver not in ("adam", "lbfgs"):
            raise ValueError(f"solver={self.solver!r}: expected 'adam' or 'lbfgs'.")
        if self.solver == "lbfgs":
            smooth = getattr(self, "loss", None) != "quantile"
            given = [("loss", smooth), ("sparsity", not self.sparsity), ("grid_size", len(grids) == 1)]
            given += [("basis", len(read_basis(self.basis).sizes) < 2)]
            for name, fits in given:
                if not fits:
                    raise ValueError(f"{name}={getattr(self, name)!r} needs solver='adam'; got solver='lbfgs'.")
        if not isinstance(self.warm_start, (bool, np.bool_)):
            raise ValueError(f"warm_start={self.warm_start!r}: expected True or False.")
        check_number(self, "n_estimators", 1, integer=True)
        check_number(self, "learning_rate_init", 0.0, strict=True)
        check_number(self, "sparsity", 0.0)
        for name, least in (("max_iter", 1), ("batch_size", 1), ("alpha", 0.0), ("smoothness", 0.0)):
            if not _is_auto(getattr(self, name)):
                check_number(self, name, least, integer=least == 1, strict=name == "smoothness")
        check_number(self, "validation_fraction", 0.0, strict=True)
        if self.validation_fraction > 0.5:
            raise ValueError(f"validation_fraction={self.validation_fraction!r}: expected at most 0.5.")
        if self.n_iter_no_change is not None:
            check_number(self, "n_iter_no_change", 1, integer=True)
        if self.max_time is not None:
            check_number(self, "max_time", 0.0, strict=True)
        for name in ("additive_start", "early_stopping"):
            value = getattr(self, name)
            if not (isinstance(value, (bool, np.bool_)) or _is_auto(value)):
                raise ValueError(f"{name}={value!r}: expected 'auto', True or False.")

    def explain(self, X, *, n_permutations=PERMUTATIONS, background=None):
        """What each feature adds to each prediction, on the link scale (Shapley values).

        Parameters
        ----------
        X : table of shape (n, n_features)
        n_permutations : int
            Random orders of the features, each used forwards and backwards: more give less noise.
        background : table, optional
            Rows whose values stand in for those of absent features (interventional Shapley values, by the permutation
            explainer of shap, which must be installed). By default an absent feature has its curves at their training
            means; no background rows are needed or kept.

        Returns
        -------
        explanation : shap.Explanation, or `kan_tabular.fitted.explanation.Explanation` without shap
            ``values`` (n, n_features) or (n, n_features, n_classes), ``base_values``, ``data``, ``feature_names``.
            Base value + sum of the values = `decision_function` (the prediction's linear predictor) exactly.
        """
        Z = self._encode(X)
        if background is not None:
            values, base = interventional(self.network_.forward, Z, self._encode(background), n_permutations)
            return self._explanation(values, X, base)
        return self._explanation(self.network_.shapley(Z, n_permutations, None), X)

    def shape_function(self, feature, grid=None, class_=None):
        """The main effect of one feature: its curves alone, every other feature's at their training mean.

        What features do together is not in it (`interactions`, `non_additive_share`).

        Parameters
        ----------
        feature : str or int
            Name or position of the column.
        grid : array-like, optional
            Values (or level names) to read it at; by default 200 points across the training range, or all levels.
        class_ : label, optional
            Which class's effect, for more than two classes (default: the last); for several targets or quantiles the
            position of one. Otherwise None.

        Returns
        -------
        shape : kan_tabular.fitted.ShapeFunction
            ``x, y, kind, missing, density``. Networks have no standard errors: ``se`` and all bands are NaN.
        """
        from kan_tabular.fitted.effects import main_effect

        check_is_fitted(self)
        return main_effect(self.network_, self._position(feature), self._output(class_), grid)

    def interactions(self, X, max_features=10):
        """Pairs of features that do together what neither does alone, the strongest first.

        Parameters
        ----------
        X : table of shape (n, n_features)
            Rows to measure on, such as (some of) the training rows; at most 512 of them are used.
        max_features : int
            Pairs of the most important features.

        Returns
        -------
        table : pandas.DataFrame
            ``feature_1``, ``feature_2``, ``strength`` (standard deviation of the pair's effect on the linear predictor
            over the rows, averaged over classes or targets) and ``share`` (of the variance of all effects in the
            table and all main effects).

        Notes
        -----
        Functional ANOVA anchored at the training means of the first layer's curves: the effect of a pair is what the
        network says with both present, less both main effects and the base. Shares are of effects, which correlated
        features make overlap.
        """
        import pandas as pd

        from kan_tabular.fitted.effects import pair_effects

        Z = self._encode(X)
        Z = Z[np.sort(np.random.default_rng(0).permutation(len(Z))[:_MEASURED_ROWS])]
        names = self.network_.feature_names
        top = sorted(np.argsort(-self.feature_importances_, kind="stable")[:max_features].tolist())
        pairs = list(itertools.combinations(top, 2))
        variances = np.zeros(0)
        if pairs:
            variances = pair_effects(self.network_, Z, pairs).var(0).mean(1)
        total = variances.sum() + self.network_.effects(Z).var(0).mean(1).sum()
        table = pd.DataFrame(
            {
                "feature_1": [names[j] for j, _ in pairs],
                "feature_2": [names[k] for _, k in pairs],
                "strength": np.sqrt(variances),
                "share": variances / (total if total > 0 else 1.0),
            }
        )
        return table.sort_values("strength", ascending=False, kind="stable", ignore_index=True)

    def importance(self, X=None, kind="mean_abs"):
        """Importance of each feature, not normalised.

        Parameters
        ----------
        X : table, optional
            Rows to measure on; by default what was measured on a sample of the training rows (mean_abs only).
        kind : {"mean_abs", "variance"}
            Mean absolute change of the linear predictor when the feature's curves are set to their training means, or
            the variance of that change.

        Returns
        -------
        importance : ndarray (n_features,)
        """
        if kind not in ("mean_abs", "variance"):
            raise ValueError(f"kind={kind!r}: expected 'mean_abs' or 'variance'.")
        check_is_fitted(self)
        if X is None:
            if kind == "variance":
                raise ValueError("kind='variance' needs rows to measure on: give X.")
            return self.network_.mean_abs.copy()
        change = self.network_.left_out(self._encode(X))
        return (np.abs(change).mean(0) if kind == "mean_abs" else change.var(0)).mean(1)

    def summary(self):
        """The features in one table.

        Returns
        -------
        table : pandas.DataFrame
            Indexed by feature, most important first: ``kind``, ``importance`` (share) and a ``note``.
        """
        import pandas as pd

        check_is_fitted(self)
        network = self.network_
        notes = [f"{f.missing:.1%} missing" if f.missing else "" for f in network.features]
        rows = {"kind": network.kinds, "importance": self.feature_importances_, "note": notes}
        table = pd.DataFrame(rows, index=pd.Index(network.feature_names, name="feature"))
        return table.sort_values("importance", ascending=False, kind="stable")

    def non_additive_share(self, X):
        """How much of each prediction is not a sum of effects of single features.

        Returns
        -------
        share : ndarray (n,) or (n, n_classes)
            ``|r| / (|r| + sum_j |f_j|)``, with the main effects f_j (each feature's curves alone, the others at their
            training mean) and the remainder r of the linear predictor: 0 for an additive model, near 1 where the
            features say it only together.
        """
        Z = self._encode(X)
        effects, eta, base = self.network_.effects(Z), self.network_.forward(Z), self.network_.base
        rest = np.abs(eta - base - effects.sum(1))
        rest[rest < 1e-12 * (np.abs(eta) + np.abs(base))] = 0.0  # rounding
        share = rest / np.maximum(rest + np.abs(effects).sum(1), 1e-300)
        return share[:, 0] if share.shape[1] == 1 else share

    def prune(self, X, threshold=0.03):
        """Remove weak edges and the nodes that nothing leads to; predictions change by little, or not at all at 0.

        Parameters
        ----------
        X : table of shape (n, n_features)
            Rows on which the edges are measured, such as the training rows.
        threshold : float
            Edges whose output varies by less than this share of the strongest edge of their layer become constants.

        Returns
        -------
        self
        """
        if not isinstance(threshold, numbers.Real) or isinstance(threshold, bool) or not 0 <= threshold < 1:
            raise ValueError(f"threshold={threshold!r}: expected a number of at least 0 and below 1.")
        from kan_tabular.fitted.pruning import pruned

        Z = self._encode(X)
        if self.network_.n_members:
            rows = np.sort(np.random.default_rng(0).permutation(len(Z))[:_MEASURED_ROWS])
            self.network_, _ = pruned(self.network_, Z[rows], threshold)
        return self

    def _get_state(self):
        attributes, arrays = super()._get_state()
        return {**attributes, "candidates": self.candidates_, "seed": self.seed_}, arrays

    @classmethod
    def _from_state(cls, params, attributes, arrays):
        self = super()._from_state(params, attributes, arrays)
        self.candidates_, self.seed_ = attributes["candidates"], attributes["seed"]
        return self


def _is_layer(size):
    """Whether this is a number of nodes, or of nodes that sum and nodes that multiply."""
    pair = isinstance(size, (tuple, list)) and len(size) == 2
    counts = size if pair else [size]
    whole = all(isinstance(n, numbers.Integral) and not isinstance(n, bool) and n >= 0 for n in counts)
    return whole and sum(counts) > 0


def _is_auto(value):
    return isinstance(value, str) and value == "auto"


class _bar:
    """A progress bar on standard error while `verbose`; nothing otherwise."""

    def __init__(self, verbose, epochs):
        self.verbose, self.epochs = verbose, epochs

    def __enter__(self):
        if not self.verbose:
            return None
        from tqdm import tqdm

        self.bar = tqdm(desc="training", unit=" epochs", total=self.epochs)

        def callback(progress):
            self.bar.update()
            if progress.losses is not None:
                self.bar.set_postfix_str(f"held-out loss {progress.losses.min():.4f}")

        return callback

    def __exit__(self, *_):
        if self.verbose:
            self.bar.close()
