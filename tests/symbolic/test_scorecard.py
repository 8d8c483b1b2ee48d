"""Points that can be added up by hand."""

import itertools
import re

import numpy as np
import pandas as pd
import pytest
import sympy
from formula_cases import CASES, category, numeric
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from scipy.stats import mannwhitneyu

from kan_tabular import KAAMClassifier, KAAMRegressor, LogisticKAN, SymbolicClassifier
from kan_tabular.exceptions import FormulaError
from kan_tabular.symbolic.formula import Formula, Sum, T, Term
from kan_tabular.symbolic.scorecard import Scorecard, _best_bands, _between

TERMS = [
    Term("age", 0.05 * T, (20, 90)),
    Term("bmi", (T - 27) ** 2 / 50, (15, 45), missing=1.0),
    Term("ward", levels={"a": 0.0, "b": 0.9, "c|": 1.0}, missing=0.3, other=0.6),
    Term("noise", sympy.Float(0.001) * T, (-3, 3)),
]
FEATURES = [
    numeric("age", 0.0, 20, 90),
    numeric("bmi", 0.1, 15, 45),
    category("ward", ["a", "b", "c|"]),
    numeric("noise"),
]
FORMULA = Formula([Sum(-4.0, TERMS)], FEATURES, "logit", classes=["well", "ill"])


def _rows(n=600, seed=0):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(
        {
            "age": rng.uniform(20, 90, n).round(),
            "bmi": np.where(rng.random(n) < 0.1, np.nan, rng.normal(27, 5, n).clip(15, 45)),
            "ward": rng.choice(np.array(["a", "b", "c|", None], dtype=object), n),
            "noise": rng.normal(size=n),
        }
    )
    y = np.where(rng.random(n) < FORMULA.predict(X)[:, 0], "ill", "well")
    return X, y


X, Y = _rows()
CARD = Scorecard.from_model(FORMULA, X)


def _by_hand(card, row):
    """Points of one row, read from the printed table."""
    total = 0
    for column, bands in card.table.groupby("column"):
        value, points = row[column], None
        for band, p in zip(bands["band"], bands["points"], strict=True):
            if pd.isna(value) or band == "missing":
                holds = pd.isna(value) and band == "missing"
            elif isinstance(value, str):
                holds = value in band.split(", ")
            elif band == "any value":
                holds = True
            else:
                numbers = [float(v) for v in re.findall(r"-?\d+\.?\d*(?:e-?\d+)?", band)]
                above = numbers[0] <= value if not band.startswith("below") else True
                below = value < numbers[-1] if "below" in band else True
                holds = above and below
            if holds:
                assert points is None, "two bands hold the value"
                points = p
        total += bands.loc[bands["band"] == "any other level", "points"].item() if points is None else points
    return total


def test_the_printed_table_gives_the_totals():
    rows = pd.concat([X.head(60), pd.DataFrame({"age": [5.0, 200.0], "bmi": [1.0, 99.0], "ward": "new", "noise": 0.0})])
    assert CARD.total(rows).tolist() == [_by_hand(CARD, row) for _, row in rows.iterrows()]


def test_totals_are_those_that_can_be_reached():
    values = {
        "age": [*range(20, 91), np.nan],
        "bmi": [*np.arange(15, 45, 0.1), np.nan],
        "ward": ["a", "b", "c|", None, "new"],
    }
    ends = []
    for name, column in values.items():
        rows = pd.DataFrame({k: np.full(len(column), 50.0) for k in ("age", "bmi", "noise")}).assign(ward="a")
        rows[name] = pd.Series(column, dtype=object if name == "ward" else float)
        ends.append(CARD.total(rows) - CARD.total(rows.assign(**{name: column[0]})))
    low, high = (sum(f(e) for e in ends) for f in (min, max))
    start = int(CARD.total(pd.DataFrame({k: [v[0]] for k, v in values.items()})).item())
    assert CARD.probabilities["total"].tolist() == list(range(start + low, start + high + 1))


def test_probabilities_are_those_of_the_totals():
    table = dict(CARD.probabilities.itertuples(index=False))
    totals = CARD.total(X)
    np.testing.assert_allclose(CARD.predict_proba(X)[:, 1], [table[t] for t in totals])
    np.testing.assert_allclose(CARD.predict_proba(X).sum(1), 1.0)
    assert (np.diff(list(table.values())) > 0).all()


def test_keeps_the_mean_and_stays_close():
    eta, own = FORMULA.evaluate(X)[:, 0], CARD.origin + CARD.unit * CARD.total(X)
    assert own.mean() == pytest.approx(eta.mean(), abs=0.01)
    assert np.sqrt(np.mean((own - eta) ** 2)) < 0.6 * CARD.unit * np.sqrt(len(CARD.columns))
    assert np.abs(CARD.predict_proba(X)[:, 1] - expit(eta)).mean() < 0.05


