"""The page that ``critical_assessment.py report`` prints, from its records alone."""

from __future__ import annotations

import _critical_models as models
import numpy as np
from _common import bootstrap_interval, corrected_interval, log_ratios, machine_section, table

SIZES = models.SIZES
BUDGETS = (0.1, 1.0, 10.0)
LABELS = {
    "kan": "KAN, one bare network",
    "mlp": "MLP, one network",
    "forest": "random forest",
    "boosting": "histogram boosting",
    "kan_default": "KAN, default ensemble",
    "mlp_several": "eight MLPs",
    "kaam": "KAAM",
    "linear": "linear",
}
#: Folds that a table needs for an interval of its own.
FEWEST = 3
#: Those that are made in several sizes.
SIZED = ("kan", "mlp", "forest", "boosting")

# ------------------------------------------------------------------------------------------- what is chosen of a record


def at_size(record, size):
    """What the model chose, by the rows held out, among its candidates of one size; None if none is so small."""
    found = [c for c in record["tried"] if c["asked"] == size]
    return min(found, key=lambda c: c["held_out"]) if found else None


def in_time(record, seconds):
    """What a search that ends after so many processor seconds chose, the last fit included; None if nothing fits.

    Candidates are tried in the order of the record. One that has no rival need not be held against it: it costs its
    last fit alone (trees are fitted again on all rows; networks are kept as they are).
    """
    tried, spent, best = record["tried"], 0.0, None
    alone = tried[0]["refit_s"] or tried[0]["seconds"]
    if alone <= seconds:
        best = tried[0]
    for k, candidate in enumerate(tried):
        spent += candidate["seconds"]
        chosen = min(tried[: k + 1], key=lambda c: c["held_out"])
        if k and spent + chosen["refit_s"] <= seconds:
            best = chosen
        if spent > seconds:
            break
    return best


def alone(record):
    """The only candidate."""
    return record["tried"][0]


# ---------------------------------------------------------------------------------------------------------- the losses


class Results:
    """Records by table, model and fold.

    Parameters
    ----------
    records : list of dict
        As `critical_assessment.run` writes them; folds that not all models of a table have are left out.
    names : list of str
        Tables in the order of the page.
    """

    def __init__(self, records, names):
        self.by = {}
        for r in records:
            self.by.setdefault(r["table"], {}).setdefault((r["repeat"], r["fold"]), {})[r["model"]] = r
        self.by = {t: {f: m for f, m in self.by[t].items() if len(m) == len(LABELS)} for t in names if t in self.by}
        self.by = {t: folds for t, folds in self.by.items() if folds}
        self.tables = list(self.by)

    def about(self, name):
        """Any record of a table."""
        return next(iter(self.by[name].values()))["linear"]

    def values(self, name, model, choose, what="loss"):
        """One number a fold, or None where nothing was chosen in any of them."""
        chosen = [choose(models[model]) for models in self.by[name].values()]
        return None if any(c is None for c in chosen) else np.array([c[what] for c in chosen])

    def losses(self, model, choose):
        """Mean losses of the tables where the model could be had: {table: value}."""
        found = {t: self.values(t, model, choose) for t in self.tables}
        return {t: float(v.mean()) for t, v in found.items() if v is not None}

    def outcome(self, name, pairs):
        """-1, 0 or 1: is the first of two (model, choose) better, not told apart, or worse on this table?

        None with fewer than `FEWEST` folds: their spread is not known.
        """
        own, peer = (self.values(name, *pair) for pair in pairs)
        if len(own) < FEWEST:
            return None
        n_test = self.about(name)["rows"] / models.N_FOLDS
        low, high = corrected_interval(own - peer, (models.N_FOLDS - 1) * n_test, n_test)
        return -1 if high < 0 else int(low > 0)

    def compare(self, own, peer):
        """Two (model, choose) over the tables that both have.

        Returns
        -------
        dict or None
            ``mean`` log ratio of losses (negative: the first is better), its bootstrap interval ``low``, ``high``, the
            ``median``; how many tables ``n``, how many ``better``, ``same``, ``worse`` by the intervals of their folds,
            and which ones are ``lost``.
        """
        first, second = self.losses(*own), self.losses(*peer)
        both = [t for t in self.tables if t in first and t in second]
        if len(both) < 2:
            return None
        ratios = log_ratios([first[t] for t in both], [second[t] for t in both])
        low, high = bootstrap_interval(ratios)
        told = [self.outcome(t, (own, peer)) for t in both]
        counts = {name: told.count(value) for name, value in (("better", -1), ("same", 0), ("worse", 1))}
        lost = [t for t, value in zip(both, told, strict=True) if value == 1]
        middle = {"mean": float(ratios.mean()), "median": float(np.median(ratios))}
        return {**middle, "low": low, "high": high, "n": len(both), "lost": lost, **counts}


