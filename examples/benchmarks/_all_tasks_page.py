"""The page of ``all_tasks.py``: scores a task, ranks with intervals, and where this library is not the best."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from _common import bootstrap_interval, corrected_interval, machine_section, mean_ranks, table
from scipy.stats import friedmanchisquare, rankdata, studentized_range

RESULTS = Path(__file__).resolve().parent / "results" / "all_tasks.jsonl"
#: Tasks that share rows count as one: cleveland is one centre of heart918, the strengths are of the same alloys.
DEPENDENT = (("heart918", "cleveland"), ("process_yield", "process_uts"))
OWN = ("kan", "kaam")
DEAR = ("realmlp", "ebm")
TREES = ("extratreest", "rft", "catboost", "xgbt", "hgbt")
ALLOYS = ("mpea_yield", "process_yield", "process_uts", "hea_or_not", "phase_pei", "carbide")
NAMES = {
    "kan": "LogisticKAN, KANRegressor",
    "kaam": "KAAM",
    "linear": "linear, tuned",
    "extratreest": "ExtraTrees, tuned",
    "rft": "random forest, tuned",
    "catboost": "CatBoost",
    "xgbt": "XGBoost, tuned",
    "hgbt": "HistGradientBoosting, tuned",
    "mlpt": "MLP, tuned",
    "realmlp": "RealMLP",
    "ebm": "EBM",
}
#: Half width, in log loss ratio, of what counts as no difference in practice.
ROPE = 0.01

METHOD = """\
Five-fold cross-validation, repeated with other folds, the same for all models; stratified for classes; a task with
groups (the same patient, equal rows, the same composition) keeps a group on one side. Loss is log loss (probabilities
clipped at 1e-6) or root mean squared error, score AUC (several classes: one-vs-rest, weighted by prevalence) or R2;
means over folds and over the repeats that all models of a table have.

* `kan`: `LogisticKAN(random_state=0)` or `KANRegressor(random_state=0)`; `kaam`: `KAAMClassifier()` or
  `KAAMRegressor()`. Raw tables, defaults.
* `linear`: L2 logistic or ridge regression, 11 or 13 strengths; `rft`, `extratreest`: 300 trees, leaves of 1 or 3
  rows, root or half of the columns; `xgbt`, `hgbt`: 12 random draws of their parameters; `mlpt`: two hidden layers of
  64 nodes, three weight decays. All tuned by the loss over three inner folds that respect the groups.
* `catboost` and `ebm` with their defaults; `realmlp` with its tuned defaults, five networks. EBM on the clinical tasks
  is that of the [additive benchmark](additive.md): same folds, same preparation.

The settings of this library's networks were chosen on other tables ([network settings](network-settings.md)).
Cleveland is one centre of heart918, and the two strengths are of the same alloys: such a pair counts as one task, with
the geometric mean of its losses.
"""


# ------------------------------------------------------------------------------------------------------- arithmetic


def collect(records, tasks, models):
    """Values by fold over the repeats that all `models` have.

    Returns
    -------
    dict
        {(task, model): {score: (repeats * folds) array}}, for tasks where all models have a repeat in common.
    repeats : dict
        {task: number of repeats}.
    """
    found = {(r["task"], r["model"], r["repeat"]): r["folds"] for r in records}
    values, repeats = {}, {}
    for task in tasks:
        have = [{r for t, m, r in found if (t, m) == (task, model)} for model in models]
        shared = sorted(set.intersection(*have)) if have else []
        if not shared:
            continue
        repeats[task] = len(shared)
        for model in models:
            parts = [found[task, model, r] for r in shared]
            values[task, model] = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    return values, repeats


def loss_key(scores):
    """("log_loss", "auc") or ("rmse", "r2"), whichever these scores are."""
    return ("log_loss", "auc") if "log_loss" in scores else ("rmse", "r2")


def block_log_losses(values, models):
    """Log of the mean loss, a row a task or a set of dependent tasks, a column a model; and the rows' names."""
    tasks = list(dict.fromkeys(task for task, _ in values))
    log = {t: np.log([values[t, m][loss_key(values[t, m])[0]].mean() for m in models]) for t in tasks}
    sets = [tuple(t for t in group if t in log) for group in DEPENDENT]
    alone = [(t,) for t in tasks if not any(t in group for group in sets)]
    blocks = [*alone, *(group for group in sets if group)]
    return np.array([np.mean([log[t] for t in block], axis=0) for block in blocks]), blocks


