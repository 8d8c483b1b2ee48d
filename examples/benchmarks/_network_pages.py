"""The pages that ``networks.py`` prints, from cached records; and what the arrays of a fit take."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from _common import bootstrap_interval, log_ratios, mean_ranks, read_lines, table

RESULTS = Path(__file__).resolve().parent / "results" / "networks.jsonl"
#: Functions whose share of a fit is shown: (file, name) and what they are.
STAGES = {
    ("training/fit.py", "__init__"): "additive fit and its folds",
    ("solvers/problem.py", "build_problem"): "design",
    ("training/trainer.py", "train"): "training",
    ("training/network.py", "forward"): "... forward",
    ("~", "<method 'run_backward' of 'torch._C._EngineBase' objects>"): "... backward",
    ("~", "<built-in method torch._fused_adamw_>"): "... AdamW",
    ("fitted/deep.py", "left_out"): "importances",
    ("fitted/deep.py", "edge_sizes"): "edge sizes",
}


def latest(what, key):
    """Cached records of one part, the last of each key, in the order they were first made."""
    found = {}
    for line in read_lines(RESULTS):
        if line["what"] == what:
            found[tuple(np.ravel(line[key]).tolist())] = line
    return list(found.values())


def log_slope(x, y):
    """Least-squares slope of log y on log x."""
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])


def memory_formula(n, columns, *, folds=8, settings=6, batch=256, hidden=(24, 8), outputs=1, grid_size=5):
    """Bytes that a fit holds at its peak beyond the loaded libraries and the table, from its arrays.

    Parameters
    ----------
    n, columns : int
        Rows, and design columns P.
    folds, settings, batch : int
    hidden : tuple of int
    outputs, grid_size : int

    Returns
    -------
    dict
        Bytes by kind.
    """
    members, K = folds * settings, grid_size + 2
    widths = [*hidden, outputs]
    parameters = members * (columns * hidden[0] + hidden[0])
    parameters += members * sum(K * a * b + b for a, b in zip(widths[:-1], widths[1:], strict=True))
    # A step keeps, of every node of every layer, its value and root, K functions and K - 3 squares, and has the
    # derivatives of one layer. Held-out rows, a fold at a time, pass through one layer after the other.
    step = members * batch * (sum(hidden) * (2 * K - 1) + max(hidden) * K + sum(widths))
    look = settings * -(-n // folds) * max(hidden) * (2 * K + 1)
    return {
        "design, double and single": (8 + 4) * n * columns,
        "starts and held-out predictions": n * outputs * (12 * folds + 28 * settings) + 4 * folds * n,
        "parameters, gradient, two moments, best state, gains": 6 * 4 * parameters,
        "hidden nodes of a step or of held-out rows": 4 * max(step, look),
    }


def pykan_section():
    rows = []
    for r in latest("pykan", "width"):
        ours, name = r["ours"], [int(w) for w in r["width"][:-1]]
        parts = f"{1e3 * ours['seconds']:.0f} ({1e3 * ours['design_s']:.0f} + {1e3 * ours['training_s']:.0f})"
        ratio = f"**{r['pykan_s'] / ours['seconds']:.0f}**" if r["reached"] else "not reached"
        rows.append([name, r["width"][-1], f"{r['target']:.2e}", f"{r['pykan_s']:.1f}", parts, ours["loss"], ratio])
        rows[-1][5] = f"{ours['loss']:.2e}"
    if not rows:
        return ["Not run (`networks.py pykan`).\n"]
    head = ["network", "pykan's rate", "its loss", "pykan, s", "ours, ms (design + training)", "our loss", "ratio"]
    return [
        "Time to pykan's training loss (cross-entropy) after 1,000 Adam steps on breast cancer, standardised, all 569 "
        "rows; grid 3, cubic, no regularisation, `speed()` called, no test set evaluated. Ours: one member of the same "
        "widths and grid, from the raw table to a loss at or below pykan's, by full-batch L-BFGS. Two logits are one "
        "identified contrast: [30, 5, 5, 2] ends in one output. Median of fits after a first one in the process; "
        "neither side counts its imports. Bar: 100.\n",
        table(head, rows),
    ]


def layers_section():
    rows = []
    for r in latest("layers", "shape"):
        t = r["seconds"]
        shown = [f"{1e3 * t[name]:.2f}" for name in ("ours", "cox", "gauss")]
        rows.append([r["shape"], *shown, f"**{t['cox'] / t['ours']:.1f}**", f"**{t['ours'] / t['gauss']:.2f}**"])
    if not rows:
        return ["Not run (`networks.py layers`).\n"]
    head = [
        "(rows, in, out)",
        "ours, ms",
        "dense B-splines, ms",
        "Gaussians, ms",
        "B-splines / ours",
        "ours / Gaussians",
    ]
    return [
        "One training step (forward, gradients of parameters and of inputs) of a hidden layer with 5 intervals, one "
        "member, against efficient-kan's algorithm (dense Cox-de Boor recursion, two matrix products) and a layer of 8 "
        "Gaussians with a SiLU branch (fast-kan, without its LayerNorm). Bars: at least 3, at most 1.2.\n",
        table(head, rows),
    ]


def variance_section():
    rows = []
    for r in latest("variance", "name"):
        for when, values in (("start", r["start"]), (f"after {r['epochs']} epochs", r["trained"])):
            rows.append([r["name"], when, *(f"{v:.2f}" for v in values)])
    if not rows:
        return ["Not run (`networks.py variance`).\n"]
    return [
        "Mean variance of the nodes of eight hidden layers of 16 nodes over the rows of breast cancer, one member of "
        "each family. Hidden edges start as straight lines in the clipped value, scaled on the rows themselves.\n",
        table(["family", "", *(f"layer {k + 1}" for k in range(len(rows[0]) - 2))], rows),
    ]


def fit_time_section():
    rows, shares = [], []
    for r in latest("fit-time", "name"):
        t = r["seconds"]
        cells = [f"{t['ours']:.2f}", f"{t['mlp']:.2f}", f"{t['ours'] / t['mlp']:.1f}"]
        cells += [f"{t['xgboost']:.2f}", f"{t['ours'] / t['xgboost']:.1f}"] if "xgboost" in t else ["-", "-"]
        rows.append([r["name"], f"{r['shape'][0]} x {r['shape'][1]}, {r['classes']}", *cells])
        total = r["stages"]["total"]
        shares.append([r["name"], *(f"{100 * r['stages'].get(label, 0) / total:.0f}" for label in STAGES.values())])
    if not rows:
        return ["Not run (`networks.py fit-time`).\n"]
    head = ["table", "rows x columns, classes", "ours, s", "MLP, s", "ours / MLP", "XGBoost, s", "ours / XGBoost"]
    return [
        "`LogisticKAN()` against `MLPClassifier()` after `StandardScaler` and XGBoost (150 trees of depth 3). Ours is "
        "an ensemble with its own early stopping and its own choice of regularisation; the others fit once.\n",
        table(head, rows),
        "Share of the parts in a fit of ours, percent (forward includes held-out evaluations):\n",
        table(["table", *STAGES.values()], shares),
    ]


def predict_section():
    rows = [
        [
            r["name"],
            r["features"],
            r["members"],
            f"{1e6 * r['seconds']:.0f}",
            "yes" if r["loaded"]["torch"] else "no",
            f"{r['loaded']['seconds']:.2f}",
        ]
        for r in latest("predict", "name")
    ]
    if not rows:
        return ["Not run (`networks.py predict`).\n"]
    head = ["table", "features", "members kept", "one row, microseconds", "torch imported", "import and load, s"]
    return [
        "`predict_proba` of one ndarray row by a default `LogisticKAN` (bar: 1000 microseconds).\n",
        table(head, rows),
    ]


def scaling_section():
    found = latest("scaling", "job")
    if not found:
        return ["Not run (`networks.py scaling`).\n"]
    by = {kind: [r for r in found if r["job"][0] == kind] for kind in ("rows", "members")}
    out = ["`LogisticKAN(max_iter=10, batch_size=256)` on the simulated table of `scaling.py` (10 features).\n"]
    for kind, position in (("rows", 1), ("members", 2)):
        title = "rows" if kind == "rows" else "members a setting (2,000 rows)"
        out.append(table([title, "fit, s"], [[r["job"][position], f"{r['seconds']:.2f}"] for r in by[kind]]))
        slope = log_slope([r["job"][position] for r in by[kind]], [r["seconds"] for r in by[kind]])
        out.append(f"Log-log slope of time on {kind}: {slope:.2f}.\n")
    rows, parts = [], {}
    for r in by["rows"]:
        parts = {k: v / 2**20 for k, v in memory_formula(r["job"][1], int(r["columns"])).items()}
        cells = [f"{v:.1f}" for v in (*parts.values(), sum(parts.values()), r["peak"] - r["before"])]
        rows.append([r["job"][1], int(r["columns"]), *cells])
    out.append(
        "Memory of a fit beyond the loaded libraries and the table, MiB: what the arrays take (`memory_formula`), and "
        "measured; the rest is the working memory of the libraries and of the additive fit.\n"
    )
    out.append(table(["rows", "design columns", *parts, "formula", "measured"], rows))
    return out


def accuracy_section():
    found = latest("accuracy", "task")
    if not found:
        return ["Not run (`networks.py accuracy --results FILE...`).\n"]
    loss = {tuple(r["task"]): r["loss"] for r in found}
    tasks, models = ([*dict.fromkeys(key[i] for key in loss)] for i in (0, 1))
    rows = []
    for task in tasks:
        best = min(loss[task, m] for m in models if (task, m) in loss)
        shown = [f"{loss[task, m]:.4f}" if (task, m) in loss else "-" for m in models]
        rows.append(
            [task, *(f"**{s}**" if loss.get((task, m)) == best else s for s, m in zip(shown, models, strict=True))]
        )
    out = [
        "Five-fold cross-validation by `shared/bench/compare.py`, repeated three times below 500 rows, same folds for "
        "all; groups stay together. `kan` and `kaam`: this package with its defaults, raw tables. The others as "
        "described there: `linear`, `xgbt` and `hgbt` tuned by inner folds. Log loss (classes) or root mean squared "
        "error (numbers), means over folds.\n\n"
        "Read with care: `kan` and its peers ran on the same folds but on different occasions, so fit times are not "
        "compared here. `kan` has no fixed seed and was run once. These tables were **not unseen**: they were measured "
        "several times while the networks were built, and a fall on some of them led to a defect in how sparse columns "
        "were scaled and to longer training. Settings were judged on other tables ([which](network-settings.md)), some "
        "of which share alloys with these: a fresh table is the fair test.\n",
        table(["task", *models], rows),
    ]
    complete = [m for m in models if all((t, m) in loss for t in tasks)]
    if len(complete) > 1:
        losses = np.array([[loss[t, m] for m in complete] for t in tasks])
        out += comparison(losses, complete)
    return out + beside_section()


def beside_section():
    """Tables of kan and one peer: geometric means of their losses, and of their seconds, over the runs there are."""
    runs, out = {}, []
    for r in latest("beside", "task"):
        both = [[r[side][key] for side in ("kan", "peer")] for key in ("loss", "fit_s")]
        runs.setdefault(r["task"][1], {}).setdefault(r["task"][0], []).append(both)
    for peer, tasks in runs.items():
        means = np.exp([np.log(each).mean(0) for each in tasks.values()])  # (tasks, loss or seconds, kan or peer)
        ratios, times = np.log(means[:, 0, 0] / means[:, 0, 1]), means[:, 1, 1] / means[:, 1, 0]
        rows = [
            [task, *(f"{v:.4f}" for v in loss), f"{ratio:+.4f}", *(f"{v:.1f}" for v in seconds), f"{time:.1f}"]
            for task, (loss, seconds), ratio, time in zip(tasks, means, ratios, times, strict=True)
        ]
        low, high = bootstrap_interval(ratios)
        n_runs = max(map(len, tasks.values()))
        several = f"; geometric means of {n_runs} runs, whose fits have other seeds" if n_runs > 1 else ""
        out += [
            f"Against {peer}, on the same folds (one thread each; seconds are wall-clock on a shared machine, and show "
            f"the order of size at most{several}):\n",
            table(["task", "kan", peer, "log ratio", "kan, s", f"{peer}, s", "time ratio"], rows),
            f"{len(rows)} tasks: kan has the lower loss on {int((ratios < 0).sum())}; mean log ratio "
            f"{ratios.mean():+.4f}, 95% interval {low:+.4f} to {high:+.4f}; median time ratio "
            f"{np.median(times):.1f}.\n",
        ]
    return out


def comparison(losses, models):
    """Mean ranks, and each model's loss relative to the best of the others by mean log loss (as compare.py does)."""
    rows = []
    for i, (model, rank) in enumerate(zip(models, mean_ranks(losses), strict=True)):
        others = [j for j in range(len(models)) if j != i]
        best = others[int(np.log(losses[:, others]).mean(0).argmin())]
        ratio = log_ratios(losses[:, i], losses[:, best])
        low, high = bootstrap_interval(ratio)
        relative = [f"{ratio.mean():+.4f}", f"{low:+.4f} to {high:+.4f}", models[best]]
        rows.append([model, f"{rank:.2f}", *relative])
    head = ["model", "mean rank", "relative loss", "95% interval", "against"]
    return [
        f"Over {len(losses)} tasks: mean rank by loss, and the mean of log(loss / loss of the best other model), with "
        "a bootstrap interval over tasks; negative is better, intervals around 0 are ties.\n",
        table(head, rows),
    ]
