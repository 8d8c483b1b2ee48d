"""Networks with hidden layers: speed of training, of single layers and of prediction, memory, and accuracy.

Each part prints Markdown and keeps its numbers in ``results/networks.jsonl``::

    python examples/benchmarks/networks.py pykan --pykan-python PATH   # an environment with pykan 0.2.8
    python examples/benchmarks/networks.py layers                      # one training step of a hidden layer
    python examples/benchmarks/networks.py variance                    # of the nodes, through eight layers
    python examples/benchmarks/networks.py fit-time                    # against MLPClassifier and XGBoost
    python examples/benchmarks/networks.py predict                     # latency of one row; loading without torch
    python examples/benchmarks/networks.py scaling                     # rows, members, memory
    python examples/benchmarks/networks.py accuracy --results FILE...  # what shared/bench/compare.py wrote
    python examples/benchmarks/networks.py report --out docs/benchmarks/networks.md

One thread everywhere. Times are processor seconds, compared within one run, the candidates taking turns; medians are
shown.
"""

from __future__ import annotations

import os

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")  # before NumPy is imported

import argparse
import cProfile
import importlib.util
import json
import pstats
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import _network_pages as pages
import numpy as np
from _common import append_line, machine_section, read_lines

PACKAGES = ("kan-tabular", "numpy", "scipy", "scikit-learn", "torch", "xgboost")

ARCHITECTURES = ((30, 5, 5, 2), (30, 16, 1))
LEARNING_RATES = (1e-3, 1e-2)
PYKAN_STEPS = 1000
SHAPES = ((256, 16, 64), (2048, 16, 64), (256, 64, 64), (128, 30, 16))
SIZES = (1_000, 10_000, 100_000)
MEMBERS = (2, 4, 8, 16)
DEPTH = 8


def record(what, **values):
    append_line(pages.RESULTS, {"what": what, **values}, PACKAGES)


def interleaved(calls, rounds, repeats=1):
    """Median processor seconds of each call, the calls taking turns: other work on the machine hardly shows.

    Parameters
    ----------
    calls : dict of callables
    rounds, repeats : int
        Rounds of turns; calls in one turn.
    """
    times = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            start = time.process_time()
            for _ in range(repeats):
                call()
            times[name].append((time.process_time() - start) / repeats)
    return {name: float(np.median(t)) for name, t in times.items()}


# --------------------------------------------------------------------------------------------------------- pykan


def design_of(X, y, n_knots):
    """Single-precision design columns of a table, and training data for one member on all rows."""
    import torch

    from kan_tabular.bases import BSpline
    from kan_tabular.encoding import TableEncoder
    from kan_tabular.encoding.table import read_table
    from kan_tabular.fitted.front import Front
    from kan_tabular.likelihoods import Bernoulli
    from kan_tabular.solvers.problem import build_problem
    from kan_tabular.training.trainer import TrainingData

    def tensor(array):
        return torch.tensor(np.asarray(array), dtype=torch.float32)

    n, weights = len(y), np.ones(len(y))
    encoder = TableEncoder("from_dtype")
    Z = encoder.fit_transform(read_table(X), weights)
    Z = Front.fit(Z, encoder.features_, weights)(Z)
    settings = {"family": BSpline(n_knots), "smoothing": "auto", "select": True, "n_outputs": 1, "device": "cpu"}
    design = build_problem(Z, encoder.features_, weights, **settings).design.matrix(np.float32)
    return TrainingData(
        X=tensor(design),
        y=tensor(y),
        weights=tensor(weights),
        known=torch.zeros(n, 1),
        offsets=torch.zeros(1, 0, 1),
        base=tensor(Bernoulli().initial(y, weights)),
        additive=torch.zeros(1),
        held_out=None,
    )


def fit_member(X, y, hidden, target, seed=0):
    """One member on all rows, from the raw table to a training loss of at most `target`.

    Parameters
    ----------
    X : ndarray (n, p)
    y : ndarray (n,)
        0 or 1.
    hidden : tuple of int
    target : float
        Mean cross-entropy.
    seed : int

    Returns
    -------
    dict
        ``loss`` (of the network that is kept, computed afresh), ``evaluations``, ``seconds`` and its parts.
    """
    import torch

    from kan_tabular.bases import NodeSpline
    from kan_tabular.likelihoods import Bernoulli
    from kan_tabular.training.lbfgs import fit_full_batch
    from kan_tabular.training.network import MemberNetwork

    start = time.process_time()
    likelihood, data = Bernoulli(), design_of(X, y, 2)
    designed = time.process_time()
    generator = torch.Generator().manual_seed(seed)
    network = MemberNetwork(np.ones((1, data.X.shape[1])), hidden, 1, NodeSpline(3), generator)
    _, evaluations = fit_full_batch(network, data, likelihood, target=target, max_iter=500, tol=0.0)
    done = time.process_time()
    eta = network(data.X).detach().double().numpy()[0] + data.base.double().numpy()
    loss = -likelihood.value(eta, y, np.ones(len(y))) / len(y)
    parts = {"seconds": done - start, "design_s": designed - start, "training_s": done - designed}
    return {"loss": loss, "evaluations": evaluations, **parts}