def nemenyi_distance(n_models, n_tasks, level=0.95):
    """Difference of mean ranks that Nemenyi's test calls significant (Demsar 2006, section 3.2.2)."""
    q = studentized_range.ppf(level, n_models, np.inf) / np.sqrt(2)
    return q * np.sqrt(n_models * (n_models + 1) / (6 * n_tasks))


def signed_rank_probabilities(differences, rope, n_draws=20_000, seed=0):
    """Probabilities that the first model is better, practically equal, worse: Bayesian signed-rank test.

    Benavoli, Corani, Demsar and Zaffalon (2017), section 4.2: a Dirichlet process with a prior observation of zero
    difference and strength 1/2; the middle of two draws is what is compared.

    Parameters
    ----------
    differences : array (n_tasks,)
        Of losses: negative where the first is better.
    rope : float
        Half width of practical equality.
    n_draws, seed : int

    Returns
    -------
    tuple of float
        Shares of draws in which "better", "equal", "worse" has most of the probability.
    """
    z = np.append(0.0, np.asarray(differences, float))
    middle = (z[:, None] + z) / 2
    weights = np.random.default_rng(seed).dirichlet(np.append(0.5, np.ones(len(z) - 1)), n_draws)
    mass = [
        np.einsum("di,ij,dj->d", weights, part.astype(float), weights, optimize=True)
        for part in (middle < -rope, np.abs(middle) <= rope, middle > rope)
    ]
    most = np.argmax(mass, axis=0)
    return tuple(float(np.mean(most == k)) for k in range(3))


# --------------------------------------------------------------------------------------------------------- sections


def rank_section(values, models):
    """Mean ranks with intervals, Friedman's test, Nemenyi's distance."""
    losses, blocks = block_log_losses(values, models)
    if len(blocks) < 3:
        return []
    ranks, each = mean_ranks(losses), rankdata(losses, axis=1)
    rows = []
    for k in np.argsort(ranks):
        low, high = bootstrap_interval(each[:, k])
        ratio = losses[:, k] - np.delete(losses, k, axis=1).min(axis=1)
        relative = np.exp(np.mean(losses[:, k] - losses[:, models.index("kan")]))
        cells = [f"{ranks[k]:.2f}", f"{low:.2f} to {high:.2f}", np.sum(ratio < 0), f"{relative:.3f}"]
        rows.append([NAMES[models[k]], *cells])
    p = friedmanchisquare(*losses.T).pvalue
    return [
        table(["", "mean rank", "95% interval", "best on", "loss / kan's"], rows),
        f"{len(blocks)} independent tasks; intervals by bootstrap over them. Friedman's test: p = {p:.1e}. Mean ranks "
        f"{nemenyi_distance(len(models), len(blocks)):.2f} apart differ by Nemenyi's test at 5%. The last column is "
        "the geometric mean over tasks.\n",
    ]


def pair_section(values, models):
    """The network against each other model: relative loss, and the Bayesian signed-rank test."""
    losses, blocks = block_log_losses(values, models)
    own, rows = losses[:, models.index("kan")], []
    for k, model in enumerate(models):
        if model == "kan":
            continue
        d = own - losses[:, k]
        low, high = bootstrap_interval(d)
        chances = [f"{v:.3f}" for v in signed_rank_probabilities(d, ROPE)]
        cells = [f"{d.mean():+.4f}", f"{low:+.4f} to {high:+.4f}", f"{np.sum(d < 0)} of {len(blocks)}"]
        rows.append([NAMES[model], *cells, *chances])
    return [
        table(["", "log loss ratio", "95% interval", "lower loss on", "P(better)", "P(equal)", "P(worse)"], rows),
        f"Negative: the network's loss is lower (-.01 is about 1%). The last columns are a Bayesian signed-rank test, "
        f"differences within {ROPE:.0%} counting as equal.\n",
    ]


def score_section(values, repeats, models, which):
    """Mean loss (`which` 0) or score (1), a row a task, the best in bold."""
    rows = []
    for task in repeats:
        key = loss_key(values[task, models[0]])[which]
        means = [values[task, m][key].mean() for m in models]
        best, digits = (max if which else min)(means), 1 if key == "rmse" else 4
        cells = [f"**{v:.{digits}f}**" if v == best else f"{v:.{digits}f}" for v in means]
        rows.append([task, key, repeats[task], *cells])
    return [table(["task", "", "repeats", *models], rows)]