def of_size(model, size):
    """The (model, choose) of one size; models of a single size are as they are."""
    return model, (lambda record: at_size(record, size)) if model in SIZED else alone


def of_time(model, seconds):
    return model, lambda record: in_time(record, seconds)


# ------------------------------------------------------------------------------------------------------------ sections


#: How many times the linear model's loss counts as having left the range.
RUNAWAY = 10


def verdict(found):
    """Better, worse, or not told apart, by the interval over tables."""
    if found["high"] < 0:
        return "better"
    return "worse" if found["low"] > 0 else "not told apart"


def percent(log_ratio):
    return f"{100 * np.expm1(log_ratio):+.1f}%"


def comparison_row(first, found):
    if found is None:
        return [*first, *("-" for _ in HEAD)]
    interval = f"{percent(found['low'])} to {percent(found['high'])}"
    told = [found[name] for name in ("better", "same", "worse")]
    counts = " / ".join(map(str, told)) if any(told) else "too few folds"
    mean, median = f"{percent(found['mean'])} ({interval})", percent(found["median"])
    return [*first, found["n"], mean, median, verdict(found), counts]


HEAD = ["tables", "loss of the first, relative", "median", "over tables", "tables better / same / worse"]


def size_section(results):
    rows = []
    for size in SIZES:
        for peer in ("mlp", "forest", "boosting", "kaam", "linear"):
            found = results.compare(of_size("kan", size), of_size(peer, size))
            rows.append(comparison_row([f"{size:,}", f"KAN - {LABELS[peer]}"], found))
    return ["## Equal numbers of parameters\n", SIZE_TEXT, table(["numbers", "", *HEAD], rows)]


def time_section(results):
    rows = []
    for seconds in BUDGETS:
        for own, peers in (
            ("kan", ("mlp", "forest", "boosting", "kaam", "linear")),
            ("kan_default", ("mlp", "mlp_several", "forest", "boosting", "kaam", "linear")),
        ):
            for peer in peers:
                found = results.compare(of_time(own, seconds), of_time(peer, seconds))
                if found is not None:
                    rows.append(comparison_row([f"{seconds:g} s", f"{LABELS[own]} - {LABELS[peer]}"], found))
    reached = [
        [f"{seconds:g} s", *(len(results.losses(*of_time(model, seconds))) for model in LABELS)] for seconds in BUDGETS
    ]
    return [
        "## Equal time\n",
        TIME_TEXT,
        table(["time", "", *HEAD], rows),
        f"On how many of {len(results.tables)} tables a model is there in time (in every fold):\n",
        table(["time", *LABELS.values()], reached),
    ]


def table_section(results):
    """Each table's losses: single networks and trees of the third size, the rest as they are."""
    size, rows = SIZES[2], []
    for name in results.tables:
        about = results.about(name)
        found = {m: results.values(name, *of_size(m, size)) for m in LABELS}
        means = {m: v.mean() for m, v in found.items() if v is not None}
        best = min(means, key=means.get)
        cells = [("-" if m not in means else f"{means[m]:.4g}") for m in LABELS]
        cells = [f"**{c}**" if m == best else c for m, c in zip(LABELS, cells, strict=True)]
        rows.append([name, f"{about['rows']} x {about['columns']}", about["kind"], *cells])
    sizes = [
        [LABELS[m], f"{np.median([results.values(t, m, alone, 'size').mean() for t in results.tables]):,.0f}"]
        for m in ("linear", "kaam", "kan_default", "mlp_several")
    ]
    return [
        "## Table by table\n",
        f"Log loss, or root mean squared error: means over the folds. Single networks and trees have at most {size:,} "
        "numbers; the lowest loss is in bold.\n",
        table(["table", "rows x columns", "kind", *LABELS.values()], rows),
        "Numbers fitted by the models that have one size, median over the tables:\n",
        table(["model", "numbers"], sizes),
    ]


def seconds_section(results):
    """What a fit costs: medians over tables."""
    rows = []
    for model in SIZED:
        cells = []
        for size in SIZES:
            found = [results.values(t, *of_size(model, size), "seconds") for t in results.tables]
            cells.append(f"{np.median([v.mean() for v in found if v is not None]):.2f}")
        rows.append([LABELS[model], *cells])
    one = [
        [LABELS[m], f"{np.median([results.values(t, m, alone, 'seconds').mean() for t in results.tables]):.2f}"]
        for m in ("linear", "kaam", "kan_default", "mlp_several")
    ]
    return [
        "## Seconds of one fit\n",
        "Processor seconds of the chosen setting, without the search and trees' second fit; medians over tables.\n",
        table(["numbers", *(f"{size:,}" for size in SIZES)], rows),
        table(["model", "seconds"], one),
    ]


