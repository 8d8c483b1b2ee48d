"""The page as a file: what is in it and what is not, and that it is whole."""

import base64
import datetime
import hashlib
import re
from html.parser import HTMLParser
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from sklearn import metrics as skm
from sklearn.datasets import load_breast_cancer
from sklearn.exceptions import NotFittedError

import kan_tabular._files
from kan_tabular import KAAMClassifier, KAAMRegressor, SymbolicRegressor
from kan_tabular.encoding import read_table
from kan_tabular.explain import SimilarCases
from kan_tabular.report import build_report

SECRET = 71.23456789
VOID = {"meta", "input", "img", "br", "link", "hr", "wbr"}


class Page(HTMLParser):
    """A page as tags with their attributes, and as text by tag."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.tags, self.open, self.text = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append((self.open[-1] if self.open else "", data))

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]

    def texts(self, *tags):
        return [data for tag, data in self.text if tag in tags and data.strip()]

    @property
    def words(self):
        return " ".join(" ".join(data for tag, data in self.text if tag not in ("script", "style")).split())


def table(n=200, seed=0):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(
        {"age": rng.normal(60, 12, n), "ward": rng.choice(["east", "west"], n), "crp": rng.lognormal(size=n)}
    )
    X.loc[::11, "crp"] = np.nan
    y = np.where((X["age"] - 60) / 8 + (X["ward"] == "east") + rng.logistic(size=n) > 0.5, "ill", "well")
    return X, pd.Series(y, name="state")


@pytest.fixture(scope="module")
def model():
    X, y = table(400, seed=1)
    X.loc[7, "age"] = SECRET
    return KAAMClassifier(n_knots=6).fit(X, y)


def built(path, model, X, y, **options):
    build_report(model, X, y, path, **options)
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(model, tmp_path_factory):
    X, y = table()
    X.loc[3, "age"] = SECRET + 1
    path = tmp_path_factory.mktemp("page") / "report.html"
    options = {"intended_use": "Rounds.", "labels": {"crp": "C-reactive protein"}, "units": {"crp": "mg/l"}}
    return built(path, model, X, y, date=datetime.date(2026, 3, 1), n_training=400, **options)


def test_the_card(page, model):
    words = Page(page).words
    X, _ = table()
    for text in (
        "the probability that state is well (rather than ill)",
        "Intended use Rounds.",
        "Training rows 400",
        "Test rows 200",
        "Date of this report 2026-03-01",
        "n_knots 6",
        f"kan-tabular {kan_tabular.__version__}",
        "C-reactive protein (mg/l) number 19",
        "associations in the data",
    ):
        assert text in words
    assert X["crp"].isna().sum() == 19
    assert "smoothing" not in words  # at its default


def test_measures_are_those_of_scikit_learn(page, model):
    X, y = table()
    X.loc[3, "age"] = SECRET + 1
    p = model.predict_proba(X)[:, 1]
    well = y == "well"
    expected = {
        "AUC": f"{skm.roc_auc_score(well, p):.3f}",
        "Average precision": f"{skm.average_precision_score(well, p):.3f}",
        "Brier score": f"{skm.brier_score_loss(well, p):.3f}",
        "Log loss": f"{skm.log_loss(well, p):.3f}",
        "Accuracy": f"{100 * skm.accuracy_score(well, p >= 0.5):.1f}%",
        "Sensitivity": f"{100 * skm.recall_score(well, p >= 0.5):.1f}%",
        "Specificity": f"{100 * skm.recall_score(~well, p < 0.5):.1f}%",
        "Positive predictive value": f"{100 * skm.precision_score(well, p >= 0.5):.1f}%",
        "Negative predictive value": f"{100 * skm.precision_score(~well, p < 0.5):.1f}%",
    }
    shown = dict(
        re.findall(
            r'<th scope="row">([^<]+)<span class="says">.*?</span></th><td class="number strong">([^<]+)</td>', page
        )
    )
    assert {name: shown[name] for name in expected} == expected
    (tn, fp), (fn, tp) = skm.confusion_matrix(well, p >= 0.5)
    matrix = page[page.index('class="matrix"') :]
    assert re.findall(r'<td class="number">(\d+)</td>', matrix)[:4] == [str(n) for n in (tn, fp, fn, tp)]


def test_a_threshold_moves_the_counts(model, tmp_path):
    X, y = table()
    flagged = model.predict_proba(X)[:, 1] >= 0.2
    text = built(tmp_path / "r.html", model, X, y, threshold=0.2)
    sensitivity = (flagged & (y == "well")).sum() / (y == "well").sum()
    assert f'<td class="number strong">{100 * sensitivity:.1f}%</td>' in text
    assert "at least 20%" in Page(text).words
    expected = skm.confusion_matrix(y == "well", flagged)
    assert expected.min() >= 5
    shown = re.findall(r'<td class="number">(\d+)</td>', text[text.index('class="matrix"') :])
    assert shown[:4] == [str(n) for n in expected.ravel()]


def test_no_row_is_in_the_page(page, model):
    X, _ = table()
    for number in (SECRET, SECRET + 1, X["age"].iloc[17], X["crp"].iloc[20]):
        assert f"{number:.6f}"[:8] not in page
    assert "Row 3" not in page


def test_small_groups_are_not_told(model, tmp_path):
    X, y = table(60)
    X["ward"] = X["ward"].mask(np.arange(60) < 3)
    y[:] = ["ill"] * 56 + ["well"] * 4
    words = Page(built(tmp_path / "r.html", model, X, y)).words
    assert "ward category, 2 levels < 5" in words
    assert re.search(r"ill not shown not shown well < 5 not shown", words)
    assert "chance would reach" not in words
    told = Page(built(tmp_path / "r.html", model, X, y, min_group=1)).words
    assert "ward category, 2 levels 3" in told and "well 4 6.7%" in told and "are shown as" not in told


def test_the_page_is_sound_html(page):
    read = Page(page)
    assert read.open == []
    assert read.all("html") == [{"lang": "en"}] and read.texts("title") == ["Prediction of state"]
    levels = [int(tag[1]) for tag, _ in read.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in zip(levels, levels[1:], strict=False))
    ids = [attrs["id"] for _, attrs in read.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    for _, attrs in read.tags:
        assert not [name for name in attrs if name.startswith("on") or name in ("style", "src", "srcset", "action")]
        for name in ("aria-labelledby", "for"):
            assert attrs.get(name, ids[0]) in ids
        if attrs.get("href", "#").startswith("#"):
            assert attrs.get("href", "#main")[1:] in ids
        else:
            raise AssertionError(attrs)
    assert all("scope" in attrs for attrs in read.all("th"))
    assert {"header", "main", "nav", "footer"} <= {tag for tag, _ in read.tags}
    assert all(attrs.get("aria-label") or attrs.get("aria-hidden") for attrs in read.all("svg"))


def test_the_policy_names_exactly_the_style_and_script_in_the_page(page):
    policy = next(a["content"] for a in Page(page).all("meta") if a.get("http-equiv") == "Content-Security-Policy")
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == "'none'" and "unsafe" not in policy

    def digest(text):
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    assert rules["style-src"] == digest(re.search(r"<style>(.*?)</style>", page, re.DOTALL)[1])
    assert rules["script-src"] == digest(re.search(r"<script>(.*?)</script>", page, re.DOTALL)[1])
    assert page.index("Content-Security-Policy") < page.index("<style>")
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", page)


def test_thirty_features_stay_below_three_megabytes(tmp_path):
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    model = KAAMClassifier().fit(X[::2], y[::2])
    text = built(tmp_path / "r.html", model, X[1::2], y[1::2])
    assert len(text.encode()) < 3_000_000
    assert len(re.findall('<svg class="chart"', text)) == 30 + 2


def test_the_same_call_writes_the_same_page(model, tmp_path):
    X, y = table()
    state = np.random.get_state()
    first = built(tmp_path / "1.html", model, X, y, date="today")
    assert first == built(tmp_path / "2.html", model, X, y, date="today")
    assert first != built(tmp_path / "3.html", model, X, y, date="today", random_state=1)  # of the bootstrap
    after = np.random.get_state()
    assert (state[1] == after[1]).all() and state[2] == after[2]


def test_it_is_written_whole_or_not_at_all(model, tmp_path, monkeypatch):
    X, y = table()
    path = tmp_path / "r.html"
    path.write_text("before")

    def no_space(_):
        raise OSError("no space")

    monkeypatch.setattr(kan_tabular._files.os, "fsync", no_space)
    with pytest.raises(OSError, match="no space"):
        build_report(model, X, y, path)
    assert path.read_text() == "before" and [p.name for p in tmp_path.iterdir()] == ["r.html"]


def test_regression_and_formula(tmp_path):
    rng = np.random.default_rng(5)
    X = pd.DataFrame({"x": rng.uniform(0, 5, 300), "z": rng.normal(size=300)})
    y = np.exp(0.3 * X["x"]) + 0.1 * rng.normal(size=300)
    model = SymbolicRegressor().fit(X[:200], y[:200])
    text = built(tmp_path / "r.html", model, X[200:], y[200:], outcome="yield", units={"yield": "MPa"})
    words = Page(text).words
    predicted = model.predict(X[200:])
    assert f"{skm.r2_score(y[200:], predicted):.3f}" in words
    assert "the mean of yield in MPa" in words and "The model is this formula." in words
    assert model.latex().split("\n")[1].strip() in " ".join(Page(text).texts("pre"))
    assert "observed minus predicted (MPa)" in words


def test_a_formula_beside_its_model(model, tmp_path):
    X, y = table()
    formula = model.to_symbolic(X, y, fidelity=None)
    text = built(tmp_path / "r.html", model, X, y, formula=formula)
    assert "in the place of the model" in text
    assert f"{formula.fidelity_['r2_model']:.4f}" in text


def test_patients_with_similar_cases(model, tmp_path):
    X, y = table()
    train = table(400, seed=1)
    cases = SimilarCases(model, n_neighbors=4).fit(*train, ids=[f"case {i}" for i in range(400)])
    text = built(tmp_path / "r.html", model, X, y, patients={"Mrs A": 4, "Mr B": -1}, cases=cases)
    words = Page(text).words
    p = model.predict_proba(X)[:, 1]
    for row in (4, 199):
        assert f"{100 * p[row]:.1f}%" in words
        for name in cases.query(X.iloc[[row]])["id"]:
            assert name in words
    assert "Mrs A" in words and "Mr B" in words
    assert "data of single people" in words
    explained, eta = model.explain(X.iloc[[4]]), model.decision_function(X.iloc[[4]])[0]
    numbers = [*explained.values[0], explained.base_values[0], eta]
    texts = [f"{number:+.2f}".replace("-", "\N{MINUS SIGN}") for number in numbers]
    assert [text for text in texts if text not in words] == []
    assert f"From the average ({texts[-2]}) to this prediction ({texts[-1]})" in words
    Z = model.encoder_.transform(read_table(X.iloc[[4]]))
    low, high = expit(eta + np.array([-1.959964, 1.959964]) * model.network_.standard_error(Z)[0, 0])
    assert f"{100 * p[4]:.1f}% {100 * low:.1f}% to {100 * high:.1f}%" in words


def bars(text, label):
    """Grey bars of the first chart of that name."""
    chart = text[text.index(f'aria-label="{label}') :]
    return chart[: chart.index("</svg>")].count('class="density"')


def test_bars_of_small_groups_are_not_drawn(model, tmp_path):
    X, y = table()
    text = {k: built(tmp_path / f"{k}.html", model, X, y, min_group=k, n_training=400) for k in (1, 8)}
    edges, weight = model.shape_function("age").density.edges, model.shape_function("age").density.weight
    assert len(edges) == len(weight) + 1
    assert bars(text[1], "Effect of age") == (weight > 0).sum()
    assert bars(text[8], "Effect of age") == (np.round(400 * weight) >= 8).sum() < (weight > 0).sum()
    counts = np.histogram(model.predict_proba(X)[:, 1], np.linspace(0, 1, 41))[0]
    assert bars(text[1], "Calibration of") == (counts > 0).sum()
    assert bars(text[8], "Calibration of") == (counts >= 8).sum() < (counts > 0).sum()


def test_rare_levels_are_folded_and_their_share_is_a_bound(tmp_path):
    rng = np.random.default_rng(7)
    level = rng.choice([f"level {k}" for k in range(9)], 300, p=[0.2] * 4 + [0.04] * 5)
    level[:3] = "rare"
    X, y = pd.DataFrame({"level": level, "x": rng.normal(size=300)}), rng.integers(0, 2, 300)
    model = KAAMClassifier().fit(X, y)
    text = built(tmp_path / "r.html", model, X, y, n_training=300)
    assert "4 rarer levels" in text
    rows = dict(re.findall(r'<tr><th scope="row">([^<]+)</th>.*?<td class="number">([^<]+)</td></tr>', text))
    assert rows["rare"] == "&lt; 1.7%" and rows["level 0"] == f"{100 * (level == 'level 0').mean():.1f}%"
    assert text.index("level 0</th>") < text.index("rarer levels") < text.index("rare</th>")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"units": {"size": "cm"}}, "units names 'size'"),
        ({"labels": ["age"]}, "give a dict"),
        ({"patients": [200]}, "from 0 to 199"),
        ({"patients": "all"}, "give positions"),
        ({"patients": [True]}, "no position"),
        ({"min_group": 0}, "min_group=0"),
        ({"n_training": -4}, "n_training=-4"),
        ({"threshold": 1.5}, "threshold=1.5"),
        ({"confidence_level": 95}, "confidence_level=95"),
        ({"cases": object()}, "name some in patients"),
        ({"formula": "x + 1"}, "to_symbolic"),
        ({"conformal": {"kind": "lac"}}, "conformal"),
        ({"conformal": SimpleNamespace(threshold_rule=lambda: None)}, "method='split'"),
        ({"conformal": {"kind": "lac", "confidence_level": 0.9, "quantile": 0.5, "empty": "keep"}}, "argmax"),
    ],
)
def test_arguments_that_mean_nothing_are_refused(model, tmp_path, options, message):
    X, y = table()
    with pytest.raises(ValueError, match=message):
        build_report(model, X, y, tmp_path / "r.html", **options)
    assert list(tmp_path.iterdir()) == []


def test_data_that_do_not_fit_are_refused(model, tmp_path):
    X, y = table()
    path = tmp_path / "r.html"
    with pytest.raises(ValueError, match="no rows"):
        build_report(model, X[:0], y[:0], path)
    with pytest.raises(ValueError, match="age"):
        build_report(model, X.drop(columns="age"), y, path)
    with pytest.raises(ValueError, match="'dead', which is not a class"):
        build_report(model, X, y.replace("ill", "dead"), path)
    with pytest.raises(ValueError, match="y_test has 199 entries"):
        build_report(model, X, y[:-1], path)
    with pytest.raises(ValueError, match="it is a folder"):
        build_report(model, X, y, tmp_path)
    with pytest.raises(FileNotFoundError, match="does not exist"):
        build_report(model, X, y, tmp_path / "no" / "r.html")
    with pytest.raises(NotFittedError):
        build_report(KAAMClassifier(), X, y, path)
    with pytest.raises(TypeError, match="build_report needs a fitted model"):
        build_report(object(), X, y, path)
    assert list(tmp_path.iterdir()) == []


def test_one_class_only_says_so(model, tmp_path):
    X, y = table()
    y[:] = "ill"
    words = Page(built(tmp_path / "r.html", model, X, y)).words
    assert "Too few test rows are state = well" in words
    assert "Specificity" in words and "AUC" not in words


def test_three_classes_of_which_one_is_rare(tmp_path):
    X, _ = table(300, seed=4)
    noise = np.random.default_rng(0).logistic(size=300)
    y = np.array(["a", "b", "c"])[np.searchsorted([-1.0, 1.0], (X["age"] - 60) / 8 + noise)]
    model = KAAMClassifier().fit(X, y)
    keep = (y != "c") | (np.cumsum(y == "c") == 1)
    words = Page(built(tmp_path / "r.html", model, X[keep], y[keep])).words
    assert "Too few test rows are c" in words and "AUC (macro)" not in words
    full = Page(built(tmp_path / "r.html", model, X, y)).words
    auc = skm.roc_auc_score(y, model.predict_proba(X), multi_class="ovr")
    assert f"{auc:.3f}" in full


def test_arrays_and_other_tables(tmp_path):
    rng = np.random.default_rng(2)
    X, y = rng.normal(size=(120, 2)), rng.normal(size=120)
    model = KAAMRegressor().fit(X, y)
    page = built(tmp_path / "r.html", model, X, y)
    assert "the mean of the outcome" in page
    assert page == built(tmp_path / "r.html", model, X, list(y))
    pl = pytest.importorskip("polars")
    frame = pl.DataFrame({"a": X[:, 0], "b": X[:, 1]})
    model = KAAMRegressor().fit(frame, y)
    assert "<h4>a</h4>" in built(tmp_path / "r.html", model, frame, y)


def test_columns_that_say_nothing_are_shown(tmp_path):
    X, y = table()
    X = X.assign(constant=1.0, gone=np.nan, flag=pd.array(X["age"] > 60, dtype="boolean"))
    X["ward"] = X["ward"].replace("west", "")
    model = KAAMClassifier().fit(X, y)
    text = built(tmp_path / "r.html", model, X, y, patients=[0])
    assert text.count('<figure class="panel">') == 6 and bars(text, "Effect of gone") == 0
    assert "gone number 200" in Page(text).words