def verdict_section(values, repeats, sizes):
    """Each task on which another model has a lower mean loss than the network."""
    rows = []
    for task in repeats:
        here = {m: v for (t, m), v in values.items() if t == task}
        key = loss_key(here["kan"])[0]
        best = min((m for m in here if m != "kan"), key=lambda m: here[m][key].mean())
        ratio = here["kan"][key] / here[best][key].mean() - here[best][key] / here[best][key].mean()
        if ratio.mean() > 0:
            low, high = corrected_interval(ratio, 0.8 * sizes[task], 0.2 * sizes[task])
            said = "behind" if low > 0 else "within the noise"
            rows.append([task, NAMES[best], f"{ratio.mean():+.1%}", f"{low:+.1%} to {high:+.1%}", said])
    return [
        f"On {len(repeats) - len(rows)} of {len(repeats)} tasks the network has the lowest mean loss. On the others:\n",
        table(["task", "best", "network's excess loss", "95% interval", "verdict"], rows),
        "The interval is for the paired difference over the folds (Nadeau and Bengio 2003); the best model was chosen "
        "after looking, which flatters it.\n",
    ]


def alloy_section(values, repeats, sizes):
    """R2 or AUC on alloys against the best tree."""
    rows = []
    for task in (t for t in ALLOYS if t in repeats):
        here = {m: v for (t, m), v in values.items() if t == task}
        key = loss_key(here["kan"])[1]
        best = max((m for m in TREES if m in here), key=lambda m: here[m][key].mean())
        d = here["kan"][key] - here[best][key]
        low, high = corrected_interval(d, 0.8 * sizes[task], 0.2 * sizes[task])
        cells = [f"{here[m][key].mean():.4f}" for m in ("kan", best)]
        rows.append([task, key, *cells, NAMES[best], f"{d.mean():+.4f}", f"{low:+.4f} to {high:+.4f}"])
    return [
        table(["task", "", "network", "best tree", "which", "difference", "95% interval"], rows),
        "Grouped by composition (carbide has no repeated compositions). Trees: random forest, ExtraTrees, CatBoost, "
        "XGBoost, HistGradientBoosting.\n",
    ]


def seconds_section(values, repeats, models):
    """Median processor seconds of a fit."""
    rows = [[t, *(f"{np.median(values[t, m]['fit_s']):.2f}" for m in models)] for t in repeats]
    return [
        "Processor seconds, one thread, tuning and preparation included; the machine did other work meanwhile.\n",
        table(["task", *models], rows),
    ]


def page(records, tasks, models):
    """The whole page.

    Parameters
    ----------
    records : list of dict
        Of ``all_tasks.py run``.
    tasks : dict of callables
        The tasks by name.
    models : tuple of str
        All there are. `DEAR` ones with fewer repeats than the network have a section of their own.
    """
    out = ["# All tasks\n", "Printed by `examples/benchmarks/all_tasks.py report`.\n", METHOD]
    had = {m: {r["task"] for r in records if r["model"] == m} for m in models}
    count = {m: sum(r["model"] == m for r in records) for m in models}  # of tasks and repeats
    everyone = ["kan", *(m for m in models if m != "kan" and had[m] >= had["kan"])]
    absent = [NAMES[m] for m in models if m not in everyone]
    main = [m for m in everyone if m not in DEAR or count[m] >= count["kan"]]
    values, repeats = collect(records, tasks, main)
    if not repeats:
        return "\n".join([*out, "Not run yet.\n"])
    sizes = {task: len(tasks[task]().y) for task in repeats}
    if absent:
        out.append(f"**Not complete**, so left out: {'; '.join(absent)}.\n")
    out += [f"## Ranks by loss (repeats: {repeats_of(repeats)})\n", *rank_section(values, main)]
    out += ["## The network against each\n", *pair_section(values, main)]
    if len(everyone) > len(main):
        dear, fewer = collect(records, tasks, everyone)
        out.append(f"## Ranks by loss with the dear models (repeats: {repeats_of(fewer)})\n")
        out += rank_section(dear, everyone) + pair_section(dear, everyone)
    out += ["## Where the network is not the best\n", *verdict_section(values, repeats, sizes)]
    out += ["## Alloys against the best tree\n", *alloy_section(values, repeats, sizes)]
    out += ["## Loss\n", *score_section(values, repeats, main, 0)]
    out += ["## AUC and R2\n", *score_section(values, repeats, main, 1)]
    out += ["## Time to fit\n", *seconds_section(values, repeats, main)]
    commits = sorted({r["commit"] for r in records if r["model"] in OWN})
    out += machine_section(records=records, notes=[f"this library at {', '.join(commits)}"])
    return "\n".join(out).rstrip() + "\n"


def repeats_of(repeats):
    """The numbers of repeats there are, as text."""
    return " or ".join(str(n) for n in sorted(set(repeats.values())))
