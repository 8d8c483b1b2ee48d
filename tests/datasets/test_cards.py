"""Every card follows the schema, agrees with the staged files, and travels with the package."""

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import kan_tabular
from kan_tabular.datasets import cards, fetch_dataset, list_datasets
from kan_tabular.datasets.cards import card_names, read_card
from kan_tabular.exceptions import DatasetError

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", card_names())
def test_schema(name):
    card = read_card(name)
    assert card.name == name and card.title and card.citation
    assert card.domain in ("clinical", "materials")
    assert card.licence.repository
    entries = re.findall(r"^@(?:article|book|inproceedings|misc)\{(\w+),$", card.bibtex, re.MULTILINE)
    assert entries and len(set(entries)) == len(entries)
    assert card.bibtex.count("{") == card.bibtex.count("}") and not re.search(r"[^,{}]\n  \w+ =", card.bibtex)
    for file in card.files:
        assert re.fullmatch(r"[0-9a-f]{40}", file.commit), "pinned by commit"
        assert file.url.startswith(f"https://raw.githubusercontent.com/{file.repository}/{file.commit}/")
    assert not re.search(r"not reachable|from here", str(card))


def test_folder_holds_cards_only():
    assert {path.suffix for path in (ROOT / "datasets").iterdir()} == {".toml"}
    assert len(card_names()) == len(list((ROOT / "datasets").iterdir()))


def test_agrees_with_the_manifest(staged):
    """The curator's list of the same files: source, checksum, size, licence, and what is no feature."""
    known = {d["file"]: d for d in tomllib.loads((staged / "MANIFEST.toml").read_text(encoding="utf-8"))["dataset"]}
    seen = set()
    for card in map(read_card, card_names()):
        for file in card.files:
            said = known[file.name]
            assert (file.sha256, file.bytes, file.url) == (said["sha256"], said["bytes"], said["source_url"])
            assert (file.repository, file.commit, file.path) == tuple(
                said[f"source_{key}"] for key in ("repo", "commit", "path")
            )
            assert (file.encoding == "cp1252") == ("cp1252" in said["read"])
            assert card.domain == said["domain"]
            roles = {name: column.role for name, column in card.by_column.items()}
            assert "feature" not in {roles[name] for name in said["drop"]}
            assert {t.column for t in card.targets} <= {*said["targets"], "multi_phase"}
            assert card.licence.repository == said["licence"]
            seen.add(file.name)
    assert seen == set(known)


def test_list():
    table = list_datasets()
    assert list(table.index) == card_names() == sorted(card_names())
    assert table.loc["mpea", "targets"].startswith("yield_strength, hardness")
    assert table.loc["pima_diabetes", ["domain", "task", "rows", "features"]].tolist() == ["clinical", "binary", 768, 8]
    assert (table["rows"] > 0).all() and (table["features"] > 0).all()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("schema = 1", "schema = 2", "schema is 2"),
        ("rows = 4", 'rows = "4"', "rows: a int is needed"),
        ("rows = 4", "rows = true", "rows: a int is needed"),
        ('title = "Doses in two wards"', "", "'title' is missing"),
        ('citation = "Nobody 2020"', 'citatoin = "Nobody 2020"', "'citatoin' is no key here"),
        ("columns = [", "columns = [ 3,", r"columns\[0\]: a table is needed"),
        ('{ name = "dose"', '{ names = ["dose"], name = "dose"', r"columns\[1\]: needs either name or names"),
        ('unit = "mg"', 'units = "mg"', r"columns\[1\]: 'units' is no key here"),
        ('unit = "mg"', 'kind = "float"', "kind is 'float'"),
        ('role = "id"', 'role = "index"', "role is 'index'"),
        ('role = "id"', 'role = "leak"', "needs a note"),
        ('unit = "mg"', 'levels = { a = "b" }', "levels are for"),
        ('name = "ward"', 'name = "dose"', "'dose' is listed twice"),
        ('column = "state"', 'column = "status"', "'status' is used, and not listed"),
        ('name = "state"\ncolumn', 'name = "dose"\ncolumn', "'dose' has the name of another column"),
        ('task = "binary"', 'task = "survival"', "task is 'survival'"),
        ('task = "binary"', 'task = "regression"', "does not go with 2 classes"),
        ('values = ["ill"]', "values = []", "without values"),
        ('"https://', '"file://', "does not start with https"),
        ('name = "tiny.csv"', 'name = "../tiny.csv"', "not a plain file name"),
        ('sha256 = "', 'sha256 = "0', "64 hexadecimal digits"),
        ("bytes = ", "bytes = 9999999", "can be 1 to"),
        ('bytes = ', 'commit = "abc"\nbytes = ', "not pinned"),
    ],
)  # fmt: skip
def test_slips_are_refused_with_their_place(card_file, old, new, message):
    path = card_file()
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(DatasetError, match=message) as caught:
        read_card(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ('[groups]\nkind = "patients"', "kind is 'patients'"),
        ('[groups]\nkind = "columns"', "columns are needed"),
        ('[groups]\nkind = "tile"\ncolumns = ["dose"]', "size is for"),
        ('[groups]\nkind = "columns"\ncolumns = ["patient"]', "'patient' is used"),
        ('[row_rules]\nkeep = { visit = ["1"] }', "'visit' is used"),
        ('[[targets]]\nname = "state"\ncolumn = "state"\ntask = "regression"', "two targets are named 'state'"),
        (
            '[[targets]]\nname = "x"\ncolumn = "state"\ntask = "binary"\nclasses = [{ name = "a", values = [] }, '
            '{ name = "b", values = ["ill"] }]\nwithin = { time = "dose", limit = 1, censored = "drop" }',
            "censored is 'drop'",
        ),
    ],
)
def test_slips_in_tables(card_file, tables, message):
    with pytest.raises(DatasetError, match=message):
        read_card(card_file(tables=tables))


