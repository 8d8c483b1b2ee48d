"""The clinical paper's benchmark: published rows come out again, the recipe is the one described, the page is right."""

import importlib
import json
import os
import stat
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t as student_t
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score, log_loss, roc_auc_score
from sklearn.preprocessing import StandardScaler
from sklearn.utils.class_weight import compute_sample_weight

FOLDER = Path(__file__).resolve().parents[1] / "examples" / "benchmarks"


@pytest.fixture(scope="module")
def script():
    """``clinical_paper`` and, as attributes, the modules it is made of."""
    before = set(sys.modules)
    with pytest.MonkeyPatch.context() as patch:
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
            patch.setenv(name, "1")  # the script sets them on import; put them back after the module
        patch.syspath_prepend(str(FOLDER))
        module = importlib.import_module("clinical_paper")
        module.tables, module.pages = (importlib.import_module(f"_clinical_{name}") for name in ("tables", "page"))
        yield module
    for name in set(sys.modules) - before:
        if name.startswith("_") or name == "clinical_paper":
            sys.modules.pop(name)


@pytest.fixture
def obesity(monkeypatch):
    folder = Path(os.environ.get("KAN_TABULAR_DATA") or FOLDER.parents[2] / "shared" / "data")
    if not (folder / "obesity_2111.csv").exists():
        pytest.skip("needs obesity_2111.csv (KAN_TABULAR_DATA, or ../shared/data beside the project)")
    monkeypatch.setenv("KAN_TABULAR_DATA", str(folder))


def scores_of(script, name, model):
    table = script.read_table(name)
    X, X_test, y, y_test = script.published_split(table)
    fitted, seconds = script.fitted(model, table, X, y)
    assert seconds > 0
    return {key: round(value, 4) for key, value in script.paper_scores(y_test, fitted.predict_proba(X_test)).items()}


# ---------------------------------------------------------------------------------------------- the published rows


@pytest.mark.parametrize("model", ["lr", "rf"])
def test_the_published_rows_of_breast_come_out_again(script, model):
    published = {"lr": (0.9561, 0.9959, 0.9624, 0.9697, 0.9552), "rf": (0.9561, 0.9962, 0.9624, 0.9697, 0.9552)}[model]
    assert scores_of(script, "breast", model) == dict(zip(script.tables.SCORES, published, strict=True))


@pytest.mark.parametrize(
    ("name", "model", "published"),
    [
        ("obesity_bin", "lr", (0.995, 1.0, 0.995, 0.9901, 1.0)),
        ("obesity_bin", "rf", (0.99, 0.9997, 0.99, 0.99, 0.99)),
        ("obesity", "lr", (0.7, 0.9235, 0.6823, 0.6787, 0.7)),
    ],
)
def test_the_published_rows_of_obesity_come_out_again(script, obesity, name, model, published):
    assert scores_of(script, name, model) == dict(zip(script.tables.SCORES, published, strict=True))


def test_additive_curves_order_the_binary_classes_and_miss_a_row_that_breaks_the_rule(script, obesity):
    assert scores_of(script, "obesity_bin", "kaam")["auc"] == 1.0
    (index,) = script.missed_indices("kaam", script.read_table("obesity_bin"))
    assert 30 < index < 31  # obese by definition, and labelled not obese


def test_obesity_without_the_columns_that_define_it(script, obesity):
    with_them, without = script.read_table("obesity"), script.read_table("obesity_habits")
    assert set(with_them.X) - set(without.X) == {"Height", "Weight"}
    assert (with_them.y == without.y).all() and with_them.X.notna().all(axis=None)
    obese = with_them.X["Weight"] / with_them.X["Height"] ** 2 >= 30
    binary = script.read_table("obesity_bin_habits").y
    assert np.mean(obese == binary) > 0.99 and (binary == (without.y > 3)).all()


# --------------------------------------------------------------------------------------------------- preparation


def test_the_scaling_is_a_z_score_of_columns_with_more_than_ten_values(script):
    rng = np.random.default_rng(0)
    codes = rng.permutation(np.repeat(np.arange(10.0), 5))
    X = pd.DataFrame(
        {"long": rng.normal(5, 2, 50), "codes": codes, "eleven": rng.permutation([*range(11), *codes[:39]])}
    )
    scaler = script.PaperScaler().fit(X)
    Z = scaler.transform(X)
    expected = StandardScaler().fit_transform(X[["long", "eleven"]])
    np.testing.assert_allclose(Z[["long", "eleven"]], expected, atol=1e-12)
    assert Z["codes"].equals(X["codes"])
    np.testing.assert_allclose(scaler.transform(X.iloc[:3]), Z.iloc[:3])  # by the rows of fit alone


