"""SKANClassifier and SKANRegressor: networks that choose the family of curves of every node."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from sklearn.utils.validation import check_is_fitted

from kan_tabular.bases import BSpline, Chebyshev, Cosine, PiecewiseLinear, Pool, Wavelet
from kan_tabular.estimators._network import NetworkEstimator
from kan_tabular.estimators._validation import read_basis
from kan_tabular.estimators.network import KANRegressor, LogisticKAN

#: What "auto" chooses from: about the same number of functions each.
SPACES = (BSpline(10), Chebyshev(12), Cosine(13), PiecewiseLinear(12), Wavelet("mexican_hat", 4))

_OWN_PARAMETERS = """spaces : "auto" or sequence of str or Basis, default="auto"
        The pool: names of families, or instances with arguments of their own; the first is also what every second
        setting has in all inputs (see Notes).
        "auto": cubic splines, Chebyshev polynomials, cosines, broken lines and wavelets.
    choose : {"inputs", "nodes", "edges"}, default="inputs"
        Who chooses a space: every input of each network, hidden nodes too, or every edge that leaves an input. Hidden
        nodes that do not choose have B-splines. "nodes" takes several times as long.
    """

_ATTRIBUTES = """spaces_ : pandas.DataFrame
        What they ended with: a row for each node (or edge) of each network that counts, with ``layer`` (0: inputs),
        ``node`` (name of the column, or position), ``target`` (edges only), ``member``, its ``weight`` in the
        prediction, and ``space``. Columns without curved parts (categories, columns of less than three values) have
        nothing to choose and are left out.
    space_path_ : list of dict
        How it came about: for each layer that chooses, ``progress`` (E,) through training and ``weights`` (E, nodes,
        n_spaces), averaged over the networks in training that choose; NaN for columns with nothing to choose.
    """

#: Of `spaces_`, each with its type, also where there are no rows.
_COLUMNS = {"layer": int, "node": object, "target": int, "member": int, "weight": float, "space": object}


class _Spaces(NetworkEstimator):
    """Shared by both: networks over a pool of spaces."""

    # What these networks leave to the pool, or do not offer.
    basis, projection, solver, warm_start = "bspline", None, "adam", False

    def _check_settings(self):
        super()._check_settings()
        if self.choose not in ("inputs", "nodes", "edges"):
            raise ValueError(f"choose={self.choose!r}: expected 'inputs', 'nodes' or 'edges'.")
        names = self._space_names()
        if len(set(names)) < len(names):
            raise ValueError(f"spaces={self.spaces!r}: the same family is there twice; use each once.")

    def _pool(self):
        if isinstance(self.spaces, str) and self.spaces == "auto":
            return SPACES
        if not isinstance(self.spaces, (list, tuple)) or len(self.spaces) < 2:
            raise ValueError(
                f"spaces={self.spaces!r}: expected 'auto' or a list of at least two families; use LogisticKAN or "
                "KANRegressor with basis=... for one."
            )
        pool = tuple(read_basis(space, argument="spaces") for space in self.spaces)
        for space in pool:
            if len(space.sizes) > 1 or space.n_groups is not None:
                raise ValueError(
                    f"spaces={space!r}: in a pool no functions grow and every node has its own; use one size and "
                    "n_groups=None here, or LogisticKAN or KANRegressor with that basis."
                )
        return pool

    def _space_names(self):
        """Names of the families; where one is there more than once, with its arguments."""
        pool = self._pool()
        names = [space.name for space in pool]
        return [repr(space) if names.count(space.name) > 1 else space.name for space in pool]

    def _hidden_splines(self):
        return self.choose != "nodes"

    def _options(self, n, additive_fit, warm=False):
        options = super()._options(n, additive_fit)
        settings = options.settings
        if options.hold_out:  # held-out rows decide whether choosing is worth it
            settings = tuple(replace(s, space=0) if k % 2 else s for k, s in enumerate(settings))
        return replace(
            options,
            settings=settings,
            family=Pool(self._pool()),
            per_edge=self.choose == "edges",
            choose_hidden=self.choose == "nodes",
        )

    def _describe(self, candidate):
        space = getattr(candidate, "space", None)
        return {**super()._describe(candidate), "space": None if space is None else self._space_names()[space]}

    def _keep_report(self, report):
        """`spaces_` and `space_path_`."""
        import pandas as pd

        names, chooses = self._space_names(), [_has_choice(curves) for curves in self.network_.inputs]
        rows, weights = [], self.network_.weights
        for layer, chosen in enumerate(report.spaces):
            by_member = np.moveaxis(chosen, 1 if layer == 0 else 0, 0)
            for member, own in enumerate(by_member):
                for place, space in np.ndenumerate(own):
                    if layer == 0 and not chooses[place[0]]:
                        continue
                    node = self.network_.feature_names[place[0]] if layer == 0 else place[0]
                    target = place[1] if len(place) > 1 else -1
                    rows.append((layer, node, target, member, weights[member], names[space]))
        table = pd.DataFrame(rows, columns=list(_COLUMNS)).astype(_COLUMNS)
        self.spaces_ = table if self.choose == "edges" else table.drop(columns="target")
        progress = np.array([entry[0] for entry in report.path])
        self.space_path_ = [
            {"progress": progress, "weights": np.stack([entry[1 + k] for entry in report.path])}
            for k in range(len(report.path[0]) - 1)
        ]
        self.space_path_[0]["weights"][:, np.logical_not(chooses)] = np.nan

    def space_shares(self):
        """How much of the prediction's networks chose which space for each column.

        Returns
        -------
        shares : pandas.DataFrame (n_features, n_spaces)
            Weighted by the networks' weights (and, if edges chose, counted over edges); a row sums to 1. NaN for
            columns with nothing to choose (categories, columns of less than three values), and for all without any
            network (the additive part alone carries the prediction).
        """
        import pandas as pd

        check_is_fitted(self)
        names = self._space_names()
        own = self.spaces_[self.spaces_["layer"] == 0]
        features = pd.Index(self.network_.feature_names, name="feature")
        if not len(own):
            return pd.DataFrame(np.nan, index=features, columns=names)
        table = own.pivot_table(index="node", columns="space", values="weight", aggfunc="sum")
        table = table.reindex(index=features, columns=names)
        return table.fillna(0.0).div(table.sum(axis=1).replace(0.0, np.nan), axis=0)

    def summary(self):
        """The features in one table.

        Returns
        -------
        table : pandas.DataFrame
            As for `LogisticKAN`, with the ``space`` that most of the networks chose and its ``share``.
        """
        table, shares = super().summary(), self.space_shares()
        known = shares.notna().all(axis=1)
        space = shares.fillna(0.0).idxmax(axis=1).where(known)
        table.insert(2, "space", space.reindex(table.index))
        table.insert(3, "share", shares.max(axis=1).reindex(table.index))
        return table

    def _get_state(self):
        attributes, arrays = super()._get_state()
        attributes["spaces"] = self.spaces_.to_dict("list")
        attributes["n_paths"] = len(self.space_path_)
        for k, path in enumerate(self.space_path_):
            arrays.update({f"space_path.{k}.{name}": array for name, array in path.items()})
        return attributes, arrays

    @classmethod
    def _from_state(cls, params, attributes, arrays):
        import pandas as pd

        self = super()._from_state(params, attributes, arrays)
        table = pd.DataFrame(attributes["spaces"])
        self.spaces_ = table.astype({name: _COLUMNS[name] for name in table})
        self.space_path_ = [
            {name: arrays[f"space_path.{k}.{name}"] for name in ("progress", "weights")}
            for k in range(attributes["n_paths"])
        ]
        return self


def _has_choice(curves):
    """Whether an input has more than a line: curves of the spaces."""
    return isinstance(curves.basis, Pool) and curves.transform.shape[1] > 1


_NOTES = """Three stages, all in one training run. *Full training* (10% of the epochs): every input has all spaces of
    the pool, each with a weight that is trained beside its coefficients; the weights of an input sum to 1.
    *Selective training* (to 30%): the weights are sharpened by a falling temperature, and a space whose weight has
    fallen below a tenth of an equal share is frozen out. *Pruning and fine-tuning*: every input keeps its heaviest
    space, which takes over what all of them drew together, as nearly as it can. Held-out rows choose the state from
    the last stage alone, and `n_iter_no_change` counts there. Straight lines, levels of categories and missing values
    belong to no space.

    Choosing can cost more than it gives. Where held-out rows weigh the settings (see `LogisticKAN`), every second one
    has the pool's first space in all inputs from the start (``candidates_[...]["space"]``), and they decide.

    The additive part is that of `LogisticKAN`, with penalised B-splines. The method's original schedule and tasks are
    not public; this one is ours (docs/design.md, section 5)."""


class SKANClassifier(_Spaces, LogisticKAN):
    __doc__ = f"""Activation-selecting Kolmogorov-Arnold network (S-KAN) for two or more classes.

    A `LogisticKAN` whose inputs choose their family of curves from a pool while they train: no single family suits
    every column.

    Parameters
    ----------
    {_OWN_PARAMETERS}hidden_layer_sizes, grid_size, n_estimators, additive_start, max_iter, batch_size
        As in `LogisticKAN`.
    learning_rate_init, alpha, smoothness, sparsity, early_stopping, validation_fraction, n_iter_no_change, max_time
        As in `LogisticKAN`.
    categorical_features, class_weight, device, random_state, verbose
        As in `LogisticKAN`.

    Attributes
    ----------
    {_ATTRIBUTES}classes_, network_, encoder_, candidates_, feature_importances_, n_iter_
        As in `LogisticKAN`.

    Notes
    -----
    {_NOTES}
    """

    def __init__(
        self,
        *,
        spaces="auto",
        choose="inputs",
        hidden_layer_sizes=(24, 8),
        grid_size=5,
        n_estimators=8,
        additive_start="auto",
        max_iter="auto",
        batch_size="auto",
        learning_rate_init=0.04,
        alpha="auto",
        smoothness="auto",
        sparsity=0.0,
        early_stopping="auto",
        validation_fraction=0.125,
        n_iter_no_change=None,
        max_time=None,
        categorical_features="from_dtype",
        class_weight=None,
        device="auto",
        random_state=None,
        verbose=0,
    ):
        self.spaces = spaces
        self.choose = choose
        self.hidden_layer_sizes = hidden_layer_sizes
        self.grid_size = grid_size
        self.n_estimators = n_estimators
        self.additive_start = additive_start
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.alpha = alpha
        self.smoothness = smoothness
        self.sparsity = sparsity
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.max_time = max_time
        self.categorical_features = categorical_features
        self.class_weight = class_weight
        self.device = device
        self.random_state = random_state
        self.verbose = verbose


class SKANRegressor(_Spaces, KANRegressor):
    __doc__ = f"""Activation-selecting Kolmogorov-Arnold network (S-KAN) for a number: as `SKANClassifier`.

    Parameters
    ----------
    loss, quantiles
        As in `KANRegressor`.
    {_OWN_PARAMETERS}hidden_layer_sizes, grid_size, n_estimators, additive_start, max_iter, batch_size
        As in `LogisticKAN`.
    learning_rate_init, alpha, smoothness, sparsity, early_stopping, validation_fraction, n_iter_no_change, max_time
        As in `LogisticKAN`.
    categorical_features, device, random_state, verbose
        As in `LogisticKAN`.

    Attributes
    ----------
    {_ATTRIBUTES}network_, encoder_, candidates_, feature_importances_, n_iter_
        As in `LogisticKAN`.

    Notes
    -----
    {_NOTES}
    """

    def __init__(
        self,
        *,
        loss="squared_error",
        quantiles=(0.5,),
        spaces="auto",
        choose="inputs",
        hidden_layer_sizes=(24, 8),
        grid_size=5,
        n_estimators=8,
        additive_start="auto",
        max_iter="auto",
        batch_size="auto",
        learning_rate_init=0.04,
        alpha="auto",
        smoothness="auto",
        sparsity=0.0,
        early_stopping="auto",
        validation_fraction=0.125,
        n_iter_no_change=None,
        max_time=None,
        categorical_features="from_dtype",
        device="auto",
        random_state=None,
        verbose=0,
    ):
        self.loss = loss
        self.quantiles = quantiles
        self.spaces = spaces
        self.choose = choose
        self.hidden_layer_sizes = hidden_layer_sizes
        self.grid_size = grid_size
        self.n_estimators = n_estimators
        self.additive_start = additive_start
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.alpha = alpha
        self.smoothness = smoothness
        self.sparsity = sparsity
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.max_time = max_time
        self.categorical_features = categorical_features
        self.device = device
        self.random_state = random_state
        self.verbose = verbose
