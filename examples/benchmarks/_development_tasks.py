"""Tasks on which settings of the networks are compared: ``load(name)``. None is in the benchmark list.

Some are simulated or come with scikit-learn; the others need the staged tables (``../shared`` beside the project).
"""

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.datasets import load_diabetes, load_wine, make_classification, make_friedman1

STAGED = Path(__file__).resolve().parents[3] / "shared" / "bench"

FULL = (
    *("process_el", "mpea_hv", "monbtaw", "phase_machaka", "fr1", "diab"),
    *("cls", "xor", "thr", "pbc", "gbsg", "wine"),
)
#: Task and rows of the samples. That of ischemic is all of it.
SMALL = {
    "pbc_80": ("pbc", 80),
    "gbsg_100": ("gbsg", 100),
    "diab_60": ("diab", 60),
    "fr1_60": ("fr1", 60),
    "cls_80": ("cls", 80),
    "ischemic_126": ("ischemic", 126),
    "monbtaw_60": ("monbtaw", 60),
    "process_el_60": ("process_el", 60),
    "ckd_60": ("ckd", 60),
    "wine_50": ("wine", 50),
}
#: Alloys that are also rows of benchmark tables: all of process_el (process_yield, process_uts; another property), 60%
#: of mpea_hv by composition (mpea_yield; another property), 45% of phase_machaka (phase_pei; phases too).
BENCHMARK_ALLOYS = ("process_el", "mpea_hv", "phase_machaka", "process_el_60")
#: Samples whose classes are told apart almost surely: a loss near zero, of which any ratio is chance.
SOLVED = ("ckd_60", "wine_50")


@dataclass(frozen=True)
class Task:
    """A table as a user would have it, its target, and the groups that no split may separate."""

    name: str
    kind: str  # "binary", "multiclass" or "regression"
    X: pd.DataFrame
    y: np.ndarray
    groups: np.ndarray | None = None


@cache
def load(name):
    """The task, or None where it needs the staged tables and they are absent."""
    if name in SMALL:
        source, n = SMALL[name]
        task = load(source)
        return None if task is None else sample(task, name, n)
    if name in MADE:
        return MADE[name]()
    return FROM_TABLES[name](staged()) if (STAGED / "tasks.py").exists() else None


def staged():
    """The module that reads the staged tables."""
    if str(STAGED) not in sys.path:
        sys.path.insert(0, str(STAGED))
    return importlib.import_module("tasks")


def sample(task, name, n):
    """`n` rows of a task, drawn without replacement, in their order."""
    rows = np.sort(np.random.default_rng(0).permutation(len(task.y))[:n])
    groups = None if task.groups is None else task.groups[rows]
    return Task(name, task.kind, task.X.iloc[rows].reset_index(drop=True), task.y[rows], groups)


# ------------------------------------------------------------------------------------------------- staged tables


def process_el(staged):
    """Elongation of alloys by composition and process."""
    return staged._process("El(%)", "process_el")


def mpea_hv(staged):
    """Hardness of multi-principal element alloys."""
    d = staged._csv("mpea_1545")
    d.columns = [c.replace("PROPERTY: ", "").replace("IDENTIFIER: ", "") for c in d.columns]
    d = d.dropna(subset=["HV"]).reset_index(drop=True)
    X, groups = staged._composition(d["FORMULA"])
    X = X.join(d[["Processing method", "BCC/FCC/other"]])
    return Task("mpea_hv", "regression", staged._tidy(X), d["HV"].to_numpy(float), groups)


def monbtaw(staged):
    """Hardness of Mo-Nb-Ta-W films."""
    d = pd.read_csv(staged.DATA / "derived" / "monbtaw_hardness_311.csv")
    X = staged._tidy(d[["Mo", "Nb", "Ta", "W", "sigma_T", "x", "y"]])
    return Task("monbtaw", "regression", X, d["hardness"].to_numpy())


