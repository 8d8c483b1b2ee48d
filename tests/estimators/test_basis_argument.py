"""The argument `basis`: how it is written, saved and refused."""

import numpy as np
import pytest
from sklearn.base import clone
from tables import binary, latent, numeric_table, refused

import kan_tabular
from kan_tabular import KAAMClassifier, KAAMRegressor, KANRegressor, LogisticKAN
from kan_tabular.bases import BSpline, Category, Clipped, NodeSpline

pytestmark = pytest.mark.filterwarnings("error")

SHORT = {"hidden_layer_sizes": (3,), "max_iter": 3, "n_estimators": 2, "random_state": 0}
MAKE = {
    "KAAMClassifier": lambda **kw: KAAMClassifier(**kw),
    "KAAMRegressor": lambda **kw: KAAMRegressor(**kw),
    "LogisticKAN": lambda **kw: LogisticKAN(**SHORT, **kw),
    "KANRegressor": lambda **kw: KANRegressor(**SHORT, **kw),
}


def fit(name, **settings):
    regressor = name.endswith("Regressor")
    return MAKE[name](**settings).fit(numeric_table(), latent() if regressor else binary())


def link(model):
    return model.predict(numeric_table()) if hasattr(model, "loss") else model.decision_function(numeric_table())


def test_a_family_is_written_as_it_is_made():
    basis = BSpline(6, 2)
    assert repr(basis) == "BSpline(n_knots=6, degree=2)"
    assert basis.arguments() == {"n_knots": 6, "degree": 2}
    again = type(basis)(**basis.arguments())
    assert repr(again) == repr(basis) and eval(repr(basis)).arguments() == basis.arguments()
    basis.fit(np.arange(50.0))
    assert repr(basis) == "BSpline(n_knots=6, degree=2)"  # fitted or not


@pytest.mark.parametrize("name", MAKE)
def test_a_family_with_arguments_is_obeyed_left_alone_and_saved(name, tmp_path):
    basis = BSpline(6, 2)
    model = fit(name, basis=basis)
    assert model.basis is basis and vars(basis) == vars(BSpline(6, 2))
    # Its curves are parabolas between six knots.
    curves = model.network_.inputs[0]
    assert curves.basis.arguments() == {"n_knots": 6, "degree": 2} and curves.basis is not basis
    x = np.linspace(*curves.basis.domain, 3001)
    third = np.diff(curves.basis.evaluate(x) @ curves.transform, n=3, axis=0)
    assert (np.abs(third).max(1) > 1e-10).sum() <= 3 * 6  # but for where a knot is near
    assert not np.array_equal(link(model), link(fit(name)))
    model.save(tmp_path / "model.kan")
    again = kan_tabular.load(tmp_path / "model.kan")
    assert repr(again.basis) == "BSpline(n_knots=6, degree=2)"
    assert repr(again) == repr(model)
    np.testing.assert_array_equal(link(again), link(model))
    refit = clone(again).fit(numeric_table(), latent() if name.endswith("Regressor") else binary())
    np.testing.assert_array_equal(link(refit), link(model))


@pytest.mark.parametrize("name", ["KAAMClassifier", "KAAMRegressor"])
def test_the_name_of_the_default_family_stands_for_its_knots(name):
    np.testing.assert_array_equal(link(fit(name, n_knots=7)), link(fit(name, basis=BSpline(7))))
    np.testing.assert_array_equal(link(fit(name)), link(fit(name, basis="bspline")))


@pytest.mark.parametrize(
    "basis",
    ["nope", "", None, 3, BSpline, ("bspline",), "category", "clipped", Category(3), NodeSpline(4), Clipped(BSpline())],
    ids=lambda v: repr(v)[:24],
)
@pytest.mark.parametrize("name", MAKE)
def test_what_is_no_family_to_choose_is_refused_by_name(name, basis):
    refused(lambda: fit(name, basis=basis), "basis", "bspline")
