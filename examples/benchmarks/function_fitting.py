"""Which family of curves fits which function: S-KAN against each family on its own, at equal size and equal steps.

Run the fits (resumes from the cache; one thread), and print the page::

    python examples/benchmarks/function_fitting.py run
    python examples/benchmarks/function_fitting.py report --out docs/benchmarks/function-fitting.md

Seven functions of one or two variables, ten Feynman formulas (Udrescu and Tegmark 2020, their ranges), and three
hierarchical polynomials g(p(x)) with a random quadratic p in ten dimensions. Every network is a single one, trained on
the same 1,000 rows for the same number of steps with the same settings; its width is the one that brings its
parameters nearest to the task's budget. Errors are against the function without noise, on 2,000 new rows.
"""

from __future__ import annotations

import os

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")  # before NumPy is imported

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
from _common import append_line, machine_section, mean_ranks, read_lines, table
from sklearn.linear_model import RidgeCV
from sklearn.neural_network import MLPRegressor

RESULTS = Path(__file__).resolve().parent / "results" / "function_fitting.jsonl"
PACKAGES = ("kan-tabular", "numpy", "scikit-learn", "torch")
N_TRAIN, N_TEST, EPOCHS, BATCH = 1_000, 2_000, 100, 100
NOISE = 0.3
SEEDS = 10
#: One strength of everything, for all families alike.
SETTINGS = {"alpha": 0.01, "smoothness": 1.0, "additive_start": False, "early_stopping": False, "n_estimators": 1}


def _box(p, low=-1.0, high=1.0):
    return np.array([[low, high]] * p)


def _hierarchical(g):
    """g(p(x)) with a quadratic p of variance one, drawn once for all seeds."""
    rng = np.random.default_rng(7)
    A, b = rng.normal(size=(10, 10)) / 10, rng.normal(size=10) / np.sqrt(10)

    def function(X):
        return g(1.5 * (np.einsum("ni,ij,nj->n", X, A, X) + X @ b))

    return function, _box(10), 2000


def _feynman(function, *ranges):
    return (lambda X: function(*X.T)), np.array(ranges, float), 600


#: Name: (function of (n, p), ranges (p, 2), parameters).
TASKS = {
    "smooth": (lambda X: np.exp(np.sin(np.pi * X[:, 0]) + X[:, 1] ** 2), _box(2), 300),
    "oscillating": (lambda X: np.sin(10 * X[:, 0]) * np.exp(-(X[:, 0] ** 2)), _box(1), 150),
    "discontinuous": (lambda X: np.sign(X[:, 0] - 0.2) + 0.5 * (X[:, 1] < -0.4), _box(2), 300),
    "sharp peak": (lambda X: 1 / (1 + 100 * ((X[:, 0] - 0.2) ** 2 + (X[:, 1] + 0.1) ** 2)), _box(2), 300),
    "high frequency": (lambda X: np.sin(20 * X[:, 0]) + 0.5 * X[:, 1], _box(2), 300),
    "multiplicative": (lambda X: X[:, 0] * X[:, 1], _box(2), 300),
    "noisy": (lambda X: np.sin(3 * X[:, 0]) + X[:, 1] ** 2, _box(2), 300),
    "I.6.20": _feynman(lambda t, s: np.exp(-((t / s) ** 2) / 2) / (np.sqrt(2 * np.pi) * s), (1, 3), (1, 3)),
    "I.8.14": _feynman(lambda a, b, c, d: np.hypot(b - a, d - c), (1, 5), (1, 5), (1, 5), (1, 5)),
    "I.12.11": _feynman(lambda q, e, b, v, t: q * (e + b * v * np.sin(t)), (1, 5), (1, 5), (1, 5), (1, 5), (1, 5)),
    "I.15.3x": _feynman(lambda x, u, c, t: (x - u * t) / np.sqrt(1 - (u / c) ** 2), (5, 10), (1, 2), (3, 20), (1, 2)),
    "I.16.6": _feynman(lambda u, v, c: (u + v) / (1 + u * v / c**2), (1, 5), (1, 5), (1, 5)),
    "I.18.4": _feynman(lambda m, n, r, s: (m * r + n * s) / (m + n), (1, 5), (1, 5), (1, 5), (1, 5)),
    "I.26.2": _feynman(lambda n, t: np.arcsin(n * np.sin(t)), (0, 1), (1, 5)),
    "I.27.6": _feynman(lambda d, e, n: 1 / (1 / d + n / e), (1, 5), (1, 5), (1, 5)),
    "I.37.4": _feynman(lambda i, j, d: i + j + 2 * np.sqrt(i * j) * np.cos(d), (1, 5), (1, 5), (1, 5)),
    "I.50.26": _feynman(
        lambda x, w, t, a: x * (np.cos(w * t) + a * np.cos(w * t) ** 2), (1, 3), (1, 3), (1, 3), (1, 3)
    ),
    "sin(p)": _hierarchical(lambda p: np.sin(2 * p)),
    "bump(p)": _hierarchical(lambda p: np.exp(-2 * p**2)),
    "|p|": _hierarchical(np.abs),
}


