"""From an encoded table and a target to a fitted network with hidden layers."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning

from kan_tabular.bases import Basis, BSpline, Clipped, NodeSpline, Pool
from kan_tabular.fitted.circuit import Circuit
from kan_tabular.fitted.deep import DeepNetwork
from kan_tabular.fitted.front import Front
from kan_tabular.fitted.products import n_sums
from kan_tabular.likelihoods import Gaussian
from kan_tabular.solvers.additive import fit_additive
from kan_tabular.solvers.crossfit import cross_fit
from kan_tabular.solvers.fit import GUARD, densities, small_blas
from kan_tabular.solvers.problem import build_problem, columns_of
from kan_tabular.solvers.smoothing import HyperPrior
from kan_tabular.training.circuit import DualNetwork
from kan_tabular.training.folds import assign_folds
from kan_tabular.training.gains import first_layer_gains
from kan_tabular.training.hand_over import continue_from, no_curves, read_members, where_it_ended, with_coefficients
from kan_tabular.training.lbfgs import train_full_batch
from kan_tabular.training.learned_inputs import LearnedInputs, learned_parts
from kan_tabular.training.network import MemberNetwork
from kan_tabular.training.pooled import PooledNetwork
from kan_tabular.training.sparsity import EdgeSparsity
from kan_tabular.training.stacking import stack
from kan_tabular.training.trainer import Schedule, TrainingData, limited_threads, train

#: Rows on which the sizes of edges and features are measured.
_MEASURED_ROWS = 256
#: Rows on which the start is scaled.
_SCALED_ROWS = 256
#: Interior knots of the first layer's curves, and of the additive fit.
_KNOTS = 10
#: Coefficients (columns times outputs) beyond which there is no additive fit: its work is cubic in them.
_MOST_ADDITIVE = 1200
#: Settings that are trained to the end, at most.
_FINALISTS = 3


@dataclass(frozen=True)
class Setting:
    """One way to train a member: weight decay, ease of bending of the first layer's curves, additive start.

    With a `Pool` also the space that all nodes have, where they are not to choose.
    """

    alpha: float
    bend: float
    additive: bool
    space: int | None = None


@dataclass(frozen=True)
class Options:
    """What the estimator was asked for, with "auto" resolved.

    Attributes
    ----------
    settings : tuple of Setting
        Each is trained for every fold.
    additive : bool
        Whether the additive fit is a candidate even where no setting begins at it.
    hidden : tuple of int or (int, int)
        Nodes of each hidden layer; a pair is (sums, products).
    family : Basis or None
        Of all curves but the additive fit's, which are B-splines where this is a `Pool` or has functions to learn;
        None stands for B-splines, with sizes in the hidden nodes as the schedule has them.
    n_estimators : int
        Members a setting, each leaving out one fold.
    hold_out : bool
        Whether members leave rows out: to keep the best state and to weigh the settings.
    validation_fraction : float
        Rows to leave out when there is a single member.
    sparsity : float
    full_batch : bool
        L-BFGS on all rows in place of stochastic steps.
    schedule : Schedule
    device : str
    per_edge : bool
        Whether every edge chooses its space from a `Pool`, not every node.
    choose_hidden : bool
        Whether hidden nodes choose, too; otherwise they have B-splines.
    straight : bool
        Whether numeric columns enter the first layer as straight lines alone: a projection.
    circuit : Circuit or None
        What stands beside the hidden layers.
    """

    settings: tuple
    additive: bool
    hidden: tuple
    family: Basis | None
    n_estimators: int
    hold_out: bool
    validation_fraction: float
    sparsity: float
    full_batch: bool
    schedule: Schedule
    device: str
    per_edge: bool = False
    choose_hidden: bool = False
    straight: bool = False
    circuit: Circuit | None = None

    def without_additive_start(self):
        """The same, with every setting starting at the constant (those that then are the same: once)."""
        settings = tuple(dict.fromkeys(replace(s, additive=False) for s in self.settings))
        return replace(self, settings=settings, additive=False)


@dataclass
class Report:
    """What happened: held-out losses and weights of the candidates, epochs trained.

    With a `Pool` also the space that each node of the members that count ended with (by layer, the inputs first; the
    member axis as in `PooledNetwork.chosen`), and the path of the weights.
    """

    candidates: list
    losses: np.ndarray
    weights: np.ndarray
    n_epochs: int
    spaces: list | None = None
    path: list | None = None


def fit_deep(
    encoded, features, y, weights, likelihood, options, rng, *, offset=0.0, groups=None, callback=None, start=None
):
    """Train an ensemble and hand it over.

    Parameters
    ----------
    encoded : ndarray (n, p)
        From `TableEncoder`.
    features : list of Feature
    y : ndarray (n,)
    weights : ndarray (n,)
        Frequencies, all positive.
    likelihood : Likelihood
    options : Options
    rng : numpy.random.Generator
    offset : float or ndarray (n,)
        Known part of the linear predictor (log exposure).
    groups : array (n,), optional
        Rows that no split may separate.
    start : DeepNetwork, optional
        Whose members to go on with.

    Returns
    -------
    network : DeepNetwork
    report : Report
    """
    n = len(y)
    C = likelihood.n_outputs
    shift, scale = _standardiser(y, weights, likelihood)
    if likelihood.moves_with_target:
        y = (y - shift) / scale if y.ndim == 2 else (y - shift[0]) / scale[0]
    known = np.broadcast_to(np.asarray(offset, float).reshape(-1, 1), (n, 1))

    family = BSpline(_KNOTS) if options.family is None else options.family
    held_out = _held_out(options, y, weights, groups, likelihood, rng)
    with small_blas((columns_of(family) + 1) * encoded.shape[1]):
        front = Front.fit(encoded, features, weights)
        seen = front(encoded)

        def problem_of(family):
            outputs = 1 if y.ndim == 2 else C
            how = {"smoothing": "auto", "select": True, "n_outputs": outputs, "device": "cpu"}
            return build_problem(seen, features, weights, family=family, **how)

        problem = problem_of(BSpline(0, degree=1) if options.straight else family)
        # The additive fit needs no choice of spaces and nothing to learn: penalised B-splines draw any curve.
        as_it_is = not (isinstance(family, Pool) or options.straight) and family.linear
        alone = problem if as_it_is else problem_of(BSpline(_KNOTS))
        additive = None
        if alone.design.n_columns * C > _MOST_ADDITIVE:
            options = options.without_additive_start()
        settings = options.settings
        if options.additive or any(s.additive for s in settings):
            additive = _Additive(alone, likelihood, y, weights, known, held_out)
    base = np.asarray(likelihood.initial(y, weights, known[:, 0]), float)

    seed = int(rng.integers(2**63))
    device = torch.device(options.device)
    generator = torch.Generator().manual_seed(seed)
    folds = held_out if held_out is not None else [None] * options.n_estimators
    basis, schedule = _hidden_basis(options), options.schedule
    if start is not None:
        basis, sizes = where_it_ended(start, basis, schedule.sizes)
        schedule = replace(schedule, sizes=sizes)
    network = _make_network(problem, family, options, len(folds), C, basis, generator).to(device)
    X = problem.design.matrix(np.float32)
    if network.learned is not None:
        X = network.learned.design(problem.design.matrix(np.float64), seen)
    data = _training_data(X, y, weights, known, base, additive, settings, folds, device)
    if start is None:
        some = np.linspace(0, n - 1, min(n, _SCALED_ROWS)).astype(int)  # tables may come in order
        network.even_out(data.X[some], data.weights[some])
    else:
        continue_from(network, start, problem.terms, seen, encoded, weights, scale, schedule.sizes)
    ensemble = _Ensemble(additive, likelihood, base, known, y, weights, held_out)
    decay = np.array([s.alpha for s in settings])
    with limited_threads(schedule.batch_size * network.gain.numel() * n_sums(options.hidden[0])):
        if options.full_batch:
            trained = train_full_batch(network, data, likelihood, decay, schedule, callback)
        else:
            penalty = EdgeSparsity(options.sparsity, [t.curves.n_columns for t in problem.terms], device)
            select = ensemble.most_useful if start is None else None
            trained = train(
                network, data, likelihood, decay, schedule, generator, penalty, callback, select, start is not None
            )

    losses, shares = ensemble.weigh(trained)
    names = (["additive"] if additive is not None else []) + list(settings)
    report = Report(names, losses, shares, trained.n_epochs)
    share = np.tile(shares[-len(settings) :][trained.settings] / len(folds), len(folds))
    if isinstance(network, PooledNetwork):
        kept = np.flatnonzero(share > 0)
        report.spaces = [np.take(c, kept, 0 if layer else 1) for layer, c in enumerate(network.chosen())]
        report.path = network.path
    intercept, parts = _additive_part(additive, alone.terms, settings, shares, base)
    density, edges = densities(encoded, features, weights)
    fitted = DeepNetwork(
        features=features,
        front=front,
        **read_members(network, share, problem.terms, seen, weights),
        additive=parts,
        intercept=intercept,
        likelihood=likelihood,
        scale=scale,
        shift=shift,
        density=density,
        density_edges=edges,
        mean_abs=np.zeros(len(features)),
        sizes=[],
        ranges=[],
    )
    rows = np.sort(rng.permutation(n)[:_MEASURED_ROWS])
    sample = encoded[rows]
    fitted.mean_abs = np.average(np.abs(fitted.left_out(sample)).mean(2), axis=0, weights=weights[rows])
    fitted.sizes, fitted.ranges = fitted.edge_sizes(sample), fitted.node_ranges(sample)
    return fitted, report


def _hidden_basis(options):
    """The basis of the hidden nodes, at its first size."""
    plain = options.family is None or (isinstance(options.family, Pool) and not options.choose_hidden)
    return NodeSpline(options.schedule.sizes[0]) if plain else Clipped(options.family)


def _make_network(problem, family, options, n_folds, n_outputs, basis, generator):
    """Members for every fold and setting, at their start."""
    gains = np.tile(first_layer_gains(problem.terms, options.settings), (n_folds, 1))
    shape = (gains, options.hidden, n_outputs, basis, generator)
    learned = LearnedInputs(problem.terms, len(gains)) if learned_parts(problem.terms) else None
    if options.circuit is not None:
        return DualNetwork(*shape, options.circuit, learned)
    if not isinstance(family, Pool):
        return MemberNetwork(*shape, learned)
    owners = [np.repeat(t.spaces, [size for _, size in t.groups]).astype(int) for t in problem.terms]
    return PooledNetwork(
        *shape,
        learned=learned,
        owners=np.concatenate(owners),
        grams=problem.grams(),
        n_spaces=len(family.spaces),
        per_edge=options.per_edge,
        only=[s.space for s in options.settings] * n_folds,
    )


def _additive_part(additive, terms, settings, shares, base):
    """Intercept (C,) and curves of what stands beside the members: the additive fit's own share, and their starts."""
    intercept = base * (1 - shares[: -len(settings)].sum())
    if additive is None:
        return intercept, [no_curves(len(base)) for _ in terms]
    begun = shares[-len(settings) :] @ np.array([float(s.additive) for s in settings])
    b = shares[0] * additive.b + begun * additive.folds.mean(0)
    return intercept - begun * base + b[0], with_coefficients(terms, b[1:])


