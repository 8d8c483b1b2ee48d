"""The clinical paper's tables, prepared as published, and its published rows; for ``clinical_paper.py``.

The paper: Apellaniz et al. (2025), arXiv 2509.16750; its public repository
Patricia-A-Apellaniz/classification_with_kans at the first release of August 2025 (``src/data.py`` prepares the tables,
``src/models`` has the models, and the figures are those of its result files).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, precision_recall_fscore_support, roc_auc_score
from sklearn.model_selection import train_test_split

PUBLISHED = json.loads(Path(__file__).with_name("_clinical_published.json").read_text())
SCORES = ("accuracy", "auc", "f1", "precision", "recall")
TABLES = ("breast", "obesity_bin", "obesity")
#: Obesity without the columns that define it: these names and "_habits".
HABITS = ("obesity_bin_habits", "obesity_habits")
N_SAMPLED, MOST_CODES = 1000, 10
#: The paper's integer codes; a category that is not named is 0.
CODES = {
    "Gender": ("Male", "Female"),
    "CAEC": ("no", "Sometimes", "Frequently", "Always"),
    "CALC": ("no", "Sometimes", "Frequently", "Always"),
    "MTRANS": ("Walking", "Public_Transportation", "Bike", "Motorbike", "Automobile"),
    **dict.fromkeys(("family_history_with_overweight", "FAVC", "SMOKE", "SCC"), ("no", "yes")),
}
DEFINING = ("Height", "Weight")  # of the body mass index, whose bands the classes of obesity are


@dataclass(frozen=True)
class Table:
    """``X`` with numbers only (categories as the paper's codes, nothing scaled), ``y`` codes of classes."""

    name: str
    X: pd.DataFrame
    y: np.ndarray
    groups: None = None
    is_classification: bool = True

    @property
    def n_classes(self):
        return int(self.y.max()) + 1


def read_table(name):
    """One of `TABLES` or `HABITS`; all but "breast" are the paper's sample of 1000 rows.

    Raises
    ------
    kan_tabular.datasets.DatasetError
        If the obesity table can neither be found nor downloaded.
    """
    if name == "breast":
        data = load_breast_cancer(as_frame=True)
        return Table(name, data.data, data.target.to_numpy())
    from kan_tabular.datasets import fetch_obesity

    data = fetch_obesity(drop_leaks=False).frame.sample(N_SAMPLED, random_state=0).reset_index(drop=True)
    X, y = data.drop(columns="level"), data["level"].to_numpy()
    for column, levels in CODES.items():
        X[column] = X[column].astype(str).map({level: float(code) for code, level in enumerate(levels)})
    if name in HABITS:
        X = X.drop(columns=list(DEFINING))
    return Table(name, X, (y > 3).astype(int) if name.startswith("obesity_bin") else y)


class PaperScaler(TransformerMixin, BaseEstimator):
    """z-scores (ddof 0) of the columns with more than 10 values among the rows of `fit`; the others stay."""

    def fit(self, X, y=None):
        self.columns_ = [column for column in X if X[column].nunique() > MOST_CODES]
        self.mean_, self.std_ = X[self.columns_].mean(), X[self.columns_].std(ddof=0)
        return self

    def transform(self, X):
        return X.assign(**((X[self.columns_] - self.mean_) / self.std_))


def published_split(table):
    """The paper's one split: X_train, X_test, y_train, y_test; scaled by the rows of both, as there."""
    return train_test_split(PaperScaler().fit_transform(table.X), table.y, test_size=0.2, random_state=0)


def paper_scores(y, p):
    """The paper's five scores of test rows.

    Two classes: of the second one. More: weighted means over classes, and the area under the curve over pairs of
    classes.
    """
    predicted = np.argmax(p, axis=1)
    several = p.shape[1] > 2
    average = "weighted" if several else "binary"
    precision, recall, f1, _ = precision_recall_fscore_support(y, predicted, average=average, zero_division=0)
    auc = roc_auc_score(y, p, average="weighted", multi_class="ovo") if several else roc_auc_score(y, p[:, 1])
    return dict(zip(SCORES, map(float, (accuracy_score(y, predicted), auc, f1, precision, recall)), strict=True))


class PaperLogistic(ClassifierMixin, BaseEstimator):
    """liblinear's one-against-rest as scikit-learn called it before version 1.8, which refuses several classes.

    The weight of a class is that of its own rows only where it is the one, and the rest weigh 1.

    Parameters
    ----------
    C : float
    """

    def __init__(self, C=0.1):
        self.C = C

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.models_ = []
        for k in self.classes_:
            weights = np.where(y == k, len(y) / (len(self.classes_) * np.sum(y == k)), 1.0)
            model = LogisticRegression(C=self.C, solver="liblinear", max_iter=1000, random_state=0)
            self.models_.append(model.fit(X, y == k, sample_weight=weights))
        return self

    def predict_proba(self, X):
        p = np.column_stack([model.predict_proba(X)[:, 1] for model in self.models_])
        return p / p.sum(axis=1, keepdims=True)


def paper_model(name, table):
    """The paper's "lr" or "rf" with the settings that its search found best on `table`."""
    settings = dict(PUBLISHED[table.name][name]["settings"])
    if name == "rf":
        return RandomForestClassifier(**settings)
    if table.n_classes > 2:
        return PaperLogistic(settings["C"])  # its other settings are those of this table
    l1_ratio = {"l1": 1.0, "l2": 0.0}[settings.pop("penalty")]
    return LogisticRegression(l1_ratio=l1_ratio, **settings)
