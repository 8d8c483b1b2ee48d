"""The report in a browser without a network: what it computes is what the model predicts, and nothing else runs."""

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from kan_tabular import KAAMClassifier, KAAMRegressor, LogisticKAN
from kan_tabular.report import build_report

N = 300
HOSTILE = [
    "<script>window.pwned=1</script>",
    "</script><script>window.pwned=2</script>",
    "\"'><img src=x onerror=window.pwned=3>",
    "=cmd|' /C calc'!A0",
    "__proto__",
    "\N{GRINNING FACE} {{ 7*7 }} \u202e \u2028 &amp;",
    "long " * 60,
]


def table(n=N, seed=0, missing=0.0):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(
        {
            "age": rng.integers(30, 90, n).astype(float),
            "lactate": rng.lognormal(0.5, 0.5, n),
            "ward": rng.choice(["medical", "surgical", "cardiac"], n),
            "smoker": rng.choice(["yes", "no"], n),
        }
    )
    holes = rng.random(X.shape) < missing
    return X.mask(holes)


def outcome(X, n_classes=2):
    rng = np.random.default_rng(1)
    score = X["age"].fillna(60) / 20 + 2 * np.log(X["lactate"].fillna(1.5)) + 1.2 * (X["ward"] == "cardiac")
    noisy = score + rng.logistic(size=len(X))
    codes = np.searchsorted(np.quantile(noisy, np.arange(1, n_classes) / n_classes), noisy)
    return np.array(["well", "ill", "dying"])[codes]


def cell(value):
    return None if pd.isna(value) else value


def entered(opened, X):
    """Every row typed in, and what the page then says; each row is as far from the last one as rows are."""
    for i in range(len(X)):
        for name in X.columns:
            opened.enter(name, cell(X[name].iloc[i]))
        yield i


@pytest.mark.parametrize("missing", [0.0, 0.15], ids=["complete", "missing values"])
def test_the_risk_of_fifty_patients(tmp_path, open_report, missing):
    X = table(missing=missing)
    y = outcome(X)
    model = KAAMClassifier().fit(X, y)
    build_report(model, X, y, tmp_path / "report.html")
    opened = open_report(tmp_path / "report.html")
    patients = table(50, seed=7, missing=missing)
    patients.loc[0, "lactate"] = 40.0  # far outside
    expected = model.predict_proba(patients)[:, 1]
    assert np.ptp(expected) > 0.5

    shown, texts = [], []
    for _ in entered(opened, patients):
        shown.append(opened.number("#risk"))
        texts.append(opened.page.locator("#risk").inner_text())
    np.testing.assert_allclose(shown, expected, rtol=0, atol=1e-6)
    assert texts[3] == f"{100 * expected[3]:.1f}%"
    assert opened.problems == [] and opened.requests == []


def test_the_interval_and_the_contributions(tmp_path, open_report):
    X = table()
    y = outcome(X)
    model = KAAMClassifier().fit(X, y)
    build_report(model, X, y, tmp_path / "report.html", confidence_level=0.9)
    opened = open_report(tmp_path / "report.html")
    patients = table(5, seed=8)
    eta = model.decision_function(patients)
    error = model.network_.standard_error(model.encoder_.transform(_read(model, patients)))[:, 0]
    values = model.explain(patients).values
    z = 1.6448536269514722
    for i in entered(opened, patients):
        assert opened.number("#risk", "low") == pytest.approx(1 / (1 + np.exp(z * error[i] - eta[i])), abs=1e-6)
        assert opened.number("#risk", "high") == pytest.approx(1 / (1 + np.exp(-z * error[i] - eta[i])), abs=1e-6)
        for j, name in enumerate(X.columns):
            bar = opened.page.locator(".asked-row", has=opened.field(name)).locator(".asked-effect span")
            assert float(bar.get_attribute("data-value")) == pytest.approx(values[i, j], abs=1e-6)


def _read(model, X):
    from kan_tabular.encoding import read_table

    return read_table(X)