def run_pykan(args):
    """pykan and ours in turn, for each architecture and learning rate of pykan."""
    from sklearn.datasets import load_breast_cancer
    from sklearn.preprocessing import StandardScaler

    if args.pykan_python is None:
        print("pykan: SKIPPED, no --pykan-python (the interpreter of an environment with pykan 0.2.8).\n")
        return
    X, y = load_breast_cancer(return_X_y=True)
    X, y = StandardScaler().fit_transform(X), y.astype(float)
    peer = Path(__file__).with_name("_pykan_peer.py")
    for width in ARCHITECTURES:
        for rate in LEARNING_RATES:
            theirs, ours = [], []
            for _ in range(args.rounds):
                command = [args.pykan_python, peer, ",".join(map(str, width)), rate, PYKAN_STEPS]
                with tempfile.TemporaryDirectory() as folder:
                    done = subprocess.run([*map(str, command)], cwd=folder, check=True, text=True, capture_output=True)
                theirs.append(json.loads(done.stdout.split("RESULT ")[-1]))
                target = theirs[-1]["losses"][-1]
                fit_member(X, y, width[1:-1], target)  # first-call work is not part of a fit; pykan's is spread thin
                ours += [fit_member(X, y, width[1:-1], target) for _ in range(5)]
            record(
                "pykan",
                width=[*width, rate],
                target=target,
                pykan_s=float(np.median([t["seconds"][-1] for t in theirs])),
                ours={key: float(np.median([o[key] for o in ours])) for key in ours[0]},
                reached=all(o["loss"] <= target * (1 + 1e-6) for o in ours),
                versions=[f"pykan {theirs[0]['pykan']}", f"torch {theirs[0]['torch']}"],
            )
    print("\n".join(pages.pykan_section()))


# -------------------------------------------------------------------------------------------------------- layers


def run_layers(args):
    """One training step of each layer, in turn."""
    import torch
    from _network_peers import CoxDeBoorLayer, GaussianLayer, NodeSplineLayer

    torch.set_num_threads(1)
    kinds = {"ours": NodeSplineLayer, "cox": CoxDeBoorLayer, "gauss": GaussianLayer}
    for rows, width, outputs in SHAPES:
        generator = torch.Generator().manual_seed(0)
        x = torch.randn(rows, width, generator=generator).requires_grad_()
        slope = torch.randn(rows, outputs, generator=generator)

        def step(layer, x=x, slope=slope):
            x.grad = None
            layer.zero_grad(set_to_none=True)
            layer(x).backward(slope)

        layers = {name: kind(width, outputs, generator) for name, kind in kinds.items()}
        for layer in layers.values():
            step(layer)
        calls = {name: lambda layer=layer, step=step: step(layer) for name, layer in layers.items()}
        record("layers", shape=[rows, width, outputs], seconds=interleaved(calls, args.rounds, 3))
    print("\n".join(pages.layers_section()))


# ------------------------------------------------------------------------------------------------------ variance


def run_variance(args):
    """Variance of the nodes of eight hidden layers, at the start and after training, for every family."""
    import torch
    from sklearn.datasets import load_breast_cancer

    from kan_tabular.bases import REGISTRY, Clipped, NodeSpline, families
    from kan_tabular.likelihoods import Bernoulli
    from kan_tabular.training.network import MemberNetwork
    from kan_tabular.training.sparsity import EdgeSparsity
    from kan_tabular.training.trainer import Schedule, train

    X, y = load_breast_cancer(return_X_y=True)
    data = design_of(X, y.astype(float), 10)
    schedule = Schedule(epochs=args.epochs, batch_size=64, learning_rate=0.01)
    for name in families():
        basis = NodeSpline(5) if name == "bspline" else Clipped(REGISTRY[name]())
        generator = torch.Generator().manual_seed(0)
        network = MemberNetwork(np.ones((1, data.X.shape[1])), (16,) * DEPTH, 1, basis, generator)
        network.even_out(data.X)
        start = node_variances(network, data.X)
        sparsity = EdgeSparsity(0.0, [1], torch.device("cpu"))
        train(network, data, Bernoulli(), np.zeros(1), schedule, generator, sparsity)
        record("variance", name=name, start=start, trained=node_variances(network, data.X), epochs=args.epochs)
    print("\n".join(pages.variance_section()))