def _standardiser(y, weights, likelihood):
    """Mean and standard deviation of each target, one an output; 0 and 1 where the target must stay as it is."""
    C = likelihood.n_outputs
    shift, scale = np.zeros(C), np.ones(C)
    if likelihood.moves_with_target:
        shift[:] = np.average(y, axis=0, weights=weights)
        spread = np.sqrt(np.average((y - np.average(y, axis=0, weights=weights)) ** 2, axis=0, weights=weights))
        scale[:] = np.where(spread > 1e-12 * np.abs(shift), spread, 1.0)
    return shift, scale


def _held_out(options, y, weights, groups, likelihood, rng):
    """Rows that the members of each fold do not see; None when all see everything."""
    n = len(y)
    if not options.hold_out:
        return None
    classes = y.astype(int) if likelihood.name in ("log_loss", "multinomial") else None
    if options.n_estimators == 1:
        parts = max(round(1 / options.validation_fraction), 2)
        fold = assign_folds(parts, n, rng, classes, groups)
        held = [np.flatnonzero(fold == 0)]
    else:
        fold = assign_folds(options.n_estimators, n, rng, classes, groups)
        held = [np.flatnonzero(fold == f) for f in range(fold.max() + 1)]
    # Whoever holds rows out must have some left to learn from.
    return held if all(0 < len(rows) < n - 1 for rows in held) else None