def test_every_class_of_fifty_patients(tmp_path, open_report):
    X = table()
    y = outcome(X, 3)
    model = KAAMClassifier().fit(X, y)
    build_report(model, X, y, tmp_path / "report.html")
    opened = open_report(tmp_path / "report.html")
    patients = table(50, seed=7)
    expected = model.predict_proba(patients)
    shown = np.empty_like(expected)
    for i in entered(opened, patients):
        shown[i] = [opened.number(f'[data-probability="{k}"]') for k in range(3)]
    np.testing.assert_allclose(shown, expected, rtol=0, atol=1e-6)
    assert opened.problems == [] and opened.requests == []


def test_a_number_with_its_unit_through_a_pipeline(tmp_path, open_report):
    X = table()[["age", "lactate"]]
    y = pd.Series(50 + X["age"] / 10 + np.log(X["lactate"]), name="pressure")
    model = make_pipeline(StandardScaler().set_output(transform="pandas"), KAAMRegressor()).fit(X, y)
    build_report(model, X, y, tmp_path / "report.html", units={"pressure": "mmHg"})
    opened = open_report(tmp_path / "report.html")
    patients = table(10, seed=7)[["age", "lactate"]]
    shown = [opened.number("#risk") for _ in entered(opened, patients)]
    np.testing.assert_allclose(shown, model.predict(patients), rtol=0, atol=1e-6)
    assert opened.page.locator("#risk").inner_text().endswith(" mmHg")
    assert opened.problems == []


def test_sliders_by_mouse_and_keyboard(tmp_path, open_report):
    X = table()
    y = outcome(X)
    model = KAAMClassifier().fit(X, y)
    build_report(model, X, y, tmp_path / "report.html")
    opened = open_report(tmp_path / "report.html")
    slider = opened.page.locator(".asked-row", has=opened.field("age")).locator("input[type=range]")
    slider.fill("77")
    assert opened.field("age").input_value() == "77"
    slider.press("ArrowRight")
    assert opened.field("age").input_value() == "78"
    one = {
        "age": 78.0,
        "lactate": float(opened.field("lactate").input_value()),
        **{name: opened.field(name).locator("option:checked").inner_text() for name in ("ward", "smoker")},
    }
    assert opened.number("#risk") == pytest.approx(model.predict_proba(pd.DataFrame([one]))[0, 1], abs=1e-6)
    assert opened.page.locator("#outside").is_hidden()
    opened.field("age").fill("140")
    assert "Outside the training data: age" in opened.page.locator("#outside").inner_text()
    opened.page.locator("#reset").click()
    assert opened.field("age").input_value() not in ("", "140")
    assert opened.page.locator("#outside").is_hidden()


def test_half_typed_numbers_keep_the_last_answer(tmp_path, open_report):
    X = table()
    y = outcome(X)
    build_report(KAAMClassifier().fit(X, y), X, y, tmp_path / "report.html")
    opened = open_report(tmp_path / "report.html")
    before = opened.number("#risk")
    opened.field("lactate").fill("")
    assert opened.number("#risk") == before
    opened.field("lactate").fill("1e80")
    assert "too large" in opened.page.locator("#risk-interval").inner_text()
    assert opened.page.locator("#risk").get_attribute("data-value") is None
    assert opened.problems == []


def test_patients_are_loaded_with_new_levels_and_missing_values(tmp_path, open_report):
    X = table(missing=0.1)
    y = outcome(X)
    model = KAAMClassifier().fit(X, y)
    rows = table(40, seed=5)
    rows.loc[0, "ward"] = "burns"
    rows.loc[1, "lactate"] = np.nan
    with pytest.warns(UserWarning, match="burns"):
        build_report(model, rows, outcome(rows), tmp_path / "report.html", patients={"A": 0, "B": 1})
    opened = open_report(tmp_path / "report.html")
    with pytest.warns(UserWarning, match="burns"):
        expected = model.predict_proba(rows)[:, 1]
    for name, row in (("A", 0), ("B", 1)):
        opened.page.locator("#load-patient").select_option(label=name)
        assert opened.number("#risk") == pytest.approx(expected[row], abs=1e-6)
    opened.page.locator("#load-patient").select_option(label="A")
    assert "ward" in opened.page.locator("#outside").inner_text()
    assert opened.problems == []