def node_variances(network, X):
    """Mean variance of the nodes of each hidden layer over the rows."""
    return [float(h.detach().double().var(0).mean()) for h in network.nodes(X)]


# ------------------------------------------------------------------------------------------------------ fit time


def tables():
    """Five tables by name."""
    from sklearn.datasets import load_breast_cancer, load_digits, load_wine, make_classification

    return {
        "breast": load_breast_cancer(return_X_y=True),
        "wine": load_wine(return_X_y=True),
        "digits": load_digits(return_X_y=True),
        "made 1200x20": make_classification(1200, 20, n_informative=8, random_state=0),
        "made 5000x20": make_classification(5000, 20, n_informative=8, random_state=0),
    }


def stage_seconds(model, X, y):
    """Seconds of a fit and of its stages, by the profiler."""
    profile = cProfile.Profile(time.process_time)
    profile.runcall(model.fit, X, y)
    stats = pstats.Stats(profile)
    out = {"total": stats.total_tt}
    for (file, _, function), (_, _, _, cumulative, _) in stats.stats.items():
        for (path, name), label in pages.STAGES.items():
            if function == name and file.endswith(path):
                out[label] = out.get(label, 0.0) + cumulative
    return out


def run_fit_time(args):
    """Default fits in turn."""
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from kan_tabular import LogisticKAN

    warnings.filterwarnings("ignore", message="Stochastic Optimizer")
    peers = {"mlp": lambda: make_pipeline(StandardScaler(), MLPClassifier(random_state=0))}
    if importlib.util.find_spec("xgboost"):
        from xgboost import XGBClassifier

        peers["xgboost"] = lambda: XGBClassifier(n_jobs=1, n_estimators=150, max_depth=3, random_state=0)
    else:
        print("XGBoost: SKIPPED, not installed here.\n")
    models = {"ours": lambda: LogisticKAN(random_state=0), **peers}
    warm = tables()["breast"]
    for make in models.values():
        make().fit(warm[0][:100], warm[1][:100])
    for name, (X, y) in tables().items():
        if args.tables and name not in args.tables:
            continue
        calls = {m: lambda make=make, X=X, y=y: make().fit(X, y) for m, make in models.items()}
        seconds = interleaved(calls, args.rounds)
        stages = stage_seconds(LogisticKAN(random_state=0), X, y)
        record("fit-time", name=name, shape=list(X.shape), classes=len(set(y)), seconds=seconds, stages=stages)
    print("\n".join(pages.fit_time_section()))


# ------------------------------------------------------------------------------------------------------- predict

_LOADED = """
import json, sys, time
start = time.perf_counter()
import kan_tabular
model = kan_tabular.load(sys.argv[1])
seconds = time.perf_counter() - start
model.predict_proba([json.loads(sys.argv[2])])
print(json.dumps({"torch": "torch" in sys.modules, "seconds": seconds}))
"""


def run_predict(args):
    """One-row latency of default models, and what loading one imports."""
    from kan_tabular import LogisticKAN

    for name in ("breast", "wine", "made 1200x20"):
        X, y = tables()[name]
        model = LogisticKAN(random_state=0).fit(X, y)
        rows = iter(np.tile(np.arange(len(X)), 1 + 2 * args.calls // len(X)))

        def call(model=model, X=X, rows=rows):
            i = next(rows)
            model.predict_proba(X[i : i + 1])

        seconds = interleaved({"one": call}, args.calls)["one"]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "model.kan")
            model.save(path)
            command = [sys.executable, "-c", _LOADED, str(path), json.dumps(X[0].tolist())]
            done = subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE)
        loaded = json.loads(done.stdout)
        members = model.network_.n_members
        record("predict", name=name, features=X.shape[1], members=members, seconds=seconds, loaded=loaded)
    print("\n".join(pages.predict_section()))


# ------------------------------------------------------------------------------------------------------- scaling