def phase_machaka(staged):
    """Microstructure of alloys by composition; those with fewer than 30 rows are one class."""
    d = staged._csv("hea_phase_machaka_1360", encoding="latin-1")
    d = d.dropna(subset=["Microstructure"]).reset_index(drop=True)
    X = d.loc[:, "Al":"Li"].apply(pd.to_numeric, errors="coerce").fillna(0.0)
    groups = pd.factorize(X.round(3).astype(str).agg("|".join, axis=1))[0]
    X = staged._tidy(X.loc[:, (X > 0).sum() >= 10])
    y = d["Microstructure"].astype(str).str.strip()
    y = y.where(y.map(y.value_counts()) >= 30, "other")
    return Task("phase_machaka", "multiclass", X, pd.factorize(y, sort=True)[0], groups)


def pbc(staged):
    """Death of patients with biliary cirrhosis, whenever it was."""
    d = staged._csv("pbc_418")
    X = staged._tidy(d.drop(columns=["rownames", "id", "time", "status"]))
    return Task("pbc", "binary", X, (d["status"] == 2).astype(int).to_numpy())


def gbsg(staged):
    """Relapse or death within three years of breast cancer; women censored before are left out."""
    d = staged._csv("gbsg_686")
    d = d[(d["status"] == 1) | (d["rfstime"] > 1095)]
    y = ((d["status"] == 1) & (d["rfstime"] <= 1095)).astype(int).to_numpy()
    return Task("gbsg", "binary", staged._tidy(d.drop(columns=["rownames", "pid", "rfstime", "status"])), y)


def ischemic(staged):
    """Stroke by the shape of the carotid artery."""
    d = staged._csv("ischemic_stroke_126")
    X = staged._tidy(d.drop(columns=["rownames", "stroke"]))
    return Task("ischemic", "binary", X, (d["stroke"] == "yes").astype(int).to_numpy())


def ckd(staged):
    """Chronic kidney disease."""
    d = staged._csv("ckd_400", na_values="?")
    return Task("ckd", "binary", staged._tidy(d.drop(columns="Class")), (d["Class"] == 1).astype(int).to_numpy())


# ------------------------------------------------------------------------------------ simulated, or scikit-learn's


def fr1():
    """Friedman's first function of 5 of 10 columns."""
    X, y = make_friedman1(400, 10, noise=1.0, random_state=0)
    return Task("fr1", "regression", pd.DataFrame(X).add_prefix("x"), y)


def diab():
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    return Task("diab", "regression", X, y.to_numpy())


def wine():
    X, y = load_wine(return_X_y=True, as_frame=True)
    return Task("wine", "multiclass", X, y.to_numpy())


def cls():
    """Six clusters in 8 dimensions, and columns that repeat or say nothing."""
    shape = {"n_informative": 8, "n_redundant": 4, "n_clusters_per_class": 3, "flip_y": 0.05, "class_sep": 0.8}
    X, y = make_classification(1200, 20, random_state=1, **shape)
    return Task("cls", "binary", pd.DataFrame(X).add_prefix("x"), y)


def xor():
    """A product of two columns, a line and a threshold."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1500, 8))
    product = X[:, 0] * X[:, 1]
    return drawn("xor", X, 1.5 * np.sign(product) * np.abs(product) ** 0.5 + X[:, 2] - (X[:, 3] > 0), rng)


def thr():
    """Two thresholds that act together, and one alone."""
    rng = np.random.default_rng(1)
    X = rng.exponential(size=(3000, 10))
    return drawn("thr", X, -3 + 6 * ((X[:, 0] > 1.2) & (X[:, 1] < 0.7)) + 2 * (X[:, 2] > 2), rng)


def drawn(name, X, eta, rng):
    """Two classes drawn with log-odds `eta`."""
    y = (rng.random(len(X)) < 1 / (1 + np.exp(-eta))).astype(int)
    return Task(name, "binary", pd.DataFrame(X).add_prefix("x"), y)


FROM_TABLES = {f.__name__: f for f in (process_el, mpea_hv, monbtaw, phase_machaka, pbc, gbsg, ischemic, ckd)}
MADE = {f.__name__: f for f in (fr1, diab, wine, cls, xor, thr)}