def in_words(results):
    """The answer, sentence by sentence, from the comparisons."""
    out = ["## The answer\n"]
    for peer, question in (
        ("mlp", "an MLP of the same size"),
        ("forest", "a forest of the same size"),
        ("boosting", "histogram boosting of the same size"),
        ("kaam", "KAAM"),
        ("linear", "a linear model"),
    ):
        parts = []
        for size in SIZES:
            found = results.compare(of_size("kan", size), of_size(peer, size))
            if found:
                parts.append(f"{verdict(found)} with {size:,} numbers (loss {percent(found['mean'])})")
        out.append(f"* **A bare KAN beside {question}**: {', '.join(parts)}.")
    for own, peers in (("kan", ("mlp", "forest", "boosting")), ("kan_default", ("mlp_several", "forest", "boosting"))):
        parts = []
        for seconds in BUDGETS:
            for peer in peers:
                found = results.compare(of_time(own, seconds), of_time(peer, seconds))
                if found and found["n"] > len(results.tables) / 2:
                    parts.append(f"{LABELS[peer]} in {seconds:g} s: {verdict(found)} ({percent(found['mean'])})")
        out.append(f"* **{LABELS[own]} in the same time as** {'; '.join(parts)}.")
    if all(len(folds) < FEWEST for folds in results.by.values()):
        return [*out, f"* **Single tables**: no verdict, with fewer than {FEWEST} folds each.\n"]
    for own in ("kan", "kan_default"):
        lost = {}
        for peer in LABELS:
            found = results.compare(of_size(own, SIZES[2]), of_size(peer, SIZES[2])) if peer != own else None
            for name in found["lost"] if found else ():
                lost.setdefault(name, []).append(LABELS[peer])
        words = "; ".join(f"{name} (to {', '.join(peers)})" for name, peers in lost.items()) or "none"
        out.append(f"* **Tables on which {LABELS[own]} loses**, by the interval of its folds: {words}.")
    return [*out, *runaway(results), ""]


def runaway(results):
    """A sentence on tables where the additive model left the range of the others, which decides its means."""
    additive, linear = (results.losses(model, alone) for model in ("kaam", "linear"))
    names = [name for name in results.tables if additive[name] > RUNAWAY * linear[name]]
    if not names:
        return []
    return [
        f"* **KAAM leaves the range on {', '.join(names)}** (its loss is over {RUNAWAY} times the linear model's), and "
        "that decides its means above: see the medians. Its curves go on in straight lines outside the training range, "
        "however far a test row lies beyond it (`extrapolation(X)` flags such rows; networks hold them near the ends)."
    ]


def page(records, names):
    """The page as Markdown.

    Parameters
    ----------
    records : list of dict
    names : list of str
        Tables in their order.
    """
    results = Results(records, names)
    used = [r for t in results.by.values() for models in t.values() for r in models.values()]
    out = ["# Critical assessment: curves, MLPs and trees at equal size and time\n"]
    out.append("Printed by `examples/benchmarks/critical_assessment.py report`.\n")
    if len(results.tables) < 2:
        return "\n".join([*out, "Not run yet (`critical_assessment.py run`).\n"])
    n_folds = sorted({len(folds) for folds in results.by.values()})
    out += [QUESTION, *in_words(results), "## Protocol\n", protocol(n_folds, names, results.tables)]
    for section in (size_section, time_section, table_section, seconds_section):
        out += section(results)
    spent = sum(c["seconds"] + c["refit_s"] for r in used for c in r["tried"]) / 60
    commits = ", ".join(sorted({r["commit"] for r in used}))
    notes = [f"at commit {commits}; {spent:.0f} minutes of one processor in all"]
    out += [LITERATURE, *machine_section(records=used, notes=notes)]
    return "\n".join(out).rstrip() + "\n"


QUESTION = """\
Is a network of curves better than an MLP when both fit as many numbers, or are given the same time? Yu, Yu and Wang
(2024) found that it is not, but for symbolic formulas; Jacobs et al. (2026) found KANs worse than random forests on
35%, as good on 60% and better on 5% of 33 properties of materials. This page asks for small tables, with this library's
networks, and answers also where the answer is no.
"""