def one_fit(n, members):
    """Seconds and memory of one fit with fixed epochs, in this process."""
    from scaling import simulate

    from kan_tabular import LogisticKAN

    settings = {"batch_size": 256, "random_state": 0, "n_iter_no_change": 1000}
    small = LogisticKAN(max_iter=1, hidden_layer_sizes=(1, 1), n_estimators=2, **settings)
    small.fit(*simulate(100))  # loads the libraries and takes little memory of its own
    X, y = simulate(n)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    start = time.process_time()
    model = LogisticKAN(max_iter=10, n_estimators=members, **settings).fit(X, y)
    seconds = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    columns = sum(c.n_columns for c in model.network_.inputs)
    return {"seconds": seconds, "before": before, "peak": peak, "columns": columns, "table": X.nbytes / 2**20}


def run_scaling(args):
    """Fits in processes of their own."""
    if args.fit:
        print(json.dumps(one_fit(*args.fit)))
        return
    jobs = [("rows", n, 8) for n in args.sizes] + [("members", 2_000, m) for m in MEMBERS]
    times = {job: [] for job in jobs}
    for _ in range(args.rounds):
        for job in jobs:
            command = [sys.executable, __file__, "scaling", "--fit", *map(str, job[1:])]
            done = subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE)
            times[job].append(json.loads(done.stdout))
    for job, runs in times.items():
        record("scaling", job=[*job], **{key: float(np.median([r[key] for r in runs])) for key in runs[0]})
    print("\n".join(pages.scaling_section()))


# ------------------------------------------------------------------------------------------------------ accuracy


def run_accuracy(args):
    """Keep what compare.py wrote, one record a task and model."""
    for file in args.results:
        for r in read_lines(file):
            values = {key: float(np.mean(r[key])) for key in ("score", "loss", "fit_s")}
            record("accuracy", task=[r["task"], r["model"]], **values)
    for file in args.beside or []:
        runs = {(r["task"], r["model"]): {k: float(np.mean(r[k])) for k in ("loss", "fit_s")} for r in read_lines(file)}
        for task, model in runs:
            if model != "kan":
                record("beside", task=[task, model, file.stem], kan=runs[task, "kan"], peer=runs[task, model])
    print("\n".join(pages.accuracy_section()))


# -------------------------------------------------------------------------------------------------------- report

SECTIONS = {
    "Against pykan": pages.pykan_section,
    "One hidden layer": pages.layers_section,
    "Variance through depth": pages.variance_section,
    "Time to fit": pages.fit_time_section,
    "Prediction": pages.predict_section,
    "Rows, members and memory": pages.scaling_section,
    "Accuracy": pages.accuracy_section,
}


def report(args):
    """The page, from the cache alone."""
    out = ["# Networks: speed, memory, accuracy\n", "Printed by `examples/benchmarks/networks.py report`.\n"]
    for title, section in SECTIONS.items():
        out += [f"## {title}\n", *section()]
    lines = read_lines(pages.RESULTS)
    if lines:
        versions = sorted({tuple(r.get("versions", ())) for r in lines} - {()})
        out += machine_section(records=lines, notes=[", ".join(v) for v in versions])
    text = "\n".join(out).rstrip() + "\n"
    print(text)
    if args.out:
        args.out.write_text(text, encoding="utf-8")


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)

    def add(name, do, rounds=None):
        command = commands.add_parser(name, help=do.__doc__.splitlines()[0])
        command.set_defaults(do=do)
        if rounds:
            command.add_argument("--rounds", type=int, default=rounds)
        return command

    add("pykan", run_pykan, 3).add_argument("--pykan-python", help="interpreter with pykan 0.2.8")
    add("layers", run_layers, 60)
    add("variance", run_variance).add_argument("--epochs", type=int, default=20)
    add("fit-time", run_fit_time, 3).add_argument("--tables", type=lambda text: text.split(","))
    add("predict", run_predict).add_argument("--calls", type=int, default=1000)
    scaling = add("scaling", run_scaling, 1)
    scaling.add_argument("--sizes", type=lambda text: [int(float(n)) for n in text.split(",")], default=SIZES)
    scaling.add_argument("--fit", nargs=2, type=int, help=argparse.SUPPRESS)
    accuracy = add("accuracy", run_accuracy)
    accuracy.add_argument("--results", nargs="*", type=Path, default=[])
    accuracy.add_argument("--beside", nargs="*", type=Path, help="files with kan and a peer; several are averaged")
    add("report", report).add_argument("--out", type=Path)
    args = parser.parse_args(argv)
    args.do(args)


if __name__ == "__main__":
    main()