def test_numbers_as_levels_are_known_when_a_patient_is_loaded(tmp_path, open_report):
    X = table()[["age"]].assign(grade=pd.Categorical(np.arange(N) % 3 + 1))
    y = np.where(X["grade"].astype(int) + np.random.default_rng(0).logistic(size=N) > 2, "ill", "well")
    model = KAAMClassifier().fit(X, y)
    build_report(model, X, y, tmp_path / "report.html", patients=[1])
    opened = open_report(tmp_path / "report.html")
    opened.page.locator("#load-patient").select_option(label="Row 1")
    assert opened.field("grade").locator("option").all_inner_texts() == ["1", "2", "3"]
    assert opened.field("grade").locator("option:checked").inner_text() == "2"
    assert opened.number("#risk") == pytest.approx(model.predict_proba(X.iloc[[1]])[0, 1], abs=1e-6)


def test_the_class_menu_changes_curves_and_panel(tmp_path, open_report):
    X = table()
    y = outcome(X, 3)
    model = KAAMClassifier().fit(X, y)
    build_report(model, X, y, tmp_path / "report.html", patients=[0])
    opened = open_report(tmp_path / "report.html")
    for k in (2, 1, 0):
        opened.page.locator("#class-menu").select_option(value=str(k))
        visible = opened.page.locator("[data-class]:visible")
        assert set(visible.evaluate_all("all => all.map(e => e.dataset.class)")) == {str(k)}
        assert opened.number("#risk") == opened.number(f'[data-probability="{k}"]')
    assert opened.problems == []


def test_hostile_names_are_text(tmp_path, open_report):
    rng = np.random.default_rng(3)
    X = pd.DataFrame(rng.normal(size=(N, 3)), columns=HOSTILE[:3])
    X[HOSTILE[3]] = rng.choice(HOSTILE, N)
    X[HOSTILE[4]] = rng.normal(size=N)
    X[HOSTILE[5]] = rng.choice(HOSTILE[:2], N)
    X[HOSTILE[6]] = rng.normal(size=N)
    y = np.where(X.iloc[:, 0] + (X[HOSTILE[3]] == HOSTILE[0]) + rng.logistic(size=N) > 0, *HOSTILE[:2])
    model = KAAMClassifier().fit(X, y)
    path = tmp_path / "a '\"<b>&#.html"
    options = {"title": HOSTILE[1], "intended_use": HOSTILE[2], "outcome": HOSTILE[0], "patients": {HOSTILE[1]: 0}}
    formula = model.to_symbolic(X, y, fidelity=None)
    build_report(model, X, y, path, **options, formula=formula, units={HOSTILE[4]: HOSTILE[2]})
    opened = open_report(path)

    assert opened.page.evaluate("[typeof window.pwned, document.scripts.length, document.images.length]") == [
        "undefined",
        2,
        0,
    ]
    body = opened.page.locator("body").inner_text()
    clean = [name.replace("\u202e", "\N{REPLACEMENT CHARACTER}") for name in HOSTILE]
    shown = [" ".join(name.split()) in " ".join(body.split()) for name in clean]
    assert shown == [True] * len(HOSTILE)
    assert opened.page.title() == HOSTILE[1]

    patient = X.iloc[[5]]
    for name in X.columns:
        value = patient[name].iloc[0]
        if isinstance(value, str):
            opened.field(name).select_option(index=sorted(X[name].unique()).index(value))
        else:
            opened.enter(name, value)
    assert opened.number("#risk") == pytest.approx(model.predict_proba(patient)[0, 1], abs=1e-6)
    assert opened.problems == [] and opened.requests == []


def test_the_policy_lets_no_other_script_run(tmp_path, open_report):
    X = table()
    y = outcome(X)
    build_report(KAAMClassifier().fit(X, y), X, y, tmp_path / "report.html")
    opened = open_report(tmp_path / "report.html")
    opened.page.evaluate(
        """() => {
          const script = document.createElement("script");
          script.textContent = "window.pwned = 1";
          document.body.append(script);
          const inline = "<b id=inline style='color: red' onclick='window.pwned = 2'>x</b>";
          document.body.insertAdjacentHTML("beforeend", inline);
          document.getElementById("inline").click();
          const image = document.createElement("img");
          image.src = "https://example.org/x.png";
          document.body.append(image);
          return fetch("https://example.org/").catch(() => null);
        }"""
    )
    assert opened.page.evaluate("typeof window.pwned") == "undefined"
    assert opened.page.locator("#inline").evaluate("e => e.style.color") == ""
    refusals = [problem for problem in opened.problems if "Content Security Policy" in problem]
    assert len(refusals) >= 5  # the script, the style, the handler, the image, the request
    assert opened.requests == []