def test_repeated_folds_are_scaled_by_their_training_rows(script):
    table = script.read_table("breast")
    train, test = script.outer_folds(table, 0)[0]
    X, X_test = script.scaled_fold(table, train, test)
    scaler = StandardScaler().fit(table.X.iloc[train])
    np.testing.assert_allclose(X, scaler.transform(table.X.iloc[train]), atol=1e-10)
    np.testing.assert_allclose(X_test, scaler.transform(table.X.iloc[test]), atol=1e-10)


def test_scores_of_several_classes_are_weighted(script):
    rng = np.random.default_rng(1)
    y = rng.choice(3, 90, p=[0.6, 0.3, 0.1])
    p = rng.dirichlet(np.ones(3), 90)
    p[np.arange(90), y] += 0.3
    p /= p.sum(axis=1, keepdims=True)
    scores = script.paper_scores(y, p)
    assert scores["f1"] == pytest.approx(f1_score(y, p.argmax(axis=1), average="weighted"))
    assert scores["auc"] == pytest.approx(roc_auc_score(y, p, average="weighted", multi_class="ovo"))
    assert scores["recall"] == pytest.approx(scores["accuracy"])
    two = script.paper_scores((y == 0).astype(int), np.column_stack([1 - p[:, 0], p[:, 0]]))
    assert two["f1"] == pytest.approx(f1_score(y == 0, p[:, 0] > 0.5))
    assert two["accuracy"] == accuracy_score(y == 0, p[:, 0] > 0.5)


def test_one_against_rest_weighs_only_the_rows_of_the_one(script):
    X, y = np.random.default_rng(2).normal(size=(60, 2)), np.repeat([0, 1, 2], [10, 20, 30])
    model = script.tables.PaperLogistic(C=0.1).fit(X, y)
    by_hand = LogisticRegression(
        C=0.1, solver="liblinear", random_state=0, class_weight={False: 1, True: 60 / (3 * 10)}
    )
    np.testing.assert_allclose(model.models_[0].coef_, by_hand.fit(X, y == 0).coef_, rtol=1e-6)
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1)


# --------------------------------------------------------------------------------------------------- pykan's recipe


