"""DualChannelKAN: a network of curves and a simulated quantum circuit, trained together."""

from __future__ import annotations

from dataclasses import replace

from kan_tabular.estimators._validation import check_number
from kan_tabular.estimators.network import LogisticKAN
from kan_tabular.fitted.circuit import EMBEDDINGS, MOST_QUBITS, Circuit

CHANNELS = ("kan", "circuit")


class DualChannelKAN(LogisticKAN):
    """Kolmogorov-Arnold network with a variational circuit beside it, for two or more classes.

    The idea of KACQ-DCNN on tables: in every member of the ensemble one layer of curves leads to two channels. The KAN
    channel has the hidden layers of `LogisticKAN`. The circuit channel embeds sums of curves in a few qubits, turns
    and entangles them, and measures each; the state vector is computed exactly, without noise or sampling. A last layer
    of curves joins both. Folds, settings, additive part, held-out rows and stacking are those of `LogisticKAN`.

    Simulated exactly, four qubits are a small trigonometric network: each output is a polynomial in the sines and
    cosines of its four inputs (in their amplitudes, for the other embedding) whose coefficients hang together by a few
    angles. Nothing is computed that other functions could not learn as well. Whether it pays is a question of data:
    compare `channels` (docs/benchmarks/kacq.md does for one table).

    Parameters
    ----------
    channels : sequence of {"kan", "circuit"}, default=("kan", "circuit")
        Which channels there are. ``("kan",)`` is `LogisticKAN`, bit by bit; with ``("circuit",)`` the sums of curves
        reach the output through the circuit alone (and through the additive part, unless ``additive_start=False``).
    n_qubits : int, default=4
        At most 8: work and memory of a member grow as ``4^n_qubits``.
    n_layers : int, default=1
        Layers of rotations and entangling gates, after one embedding.
    embedding : {"angle", "amplitude"}, default="angle"
        Each qubit is turned by one sum of curves, or ``2^n_qubits`` sums, divided by their length, are the amplitudes
        of the state.
    hidden_layer_sizes : tuple of int or (int, int), default=(24, 8)
        Of the KAN channel, as in `LogisticKAN`; without that channel it counts for nothing.
    basis, grid_size, n_estimators, additive_start, max_iter, batch_size
        As in `LogisticKAN`.
    learning_rate_init, alpha, smoothness, sparsity, early_stopping, validation_fraction, n_iter_no_change, max_time
        As in `LogisticKAN`. Angles of the circuit learn at a tenth of the rate and have no weight decay.
    categorical_features, class_weight, device, random_state, verbose
        As in `LogisticKAN`.

    Attributes
    ----------
    classes_, network_, encoder_, candidates_, feature_importances_, n_iter_
        As in `LogisticKAN`. ``network_.circuit`` holds the circuits' angles (None without that channel).

    Notes
    -----
    What `LogisticKAN` says about its predictions is there, except the picture: a circuit has no curves that
    `NetworkDisplay` could draw.

    References
    ----------
    Jahin et al. (2024), arXiv 2410.07446 (KACQ-DCNN); Schuld, Bocharov, Svore & Wiebe (2020), arXiv 1804.00633
    (circuit-centric classifiers: amplitude embedding, strongly entangling layers).
    """

    # What it does not offer.
    projection, solver, warm_start = None, "adam", False

    def __init__(
        self,
        *,
        channels=CHANNELS,
        n_qubits=4,
        n_layers=1,
        embedding="angle",
        hidden_layer_sizes=(24, 8),
        basis="bspline",
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
        self.channels = channels
        self.n_qubits = n_qubits
        self.n_layers = n_layers
        self.embedding = embedding
        self.hidden_layer_sizes = hidden_layer_sizes
        self.basis = basis
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

    def _check_settings(self):
        super()._check_settings()
        named = list(self.channels) if isinstance(self.channels, (list, tuple)) else []
        if named not in (["kan"], ["circuit"], ["kan", "circuit"], ["circuit", "kan"]):
            raise ValueError(
                f"channels={self.channels!r}: expected ('kan', 'circuit'), or one of the two, as in ('circuit',)."
            )
        for name in ("n_qubits", "n_layers"):
            check_number(self, name, 1, integer=True)
        if self.n_qubits > MOST_QUBITS:
            raise ValueError(f"n_qubits={self.n_qubits!r}: expected at most {MOST_QUBITS}; the simulation is exact.")
        if self.embedding not in EMBEDDINGS:
            raise ValueError(f"embedding={self.embedding!r}: expected 'angle' or 'amplitude'.")

    def _options(self, n, additive_fit, warm=False):
        options = super()._options(n, additive_fit)
        if "circuit" not in self.channels:
            return options
        circuit = Circuit(int(self.n_qubits), int(self.n_layers), self.embedding)
        return replace(options, circuit=circuit, hidden=options.hidden if "kan" in self.channels else (0,))