def families():
    """Each family of S-KAN's default pool on its own, and two more; by name only, those that are learned."""
    from kan_tabular.bases import Daruan, Fourier, FreeKnots, GaussianRBF, Rational
    from kan_tabular.estimators.selectable import SPACES

    learned = {
        "daruan": Daruan(),
        "daruan 1-3": Daruan(n_repetitions=(1, 3)),
        "free_knots": FreeKnots(),
        "rational": Rational(),
        "rational 4 groups": Rational(n_groups=4),
    }
    return {b.name: b for b in (*SPACES, GaussianRBF(13), Fourier(6, half_period=False))} | learned


KANS = ("bspline", "chebyshev", "cosine", "piecewise_linear", "wavelet", "gaussian", "fourier", "skan")
MODELS = (*KANS, "mlp", "random")


def draw(task, seed):
    """Training rows and targets (standardised, with noise where the task has it), test rows and true targets."""
    function, ranges, _ = TASKS[task]
    rng = np.random.default_rng(seed)
    X = rng.uniform(ranges[:, 0], ranges[:, 1], (N_TRAIN + N_TEST, len(ranges)))
    y = function(X)
    y = (y - y[:N_TRAIN].mean()) / y[:N_TRAIN].std()
    noise = NOISE * rng.normal(size=N_TRAIN) if task == "noisy" else 0.0
    return X[:N_TRAIN], y[:N_TRAIN] + noise, X[N_TRAIN:], y[N_TRAIN:]


def kan(model, hidden, seed, epochs=EPOCHS):
    from kan_tabular import KANRegressor, SKANRegressor

    common = {**SETTINGS, "hidden_layer_sizes": hidden, "max_iter": epochs, "batch_size": BATCH, "random_state": seed}
    if model == "skan":
        return SKANRegressor(**common)
    return KANRegressor(basis=model if model == "bspline" else families()[model], **common)


def n_parameters(model):
    """Coefficients that are not zero, biases, and what columns and nodes learn of their functions, of a network."""
    network = model.network_
    count = sum(np.count_nonzero(c.coefficients) for c in network.inputs) + network.bias.size
    for j in network.learned:
        count += sum(values.size for values in network.inputs[j].shapes.values())
    for layer in network.layers:
        count += np.count_nonzero(layer.coefficients) + layer.bias.size
        for values in layer.shapes.values():
            width = values.shape[1]
            count += values.size // width * min(network.basis.n_groups or width, width)
    return count


def hidden_sizes(task, width):
    return (width, 4) if len(TASKS[task][1]) == 10 else (width,)