def test_shares_are_those_of_the_rows():
    shares = CARD.table.groupby("column")["share"].sum()
    np.testing.assert_allclose(shares, 1.0)
    missing = CARD.table.query("band == 'missing'").set_index("column")["share"]
    assert missing.to_dict() == pytest.approx({"bmi": X["bmi"].isna().mean(), "ward": X["ward"].isna().mean()})


def test_leaves_out_what_gives_no_points_and_joins_levels():
    assert list(CARD.table["column"].unique()) == ["age", "bmi", "ward"]
    one_point = Scorecard.from_model(FORMULA, X, max_points=3)
    assert "b, c|" in one_point.table["band"].tolist()
    assert (CARD.table.loc[CARD.table["column"] == "age", "points"].diff().dropna() > 0).all()


def test_auc_is_that_of_the_rank_test():
    auc = CARD.auc(X, Y)
    ill = Y == "ill"
    for value, score in ((auc.model, FORMULA.evaluate(X)[:, 0]), (auc.scorecard, CARD.total(X))):
        u = mannwhitneyu(score[ill], score[~ill]).statistic
        assert value == pytest.approx(u / (ill.sum() * (~ill).sum()))
    assert auc.cost == auc.model - auc.scorecard and abs(auc.cost) < 0.03
    with pytest.raises(FormulaError, match="a single one"):
        CARD.auc(X, np.full(len(X), "ill"))


def test_more_points_cost_less():
    errors = []
    for points, bands in ((2, 2), (10, 5), (100, 30)):
        card = Scorecard.from_model(FORMULA, X, max_points=points, max_bands=bands)
        errors.append(np.std(card.origin + card.unit * card.total(X) - FORMULA.evaluate(X)[:, 0]))
    assert errors[0] > 2 * errors[1] > 4 * errors[2]


def test_of_a_fitted_network():
    model = KAAMClassifier().fit(X, Y)
    card = Scorecard.from_model(model.network_, classes=model.classes_.tolist())
    again = Scorecard.from_model(model.network_, X, classes=model.classes_.tolist())
    for c in (card, again):
        assert c.auc(X, Y).model == pytest.approx(_auc(model.decision_function(X)), abs=1e-12)
        assert c.auc(X, Y).cost < 0.03
        assert c.predict_proba(X)[:, list(c.classes).index("ill")].mean() == pytest.approx(
            (Y == "ill").mean(), abs=0.02
        )


def _auc(score):
    well = Y == "well"
    return mannwhitneyu(score[well], score[~well]).statistic / (well.sum() * (~well).sum())


def test_markdown():
    markdown = pytest.importorskip("markdown_it").MarkdownIt("commonmark").enable("table")
    cells = ["".join(c.content for c in t.children) for t in markdown.parse(CARD.to_markdown()) if t.type == "inline"]
    n = 3 * (1 + len(CARD.table))
    rows = [cells[i : i + 3] for i in range(3, n, 3)]
    assert [r[1] for r in rows] == CARD.table["band"].tolist()
    assert [int(r[2]) for r in rows] == CARD.table["points"].tolist()
    assert cells[n + 1] == "probability of ill" and len(cells) == n + 2 + 2 * len(CARD.probabilities)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.floats(-5, 5), st.floats(0.1, 3)), min_size=1, max_size=8), st.integers(2, 4))
def test_bands_are_the_best_ones(points, most):
    y, w = (np.array(v) for v in zip(*points, strict=True))
    starts, means = _best_bands(y, w, 0.0, most)

    def error(starts):
        parts = np.split(np.arange(len(y)), starts[1:])
        return sum((w[p] * (y[p] - np.average(y[p], weights=w[p])) ** 2).sum() for p in parts)

    every = [[0, *cut] for k in range(min(most, len(y))) for cut in itertools.combinations(range(1, len(y)), k)]
    assert len(starts) <= most and error(list(starts)) == pytest.approx(min(map(error, every)), abs=1e-9)
    np.testing.assert_allclose(
        means, [np.average(y[p], weights=w[p]) for p in np.split(np.arange(len(y)), starts[1:])], atol=1e-9
    )


def test_no_more_bands_than_needed():
    y = np.repeat([0.0, 1.0], 20)
    assert len(_best_bands(y, np.ones(40), 0.01, 5)[0]) == 2 and len(_best_bands(y, np.ones(40), 0.6, 5)[0]) == 1


@settings(deadline=None, derandomize=True)
@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_cuts_are_short_numbers_between(low, width):
    cut = _between(low, low + width)
    assert low < cut <= low + width