SIZE_TEXT = """\
Loss of a bare KAN relative to a peer with at most as many numbers: -5% is a loss that is 5% lower (geometric mean over
tables; 95% bootstrap interval over tables). On tables that are nearly solved (wine, digits) losses are near zero and
their ratios large: hence the median. KAAM and the linear model have the size that the table gives them, and are the
same in all lines. The last column counts tables by the corrected t interval of their folds (three at least). Where a
KAN of one hidden node has too many numbers already, the table is left out. No correction for how many lines there are:
about one in twenty would stand out by chance.
"""

TIME_TEXT = """\
As above, within processor seconds. Everything counts: trying settings, and the last fit. A line is there if both models
are, on at least two tables.
"""


def protocol(n_folds, names, tables):
    """What was done, with the constants of the models."""
    absent = [name for name in names if name not in tables]
    return PROTOCOL.format(
        missing=f" Not there when this was run: {', '.join(absent)}." if absent else "",
        folds=" or ".join(map(str, n_folds)),
        sizes=", ".join(f"{s:,}" for s in SIZES),
        order=", ".join(f"{s:,}" for s in models.ORDER),
        budgets=", ".join(f"{s:g}" for s in BUDGETS),
        m=models,
    )


PROTOCOL = """\
* **Tables**, by rules set before any test loss was seen: breast cancer, wine, diabetes and three digits that look alike
  (3, 5, 8) from scikit-learn; three with known truth from `kan_tabular.datasets` (`additive`: a sum of six smooth
  curves; `interaction`: two products beside four curves, two classes; `steps`: jumps, the case for trees; four columns
  without effect each); and all data sets of `list_datasets` with 500 to 800 rows, as many as the time allowed
  (heart disease, 918 rows, has [a page of its own](kacq.md)). No table is new to this library.{missing}
* **Folds**: {folds} test folds a table (of five; classes stratified; rows of one group, such as equal alloys, stay
  together), the same for all models. Settings are chosen inside the training part: every model keeps an eighth of it
  aside, on which networks choose their best epoch and all models their setting. Trees are then fitted again on all of
  the training part; networks are kept as they are, so they learn from fewer rows. KAAM, the linear model and the
  ensembles do not need this.
* **Loss**: log loss or root mean squared error on the test fold. Probabilities of all models are mixed with one row's
  worth of equal shares, `(n p + 1 / K) / (n + 1)`, so that a single 0 of a small forest does not decide.
* **Equal numbers** ({sizes}): the widest network, or the most trees, of at most that many (forests: about, since how
  large a tree is shows on three of them). What counts: coefficients of all curves and biases of a KAN; weights and
  biases of an MLP; of trees two numbers a split (column and threshold) and one a leaf and class. Single networks,
  because an ensemble of eight has eight times the numbers. Knots, means and scales are not counted for anybody.
* **One bare KAN**: `n_estimators=1, additive_start=False, alpha=0.5`, one hidden layer; (knots, smoothness) of
  {m.KAN_SETTINGS}, beyond {m.FEW:,} numbers {m.LARGE_KAN_SETTINGS}. They come from three simulated tables of
  `_development_tasks.py`, none of which is here.
* **One MLP**: scikit-learn's, one hidden layer, z-scores clipped at 5, one-hot columns, batches as a KAN's, at most
  {m.EPOCHS} epochs (KANs: 20 to 200), patience {m.PATIENCE}; the best epoch by held-out *loss* (its own early stopping
  looks at accuracy); (rate, weight decay) of {m.MLP_SETTINGS}, from the same simulated tables.
* **Forest**: at most {m.FOREST_SETTINGS} leaves a tree, a third of the columns at a split, two rows a leaf.
  **Boosting**: (leaves, rate) of {m.BOOSTING_SETTINGS}. At most {m.MOST_TREES} trees or rounds.
* **Equal time** ({budgets} s): every model tries its settings in an order fixed beforehand (networks a quick one first,
  of 20 or 50 epochs; then sizes {order}; trees also {m.MOST_TREES} of any size), keeps the best by the rows held out,
  and stops where the next would not fit. Ensembles: `LogisticKAN()` and `KANRegressor()` at their defaults, which try
  their settings in one program; and {m.MEMBERS} MLPs of {m.MEMBER_WIDTH} nodes of the first setting, each leaving out
  another eighth.
"""


LITERATURE = """\
R. Jacobs et al. (2026), arXiv 2601.20097. R. Yu, W. Yu, X. Wang (2024), *KAN or MLP: a fairer comparison*, arXiv
2407.16674. C. Nadeau, Y. Bengio (2003), *Machine Learning* 52, 239-281 (intervals of folds).
"""