def width_for(task, model, X, y):
    """The width that brings the parameters of a network nearest to the task's budget."""
    budget, counts = TASKS[task][2], {}
    for width in range(1, 40):
        if model == "mlp":
            counts[width] = sum((a + 1) * b for a, b in ((X.shape[1], width), (width, width), (width, 1)))
        else:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                fitted = kan(model, hidden_sizes(task, width), 0, 1).fit(X, y)
            counts[width] = n_parameters(fitted)
        if counts[width] > budget:
            break
    width = min(counts, key=lambda w: abs(counts[w] - budget))
    if model == "skan":  # its size depends on what it chooses, which one epoch does not show
        width = max(round(width * budget / n_parameters(kan(model, hidden_sizes(task, width), 0).fit(X, y))), 1)
    return width


class RandomFeatures:
    """Cosines of random projections, band-limited (standard deviation of the frequencies chosen), output by ridge."""

    def __init__(self, n_features, seed):
        self.n_features, self.rng = n_features, np.random.default_rng(seed)

    def fit(self, X, y):
        self.center, self.spread = X.mean(0), X.std(0)
        fits = []
        held = np.arange(len(X)) % 5 == 0
        for band in (0.5, 1.0, 2.0, 4.0, 8.0, 16.0):
            self.W, self.b = band * self.rng.normal(size=(X.shape[1], self.n_features)), None
            self.b = self.rng.uniform(0, 2 * np.pi, self.n_features)
            model = RidgeCV(np.logspace(-8, 2, 11)).fit(self.columns(X[~held]), y[~held])
            error = np.mean((model.predict(self.columns(X[held])) - y[held]) ** 2)
            fits.append((error, self.W, self.b))
        _, self.W, self.b = min(fits, key=lambda fit: fit[0])
        self.model = RidgeCV(np.logspace(-8, 2, 11)).fit(self.columns(X), y)
        return self

    def columns(self, X):
        return np.cos((X - self.center) / self.spread @ self.W + self.b)

    def predict(self, X):
        return self.model.predict(self.columns(X))


def fit_one(task, model, width, seed):
    """Error on new rows (root mean square, in standard deviations of the target), parameters, and seconds."""
    X, y, X_new, y_new = draw(task, seed)
    start = time.process_time()
    if model == "random":
        fitted = RandomFeatures(TASKS[task][2] - 1, seed).fit(X, y)
        size = TASKS[task][2]
    elif model == "mlp":
        mean, spread = X.mean(0), X.std(0)
        X, X_new = (X - mean) / spread, (X_new - mean) / spread
        settings = {"batch_size": BATCH, "max_iter": EPOCHS, "n_iter_no_change": EPOCHS, "random_state": seed}
        fits = [
            MLPRegressor(hidden_layer_sizes=(width, width), learning_rate_init=rate, **settings).fit(X, y)
            for rate in (0.001, 0.003, 0.01, 0.03)
        ]
        fitted = min(fits, key=lambda f: f.loss_)  # its best rate, as the others' is chosen
        size = sum(c.size for c in (*fitted.coefs_, *fitted.intercepts_))
    else:
        fitted = kan(model, hidden_sizes(task, width), seed).fit(X, y)
        size = n_parameters(fitted)
    seconds = time.process_time() - start
    return float(np.sqrt(np.mean((fitted.predict(X_new) - y_new) ** 2))), int(size), seconds


def run(args):
    done = {(r["task"], r["model"], r["seed"]) for r in read_lines(RESULTS)}
    warnings.simplefilter("ignore")  # scikit-learn's MLP: no convergence
    for task in args.tasks or TASKS:
        X, y, *_ = draw(task, 0)
        widths = {}
        for seed in range(args.seeds):
            for model in args.models:
                if (task, model, seed) in done:
                    continue
                if model not in widths:
                    widths[model] = 0 if model == "random" else width_for(task, model, X, y)
                error, size, seconds = fit_one(task, model, widths[model], seed)
                append_line(
                    RESULTS,
                    {"task": task, "model": model, "seed": seed, "error": error, "size": size, "seconds": seconds},
                    PACKAGES,
                )
        print(task, {m: f"{error_of(task, m):.4f}" for m in args.models}, flush=True)


def error_of(task, model, lines=None):
    found = [r["error"] for r in lines or read_lines(RESULTS) if r["task"] == task and r["model"] == model]
    return float(np.median(found)) if found else np.nan