@pytest.mark.parametrize(("low", "high", "cut"), [(17.3, 24.9, 20.0), (2.12, 2.17, 2.15), (49.0, 50.0, 50.0)])
def test_cuts_by_hand(low, high, cut):
    assert _between(low, high) == cut


@pytest.mark.parametrize(
    ("model", "table", "message"),
    [
        (CASES["counts"], X, "link 'log'"),
        (CASES["two classes"], X, "hidden nodes"),
        (FORMULA, None, "a formula keeps no rows"),
        (Formula([Sum(1.0)], FEATURES, "logit"), X, "no points to give"),
    ],
)
def test_models_that_have_no_scorecard(model, table, message):
    with pytest.raises(FormulaError, match=message):
        Scorecard.from_model(model, table)


@pytest.mark.parametrize(
    ("change", "message"),
    [({"max_bands": 1}, "at least 2"), ({"max_points": 0}, "at least 1"), ({"max_bands": 2.5}, "an integer")],
)
def test_settings(change, message):
    with pytest.raises(FormulaError, match=f"{next(iter(change))}=.*{message}"):
        Scorecard.from_model(FORMULA, X, **change)


# ---- to_scorecard ----


@pytest.fixture(scope="module")
def model():
    return KAAMClassifier().fit(X, Y)


def test_estimators_give_the_scorecard_of_their_network(model):
    held_out, outcome = _rows(400, seed=1)
    card = model.to_scorecard(held_out, outcome, max_bands=3, max_points=6)
    same = Scorecard.from_model(model.network_, held_out, classes=["ill", "well"], max_bands=3, max_points=6)
    assert card.table.equals(same.table) and card.classes == ("ill", "well")
    for score, value in (
        (card.total(held_out), card.auc_.scorecard),
        (model.decision_function(held_out), card.auc_.model),
    ):
        well = outcome == "well"
        u = mannwhitneyu(score[well], score[~well]).statistic
        assert value == pytest.approx(u / (well.sum() * (~well).sum()), abs=1e-12)
    assert f"AUC {card.auc_.scorecard:.4f} (model: {card.auc_.model:.4f})." in card.to_markdown()


def test_estimators_need_no_rows(model):
    card = model.to_scorecard()
    assert card.auc_ is None and "AUC" not in card.to_markdown()
    eta = card.origin + card.unit * card.total(X)
    assert np.corrcoef(eta, model.decision_function(X))[0, 1] > 0.95
    np.testing.assert_allclose(card.predict_proba(X), np.stack([1 - expit(eta), expit(eta)], axis=1))


def test_formulas_that_are_estimators_need_no_rows_either():
    truth = Formula([Sum(-1.0, TERMS[:1])], FEATURES[:1], "logit")
    age = pd.DataFrame({"age": np.random.default_rng(0).uniform(20, 90, 800)})
    y = np.random.default_rng(1).random(800) < truth.predict(age)[:, 0]
    formula = SymbolicClassifier().fit(age, y)
    card = formula.to_scorecard()
    assert np.abs(card.origin + card.unit * card.total(age) - formula.decision_function(age)).max() < 2 * card.unit
    assert formula.to_scorecard(age, y).auc_.cost < 0.02
    array = SymbolicClassifier().fit(age.to_numpy(), y).to_scorecard(age.to_numpy(), y.tolist())
    assert array.auc_ == formula.to_scorecard(age, y).auc_


def test_who_has_no_scorecard_is_told_what_to_do():
    x = X[["age"]]
    with pytest.raises(FormulaError, match="KAAMRegressor predicts a number.*threshold"):
        KAAMRegressor().fit(x, X["noise"]).to_scorecard()
    with pytest.raises(FormulaError, match="this model has 3: fit one for a class"):
        KAAMClassifier().fit(x, np.arange(len(x)) % 3).to_scorecard()
    with pytest.raises(FormulaError, match="LogisticKAN act together.*KAAMClassifier"):
        LogisticKAN(n_estimators=1, max_iter=1, random_state=0).fit(x, Y).to_scorecard(x, Y)


def test_rows_that_do_not_fit_the_model_are_refused(model):
    with pytest.raises(ValueError, match="needs X"):
        model.to_scorecard(y=Y)
    with pytest.raises(ValueError, match="'perhaps'"):
        model.to_scorecard(X, np.where(Y == "ill", "perhaps", "well"))
    with pytest.raises(ValueError, match="y has 599 entries"):
        model.to_scorecard(X, Y[:-1])
    with pytest.raises(ValueError, match="feature names"):
        model.to_scorecard(X.rename(columns={"age": "years"}))
    with pytest.raises(FormulaError, match="a single one"):
        model.to_scorecard(X, np.full(len(X), "well"))
    with pytest.raises(FormulaError, match="max_points=0"):
        model.to_scorecard(max_points=0)