def test_a_network_is_computed_too(tmp_path, open_report):
    X = table()
    y = outcome(X)
    model = LogisticKAN(n_estimators=1, early_stopping=False, max_iter=3, random_state=0).fit(X, y)
    build_report(model, X, y, tmp_path / "report.html")
    opened = open_report(tmp_path / "report.html")
    patients = table(10, seed=7)
    shown = [opened.number("#risk") for _ in entered(opened, patients)]
    np.testing.assert_allclose(shown, model.predict_proba(patients)[:, 1], rtol=0, atol=1e-6)
    assert "factors also act together" in opened.page.locator("#factors").inner_text()
    assert opened.problems == []


def test_what_the_page_cannot_compute_has_a_static_report(tmp_path, open_report):
    X = table()[["age", "lactate"]]
    y = outcome(table())
    model = make_pipeline(PCA(), KAAMClassifier()).fit(X, y)
    build_report(model, X, y, tmp_path / "report.html")
    opened = open_report(tmp_path / "report.html")
    section = opened.page.locator("#what-if").inner_text()
    assert "This report is static" in section and "PCA" in section
    assert opened.page.locator("#panel").count() == 0
    assert opened.page.locator("#factors svg.chart").count() == 2
    assert opened.problems == []


def test_the_conformal_set(tmp_path, open_report):
    X = table()
    y = outcome(X, 3)
    model = KAAMClassifier().fit(X, y)
    rule = {"kind": "lac", "confidence_level": 0.9, "quantile": 0.7, "empty": "argmax"}
    build_report(model, X, y, tmp_path / "report.html", conformal=rule)
    opened = open_report(tmp_path / "report.html")
    patients = table(10, seed=9)
    p = model.predict_proba(patients)
    sizes = set()
    for i in entered(opened, patients):
        names = model.classes_[(p[i] >= 0.3) | ((p[i] < 0.3).all() & (p[i] == p[i].max()))]
        text = opened.page.locator("#conformal").inner_text()
        assert text == f"Holds the true class with 90% confidence: {', '.join(names)}"
        sizes.add(len(names))
    assert len(sizes) > 1


def test_by_keyboard_and_for_those_who_listen(tmp_path, open_report):
    X = table()
    y = outcome(X)
    build_report(KAAMClassifier().fit(X, y), X, y, tmp_path / "report.html", patients=[0])
    opened = open_report(tmp_path / "report.html")
    page = opened.page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the report"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    # Everything in the panel can be reached, shows that it was, and has a name.
    controls = page.locator("#panel input:visible, #panel select:visible, #panel button:visible")
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        inside = page.evaluate("document.getElementById('panel').contains(document.activeElement)")
        if inside:
            reached.add(
                page.evaluate("[...document.querySelectorAll('input,select,button')].indexOf(document.activeElement)")
            )
            assert page.evaluate("parseFloat(getComputedStyle(document.activeElement).outlineWidth)") >= 2
    assert len(reached) == controls.count() == 8
    nameless = controls.evaluate_all(
        "all => all.filter(e => !(e.labels?.length || e.textContent || e.hasAttribute('aria-labelledby')))"
    )
    assert nameless == []
    opened.field("age").fill("88")
    page.wait_for_function("document.getElementById('spoken').textContent !== ''")
    page.wait_for_timeout(700)
    assert page.locator("#risk").inner_text() in page.locator("#spoken").text_content()


def test_it_fits_a_telephone_and_prints_whole(tmp_path, open_report):
    X = table().rename(columns={"lactate": "a_very_long_name_of_a_column_" * 6})
    y = outcome(table())
    build_report(KAAMClassifier().fit(X, y), X, y, tmp_path / "report.html", patients=[0])
    opened = open_report(tmp_path / "report.html", viewport={"width": 360, "height": 740}, color_scheme="dark")
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= 360
    opened.page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert opened.page.locator("details:not([open])").count() == 0
    opened.page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert opened.page.locator("details[open]").count() == 0
    opened.page.emulate_media(media="print")
    assert opened.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert opened.problems == []