class _Additive:
    """The additive fit of the whole table, and those without each fold.

    Attributes
    ----------
    problem : Problem
    b : ndarray (q, C)
    folds : ndarray (F, q, C)
    unseen : ndarray (n, C)
        Linear predictor of each row by the fit that did not see it, the known part left out (NaN where all did).
    """

    def __init__(self, problem, likelihood, y, weights, known, held_out):
        self.problem = problem
        design = problem.design
        offset = known if known.any() else 0.0
        parts = [(likelihood, y)]
        if y.ndim == 2:  # several targets: a fit each
            parts = [(Gaussian(), y[:, k]) for k in range(y.shape[1])]
        fits = [self._fit(like, target, weights, offset, held_out) for like, target in parts]
        self.b = np.concatenate([b for b, _ in fits], axis=-1)
        self.folds = np.concatenate([folds for _, folds in fits], axis=-1)
        self.unseen = np.full((len(y), likelihood.n_outputs), np.nan)
        for b, rows in zip(self.folds, held_out or (), strict=False):
            self.unseen[rows] = design.rows(rows).linear(b)

    def _fit(self, likelihood, y, weights, offset, held_out):
        """Coefficients of the whole table (q, C) and without each fold (F, q, C)."""
        problem, groups = self.problem, self.problem.groups
        prior = HyperPrior(groups, True, GUARD)
        settings = {"max_iter": 30, "tol": 1e-3}
        with warnings.catch_warnings():  # it is only a start
            warnings.simplefilter("ignore", ConvergenceWarning)
            fit = fit_additive(problem.design, likelihood, y, weights, offset, groups, prior, problem.rho, **settings)
        if held_out is None:
            return fit.b, fit.b[None]
        precision = groups.precision(fit.rho)
        return fit.b, cross_fit(problem.design, likelihood, y, weights, offset, precision, fit.b, held_out)

    def linear(self):
        """Linear predictor of every row by each fold's fit: (F, n, C)."""
        return np.stack([self.problem.design.linear(b) for b in self.folds])