def test_a_loader_is_one_of_scikit_learn(card_file):
    path = card_file(more='loader = "sklearn.datasets.load_iris"')
    with pytest.raises(DatasetError, match="needs either"):
        read_card(path)
    before, _, rest = path.read_text(encoding="utf-8").partition("[[files]]")
    without_files = before + rest[rest.index("[[targets]]") :]
    path.write_text(without_files, encoding="utf-8")
    assert read_card(path).loader == "sklearn.datasets.load_iris"
    path.write_text(without_files.replace("sklearn.datasets.load_iris", "os.system"), encoding="utf-8")
    with pytest.raises(DatasetError, match="loader is 'os.system'"):
        read_card(path)


def test_no_card(tmp_path):
    with pytest.raises(DatasetError, match="no data set 'pima'; list_datasets.*pima_diabetes"):
        fetch_dataset("pima")
    with pytest.raises(DatasetError, match="there is no card .*absent.toml"):
        read_card(tmp_path / "absent.toml")
    (tmp_path / "broken.toml").write_text("schema = ")
    with pytest.raises(DatasetError, match="broken.toml is not TOML"):
        read_card(tmp_path / "broken.toml")
    with pytest.raises(ValueError, match="target='state' is not a target of mpea; it has 'yield_strength', 'hardness'"):
        fetch_dataset("mpea", target="state")


def test_an_installed_package_finds_its_cards(tmp_path):
    """As in a wheel: cards inside the package, and another library's `datasets` where the project's would be."""
    package = tmp_path / "kan_tabular"
    shutil.copytree(
        Path(kan_tabular.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__", "symbolic", "training")
    )
    shutil.rmtree(package / "datasets" / "cards", ignore_errors=True)
    shutil.copytree(ROOT / "datasets", package / "datasets" / "cards")
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets" / "other.toml").write_text("")
    code = "from kan_tabular.datasets import cards; print(cards.__file__, *cards.card_names())"
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True
    )
    where, *names = ran.stdout.split()
    assert Path(where).is_relative_to(tmp_path) and names == card_names()


def test_a_checkout_finds_its_cards():
    """Also an editable install: the package is then imported from the checkout."""
    assert cards._cards()["mpea"] in (
        ROOT / "datasets" / "mpea.toml",
        Path(cards.__file__).parent / "cards" / "mpea.toml",
    )


@pytest.mark.slow
def test_the_wheel_has_the_cards(tmp_path):
    built = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", str(tmp_path), str(ROOT)],
        capture_output=True,
        text=True,
    )
    if "No matching distribution found for hatchling" in built.stderr:
        pytest.skip("needs hatchling, or a package index to get it from")
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        inside = archive.namelist()
    assert {f"kan_tabular/datasets/cards/{name}.toml" for name in card_names()} <= set(inside)
    assert not [name for name in inside if name.endswith((".csv", ".xlsx", ".txt")) and "dist-info" not in name]
    assert len([name for name in inside if name.endswith(".toml")]) == len(card_names())