def report(args):
    """The page, from the cache alone."""
    lines = read_lines(RESULTS)
    tasks = [t for t in TASKS if any(r["task"] == t for r in lines)]
    errors = np.array([[error_of(t, m, lines) for m in MODELS] for t in tasks])
    skan, singles = MODELS.index("skan"), [i for i, m in enumerate(MODELS) if m not in ("skan", "mlp", "random")]
    rows, ratios = [], []
    for task, own in zip(tasks, errors, strict=True):
        size = TASKS[task][2]
        floor = NOISE * np.sqrt(size / N_TRAIN) if task == "noisy" else 0.0
        ratios.append(own[skan] / max(own[singles].min(), floor))
        best = np.nanmin(own)
        rows.append(
            [task.replace("|", "\\|"), *(f"**{e:.4f}**" if e == best else f"{e:.4f}" for e in own), f"{ratios[-1]:.2f}"]
        )
    sizes = [
        [
            t.replace("|", "\\|"),
            *(int(np.median([r["size"] for r in lines if r["task"] == t and r["model"] == m] or [0])) for m in MODELS),
        ]
        for t in tasks
    ]
    complete = ~np.isnan(errors).any(1)
    ranks = mean_ranks(errors[complete])
    seconds = [np.median([r["seconds"] for r in lines if r["model"] == m] or [np.nan]) for m in MODELS]
    seeds = {len([1 for r in lines if r["task"] == t and r["model"] == "skan"]) for t in tasks}
    within = int(np.sum(np.array(ratios) <= 1.5))
    text = "\n".join(
        [
            "# Function fitting: which family of curves\n",
            "Printed by `examples/benchmarks/function_fitting.py report`.\n",
            f"Root mean squared error on {N_TEST} new rows, in standard deviations of the target, against the function "
            f"without noise; medians over {'-'.join(map(str, sorted(seeds)))} seeds. {N_TRAIN} rows, {EPOCHS} "
            f"epochs of {N_TRAIN // BATCH} steps for every network, one network each, no early stopping, the same "
            f"settings ({', '.join(f'{k}={v}' for k, v in SETTINGS.items())}). `skan`: the pool of the first five, one "
            "space an input at the end. `mlp`: scikit-learn's, two layers, Adam, the best of four learning rates by "
            "training loss. `random`: cosines of random projections, the best of six bands by held-out rows, only the "
            "output trained. The last column is S-KAN's error over that of the best single family (for the noisy task: "
            f"over its noise floor, {NOISE} sqrt(parameters / rows), where that is larger). Bar: 1.5 on every task.\n",
            table(["task", *MODELS, "skan / best"], rows),
            f"Within 1.5 times the best single family: {within} of {len(tasks)} tasks; largest {max(ratios):.2f}, "
            f"median {np.median(ratios):.2f}.\n",
            f"Mean rank over {int(complete.sum())} tasks, and median processor seconds a fit:\n",
            table(["", *MODELS], [["rank", *(f"{r:.2f}" for r in ranks)], ["seconds", *(f"{s:.2f}" for s in seconds)]]),
            "Parameters at the end (coefficients that are not zero, and biases). While it trains, S-KAN has those of "
            "all spaces:\n",
            table(["task", *MODELS], sizes),
            *machine_section(records=lines),
        ]
    )
    print(text)
    if args.out:
        args.out.write_text(text.rstrip() + "\n", encoding="utf-8")


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    runs = commands.add_parser("run", help="fit what the cache does not have")
    runs.set_defaults(do=run)
    runs.add_argument("--tasks", type=lambda text: text.split(","))
    runs.add_argument("--models", type=lambda text: text.split(","), default=MODELS)
    runs.add_argument("--seeds", type=int, default=SEEDS)
    prints = commands.add_parser("report", help="print the page from the cache")
    prints.set_defaults(do=report)
    prints.add_argument("--out", type=Path)
    args = parser.parse_args(argv)
    args.do(args)


if __name__ == "__main__":
    main()