def _training_data(X, y, weights, known, base, additive, settings, folds, device):
    def tensor(array):
        return torch.tensor(array, dtype=torch.float32, device=device)

    F, C = len(folds), len(base)
    offsets = np.zeros((F, 0, C))
    if additive is not None:
        offsets = np.broadcast_to(additive.linear(), (F, len(y), C))
    return TrainingData(
        X=tensor(X),
        y=tensor(y),
        weights=tensor(weights / weights.mean()),  # single precision overflows early
        known=tensor(known),
        offsets=tensor(offsets),
        base=tensor(base),
        additive=tensor([float(s.additive) for s in settings]),
        held_out=None if folds[0] is None else [torch.as_tensor(rows, device=device) for rows in folds],
    )


class _Ensemble:
    """How much each candidate counts: the additive fit (if there is one) and each setting."""

    def __init__(self, additive, likelihood, base, known, y, weights, held_out):
        self.likelihood, self.n_first = likelihood, int(additive is not None)
        if held_out is None:
            self.rows = None
            return
        self.rows = rows = np.sort(np.concatenate(held_out))
        self.start, self.y, self.weights = base + known[rows], y[rows], weights[rows]
        self.first = additive.unseen[rows][None] - base if additive is not None else np.zeros((0, *self.start.shape))

    def _stack(self, said):
        """Held-out losses and weights of the candidates; `said` are the settings' linear predictors (S, n, C)."""
        said = said[:, self.rows]
        usable = np.isfinite(said).all((1, 2))
        parts = np.concatenate([self.first, np.where(usable[:, None, None], said - self.start, 0.0)])
        value, total = self.likelihood.value, self.weights.sum()
        losses = np.array([-value(self.start + part, self.y, self.weights) / total for part in parts])
        return losses, stack(self.likelihood, self.start, parts, self.y, self.weights)

    def most_useful(self, said):
        """The settings that count most in the ensemble so far, a list of int in order."""
        _, shares = self._stack(said.double().cpu().numpy())
        return sorted(np.argsort(-shares[self.n_first :], kind="stable")[:_FINALISTS].tolist())

    def weigh(self, trained):
        """Held-out losses and weights of all candidates; settings that were given up have weight 0."""
        n = self.n_first + len(trained.losses)
        losses, shares = np.full(n, np.nan), np.zeros(n)
        kept = np.concatenate([np.arange(self.n_first), self.n_first + trained.settings])
        if self.rows is None:
            shares[self.n_first :] = 1 / len(trained.settings)
            return losses, shares
        losses[self.n_first :] = trained.losses
        losses[kept], shares[kept] = self._stack(trained.held_out)
        return losses, shares