class Layer:
    """What the recipe touches of pykan's layer, with powers in place of splines."""

    def __init__(self, torch, layers, n_in, n_out, k):
        class Module(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.k = k
                self.coef = torch.nn.Parameter(0.1 * torch.randn(n_in, n_out, k + 1))
                self.scale_base = torch.nn.Parameter(0.1 * torch.randn(n_in, n_out))
                self.scale_sp = torch.nn.Parameter(torch.ones(n_in, n_out))
                self.grid = torch.nn.Parameter(torch.zeros(n_in, 2), requires_grad=False)
                self.mask = torch.nn.Parameter(torch.ones(n_in, n_out), requires_grad=False)
                self.mask.data[0, -1] = 0.0

            def forward(self, x):
                splines = torch.einsum("ijk,jlk->ijl", layers.B_batch(x, self.grid, self.k), self.coef)
                return self.mask * (self.scale_base * torch.nn.functional.silu(x)[:, :, None] + self.scale_sp * splines)

        self.module = Module()


@pytest.fixture
def recipe(monkeypatch):
    """The peer's module, with a small package of pykan's names in place of pykan."""
    torch = pytest.importorskip("torch")

    def B_batch(x, grid, k):
        return torch.stack([(x - grid.mean(1)) ** j for j in range(k + 1)], dim=-1)

    layers = SimpleNamespace(B_batch=B_batch)

    class KAN(torch.nn.Module):
        def __init__(self, width, grid, k, seed, device, sparse_init, symbolic_enabled, auto_save, ckpt_path):
            super().__init__()
            torch.manual_seed(seed)
            made = [Layer(torch, layers, *pair, k).module for pair in zip(width, width[1:], strict=False)]
            self.act_fun, self.updates = torch.nn.ModuleList(made), []

        def get_params(self):
            return self.parameters()

        def forward(self, x):
            self.acts_scale_spline = []
            for layer in self.act_fun:
                curves = layer(x)
                self.acts_scale_spline.append(curves.permute(0, 2, 1).std(0) / (x.std(0) + 0.1))
                x = curves.sum(1)
            return x

        def get_reg(self, metric, l1, entropy, coef, coefdiff):
            assert (metric, l1, entropy, coef, coefdiff) == ("edge_forward_spline_n", 1.0, 0.1, 0.0, 0.0)
            return sum((spread**2 / (1 + spread[:1])).sum() for spread in self.acts_scale_spline)

        def update_grid(self, x):
            self.updates.append(len(x))
            for layer in self.act_fun:
                layer.grid.data += 0.1 * x.mean()
                layer.coef.data *= 0.99

    monkeypatch.setitem(sys.modules, "kan", SimpleNamespace(KAN=KAN, KANLayer=layers))
    monkeypatch.setitem(sys.modules, "kan.KANLayer", layers)
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.delitem(sys.modules, "_clinical_pykan", raising=False)
    module = importlib.import_module("_clinical_pykan")
    monkeypatch.delitem(sys.modules, "_clinical_pykan")
    return module


def made_up_tables(folder, number):
    """Noisy classes of which validation rows have other labels: training longer makes them worse."""
    paths = []
    for seed in range(number):
        rng = np.random.default_rng(seed)
        X, y = rng.normal(size=(40, 3)), np.repeat([0, 1, 2], [22, 12, 6])
        X[:, 0] += y
        parts = {"X_train": X, "y_train": y, "X_validation": X[::4], "y_validation": (y[::4] + seed) % 3}
        paths.append(str(folder / f"{seed}.npz"))
        np.savez(paths[-1], X_test=X[:5], **parts)
    return paths


JOB = {"hidden": [2], "grid": 1, "k": 2, "lamb": 0.01, "weight": True, "sparse_init": False, "steps": 120}


def test_many_networks_at_once_are_trained_as_one_after_the_other(recipe, tmp_path):
    paths = made_up_tables(tmp_path, 3)
    one_by_one = recipe.answer({**JOB, "tables": paths, "plain": True})
    at_once = recipe.answer({**JOB, "tables": paths, "plain": False})
    lengths = [len(a["losses"]) for a in one_by_one]
    assert lengths == [len(a["losses"]) for a in at_once] and min(lengths) < max(lengths)
    for one, other in zip(one_by_one, at_once, strict=True):
        for key in ("losses", "validation_losses", "p"):
            np.testing.assert_allclose(one[key], other[key], atol=2e-5)


def test_the_recipe_stops_31_steps_after_the_best_and_updates_grids_ten_times(recipe, tmp_path):
    job = {**JOB, "n_classes": 3, "plain": True}
    table = recipe.read_table(made_up_tables(tmp_path, 2)[1])
    model = recipe.KAN([3, 2, 3], 1, 2, 0, "cpu", False, True, True, "")
    losses, validation = recipe.train_plain(model, table, job)
    assert len(losses) == len(validation) == np.argmin(validation) + 32 < job["steps"]
    assert model.updates == [40] * min(10, -(-len(losses) // 5))


def test_the_first_loss_is_cross_entropy_weighted_by_class(recipe, tmp_path):
    from scipy.special import softmax

    table = recipe.read_table(made_up_tables(tmp_path, 1)[0])
    model = recipe.KAN([3, 3], 1, 2, 0, "cpu", False, True, True, "")
    y, balanced = table["y_train"], compute_sample_weight("balanced", table["y_train"])
    for weight, sample_weight in ((True, balanced), (False, None)):
        weights = recipe.class_weights(y, 3, weight)
        logits = model(table["X_train"]).detach()
        expected = log_loss(y, softmax(logits.double().numpy(), axis=1), sample_weight=sample_weight)
        assert float(recipe.cross_entropy(logits, y, weights)) == pytest.approx(expected, rel=1e-5)


def test_a_training_is_asked_for_with_the_published_settings(script, tmp_path):
    """A stand-in for pykan's interpreter answers with what it was asked."""
    stand_in = tmp_path / "python"
    stand_in.write_text(
        f"#!{sys.executable}\nimport json, sys\nimport numpy as np\nfor line in sys.stdin:\n"
        "    job = json.loads(line)\n    t = np.load(job['tables'][0])\n"
        "    print(json.dumps([{'job': job, 'rows': {k: t[k].shape[0] for k in t}}]), flush=True)\n"
    )
    stand_in.chmod(stand_in.stat().st_mode | stat.S_IXUSR)
    table = script.read_table("breast")
    X, X_test, y, _ = script.published_split(table)
    with script.pykan_trainer(stand_in) as train:
        answers = {
            m: train([(X, y, X_test)], script.PUBLISHED["breast"][key]["settings"])[0]
            for m, key in script.RECIPES.items()
        }
    job = answers["kaam_recipe"]["job"]
    asked = {key: job[key] for key in ("hidden", "grid", "k", "lamb", "weight", "sparse_init", "steps", "plain")}
    assert asked == {
        **{"hidden": [], "grid": 3, "k": 5, "lamb": 0.001},
        **{"weight": False, "sparse_init": True, "steps": 10000, "plain": False},
    }
    assert answers["kan_recipe"]["job"]["hidden"] == [5, 5]
    rows = {"X_train": 364, "y_train": 364, "X_validation": 91, "y_validation": 91, "X_test": 114}
    assert answers["kaam_recipe"]["rows"] == rows


def test_without_pykan_the_recipe_is_skipped_in_words(script, capsys):
    script.main(["recipe"])
    assert "SKIPPED, no --pykan-python" in capsys.readouterr().out


# -------------------------------------------------------------------------------------------------------- the page


def fold(table, model, repeat, k, **scores):
    about = {"date": "2000-01-01", "environment": "a machine", "commit": "abc"}
    scores = {"accuracy": 0.9, "auc": 0.9, "log_loss": 0.3, **scores}
    return {"part": "repeated", "table": table, "model": model, "repeat": repeat, "fold": k, "scores": scores, **about}


def test_differences_are_of_shared_folds_with_the_interval_for_dependent_splits(script):
    d = np.array([0.01, 0.03, -0.02, 0.0, 0.04, 0.02])
    records = [fold("breast", "kaam", k // 5, k % 5, auc=0.9 + d[k]) for k in range(6)]
    records += [fold("breast", "kaam", 7, 0, auc=0.1)]  # not shared
    records += [fold("breast", "kaam_recipe", k // 5, k % 5) for k in range(6)]
    n, mean, low, high = script.pages.difference(script.pages.by_fold(records), "breast", "kaam", "kaam_recipe", "auc")
    half = student_t.ppf(0.975, 5) * np.sqrt((1 / 6 + 0.25) * d.var(ddof=1))
    assert n == 6
    np.testing.assert_allclose([mean, low, high], [d.mean(), d.mean() - half, d.mean() + half], rtol=1e-9)
    few = script.pages.by_fold(records[:4] + records[7:])
    assert script.pages.difference(few, "breast", "kaam", "kaam_recipe", "auc") is None


def test_the_verdict_counts_ties_as_held_and_losses_the_other_way(script):
    names = ("kaam", "kaam_recipe")
    records = [fold("breast", m, r, k) for m in names for r in range(2) for k in range(5)]
    for r in records:
        if r["model"] == "kaam":
            r["scores"]["log_loss"] += 0.01 * (1 + r["fold"])  # worse: +0.03, half of the interval 0.02
            r["scores"]["auc"] += 0.01 + 1e-6 * r["fold"]  # better, clearly
    lines = script.pages.verdict_section(script.pages.by_fold(records))
    said = (
        "At or above the recipe in 2 of 3 comparisons**, in 1 of them with an interval clear of 0; clearly below in 1."
    )
    assert said in lines[1]
    assert "the paper's KAAM on `breast` 10, the paper's Logistic-KAN on `breast` 0" in script.pages.missing_line(
        script.pages.by_fold(records)
    )
    row = "| breast | KAAM (defaults) | 10 | +0.0000 (+0.0000 to +0.0000) | +0.0100"
    assert row in lines[0] and "| obesity | KAAM (defaults) | - | - | - | - |" in lines[0]


def test_the_page_says_which_rows_are_equal(script, monkeypatch, tmp_path, capsys):
    published = script.PUBLISHED["breast"]
    about = {"part": "published", "table": "breast", "date": "2000-01-01", "environment": "a machine", "commit": "abc"}
    off = {**published["rf"]["scores"], "f1": published["rf"]["scores"]["f1"] + 1e-4}
    records = [
        {**about, "model": "lr", "scores": published["lr"]["scores"], "cpu_s": 0.1},
        {**about, "model": "rf", "scores": off, "cpu_s": 0.1},
        {**about, "model": "kaam", "scores": off, "cpu_s": published["kaam"]["search_s"] / 999},
        {**about, "model": "kan", "scores": off, "cpu_s": published["logistic_kan"]["search_s"] / 1001},
    ]
    path = tmp_path / "records.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    monkeypatch.setattr(script, "RESULTS", path)
    script.main(["report", "--out", str(tmp_path / "page.md")])
    page = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert page.strip() == capsys.readouterr().out.strip()
    assert "**1 of 2 rows that were run again are the published ones to four decimals.**" in page
    assert "Less than 1/1000 of the paper's search time: 1 of 2 fits." in page
    assert "this library at abc" in page and "| breast | the paper's KAAM | not run again |" in page


def test_parts_go_on_where_they_were_stopped(script, monkeypatch, tmp_path):
    monkeypatch.setattr(script, "RESULTS", tmp_path / "results" / "records.jsonl")
    arguments = ["repeated", "--tables", "breast", "--models", "lr", "--repeats", "1"]
    script.main(arguments)
    lines = script.RESULTS.read_text().splitlines()
    assert [json.loads(line)["fold"] for line in lines] == [0, 1, 2, 3, 4]
    script.RESULTS.write_text("\n".join(lines[1:]) + "\n")
    script.main(arguments)
    again = [json.loads(line) for line in script.RESULTS.read_text().splitlines()]
    assert [record["fold"] for record in again] == [1, 2, 3, 4, 0]
    assert again[-1]["scores"] == json.loads(lines[0])["scores"]
