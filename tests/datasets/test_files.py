"""Files come whole, checked and once; when that fails, nothing half remains and the message says what to do."""

import errno
import hashlib
import logging
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from dataset_server import CSV, send
from sklearn.datasets import get_data_home

from kan_tabular.datasets import fetch_dataset, files
from kan_tabular.exceptions import DatasetError

SUM = hashlib.sha256(CSV).hexdigest()


@pytest.fixture
def card(card_file, server):
    """A card whose file the server has."""
    server.answers["/tiny.csv"] = [send(CSV)]
    return card_file(url=f"{server.url}/tiny.csv")


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


def fetch(card, home, **options):
    return fetch_dataset(card, data_home=home, delay=0, **options)


def kept(home):
    return sorted(path.name for path in Path(home).rglob("*") if path.is_file())


def refused(card, home, **options):
    """The message of the error, which is both an OSError (scikit-learn's convention) and a ValueError (ours)."""
    with pytest.raises(DatasetError) as caught:
        fetch(card, home, **options)
    assert isinstance(caught.value, OSError) and isinstance(caught.value, ValueError)
    return str(caught.value)


def by_hand(card, folder):
    """What every message about a missing or wrong file has to name: the address, the place, the checksum."""
    return [fetch_url(card), str(Path(folder) / "tiny.csv"), SUM]


def fetch_url(card):
    return card.read_text(encoding="utf-8").split('url = "')[1].split('"')[0]


def test_downloaded_once_as_the_original_bytes(card, server, home):
    first = fetch(card, home)
    assert first.filename == str(home / "kan_tabular" / "tiny.csv")
    assert Path(first.filename).read_bytes() == CSV and kept(home) == ["tiny.csv"]
    second = fetch(card, home, download_if_missing=False)
    assert server.requests == ["/tiny.csv"]
    assert second.frame.equals(first.frame)


def test_default_folder_is_that_of_scikit_learn(card, monkeypatch, tmp_path):
    assert fetch_dataset(card).filename == str(Path(get_data_home()) / "kan_tabular" / "tiny.csv")
    monkeypatch.delenv("SCIKIT_LEARN_DATA")
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    assert fetch_dataset(card).filename == str(Path(get_data_home()) / "kan_tabular" / "tiny.csv")
    assert fetch_dataset(card, data_home="~/mine").filename == str(
        tmp_path / "me" / "mine" / "kan_tabular" / "tiny.csv"
    )


@pytest.mark.parametrize("sent", [CSV[:-1] + b"X", b"<html>please log in</html>" * 4], ids=["altered", "login page"])
def test_wrong_content_is_not_kept(card, server, home, sent):
    sent = sent[: len(CSV)]
    server.answers["/tiny.csv"] = [send(sent)]
    message = refused(card, home)
    for part in [*by_hand(card, home / "kan_tabular"), hashlib.sha256(sent).hexdigest(), "Nothing was kept"]:
        assert part in message
    assert kept(home) == []


def test_damaged_cache_is_removed_and_downloaded_again(card, server, home, caplog):
    path = Path(fetch(card, home).filename)
    path.write_bytes(b"damaged")
    with caplog.at_level(logging.INFO, logger="kan_tabular"):
        assert Path(fetch(card, home).filename).read_bytes() == CSV
    assert hashlib.sha256(b"damaged").hexdigest() in caplog.text
    assert len(server.requests) == 2


def test_damaged_cache_without_download(card, server, home):
    path = Path(fetch(card, home).filename)
    path.write_bytes(b"damaged")
    message = refused(card, home, download_if_missing=False)
    for part in [*by_hand(card, path.parent), hashlib.sha256(b"damaged").hexdigest(), "removed", "download_if_missing"]:
        assert part in message
    assert not path.exists() and len(server.requests) == 1


def test_missing_without_download(card, server, home):
    message = refused(card, home, download_if_missing=False)
    for part in [*by_hand(card, home / "kan_tabular"), "download_if_missing=False"]:
        assert part in message
    assert server.requests == []


def test_interrupted_downloads_are_tried_again(card, server, home):
    half = send(CSV[:20], announced=len(CSV))
    server.answers["/tiny.csv"] = [half, send(b"busy", status=503), half, send(CSV)]
    assert Path(fetch(card, home).filename).read_bytes() == CSV
    assert len(server.requests) == 4 and kept(home) == ["tiny.csv"]


def test_interrupted_for_good(card, server, home):
    server.answers["/tiny.csv"] = [send(CSV[:20], announced=len(CSV))]
    message = refused(card, home, n_retries=2)
    for part in [*by_hand(card, home / "kan_tabular"), "tried 3 times", f"after 20 of {len(CSV)} bytes"]:
        assert part in message
    assert len(server.requests) == 3 and kept(home) == []


def test_interrupted_by_the_user(card, server, home, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        fetch(card, home)
    assert kept(home) == []


def test_waits_between_attempts(card, server, home, monkeypatch):
    server.answers["/tiny.csv"] = [send(b"", status=503)]
    waits = []
    monkeypatch.setattr(files.time, "sleep", waits.append)
    with pytest.raises(DatasetError, match="tried 3 times"):
        fetch_dataset(card, data_home=home, n_retries=2, delay=0.25)
    assert waits == [0.25, 0.25]


def test_absent_file_is_not_asked_for_again(card, server, home):
    server.answers["/tiny.csv"] = [send(b"", status=404)]
    message = refused(card, home)
    assert "404" in message and "once" in message and len(server.requests) == 1


def test_server_that_never_answers(card, server, home, monkeypatch):
    done = threading.Event()
    server.answers["/tiny.csv"] = [lambda handler: done.wait(10)]
    monkeypatch.setattr(files, "TIMEOUT", 0.1)
    message = refused(card, home, n_retries=1)
    done.set()
    assert "timed out" in message and "tried 2 times" in message


def test_no_network(card_file, home):
    card = card_file(url="http://127.0.0.1:1/tiny.csv")
    message = refused(card, home, n_retries=1)
    for part in [*by_hand(card, home / "kan_tabular"), "refused", "tried 2 times"]:
        assert part in message
    assert kept(home) == []


def test_no_more_is_read_than_the_card_says(card, server, home):
    sent = []

    def endless(handler):
        handler.send_response(200)
        handler.end_headers()
        for _ in range(10_000):
            handler.wfile.write(b"x" * 10_000)
            sent.append(1)

    server.answers["/tiny.csv"] = [endless]
    message = refused(card, home)
    assert f"more than the {len(CSV)} bytes" in message and kept(home) == []
    time.sleep(0.05)
    assert len(sent) < 2_000  # what fits into the buffers of the connection, not 100 MB


def test_redirections_stay_on_the_web(card, server, home, tmp_path):
    server.answers["/elsewhere.csv"] = [send(CSV)]
    server.answers["/tiny.csv"] = [send(b"", status=302, location="/elsewhere.csv")]
    assert Path(fetch(card, home).filename).read_bytes() == CSV
    secret = tmp_path / "secret.csv"
    secret.write_bytes(CSV)
    server.answers["/tiny.csv"] = [send(b"", status=302, location=secret.as_uri())]
    assert "could not be downloaded" in refused(card, tmp_path / "other")
    assert kept(tmp_path / "other") == []


def test_opener_knows_no_other_addresses(tmp_path):
    secret = tmp_path / "secret.csv"
    secret.write_bytes(CSV)
    with pytest.raises(OSError, match="unknown url type"):
        files._get(secret.as_uri(), 1000)


def test_cache_that_is_no_folder(card, server, tmp_path):
    home = tmp_path / "file"
    home.write_bytes(b"")
    message = refused(card, home)
    assert str(home) in message and "data_home=" in message and files.OFFLINE in message


def test_cache_on_a_read_only_disk(card, server, home, monkeypatch):
    def read_only(*_):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(os, "fsync", read_only)
    message = refused(card, home)
    for part in (str(home / "kan_tabular"), "Read-only file system", "data_home=", files.OFFLINE):
        assert part in message
    assert kept(home) == []


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_cache_without_permission(card, server, home):
    home.mkdir()
    home.chmod(0o500)
    message = refused(card, home)
    home.chmod(0o700)
    assert str(home) in message and "data_home=" in message


def test_read_only_cache_that_has_the_file(card, server, home, monkeypatch):
    fetch(card, home)

    def read_only(*_):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(os, "fsync", read_only)
    monkeypatch.setattr(os, "replace", read_only)
    assert fetch(card, home).data.shape == (4, 2)


def test_two_processes_at_once(card, server, home):
    together = threading.Barrier(2, timeout=30)

    def both(handler):
        together.wait()  # neither has its file before both have asked
        send(CSV)(handler)

    server.answers["/tiny.csv"] = [both]
    code = (
        "from kan_tabular.datasets.cards import read_card\nfrom kan_tabular.datasets.files import read_file\n"
        f"content, _ = read_file(read_card({str(card)!r}).files[0], data_home={str(home)!r})\nprint(len(content))"
    )
    running = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [process.communicate(timeout=60)[0].strip() for process in running] == [str(len(CSV))] * 2
    assert len(server.requests) == 2 and kept(home) == ["tiny.csv"]
    assert (home / "kan_tabular" / "tiny.csv").read_bytes() == CSV


def test_folder_of_the_user(card, server, tmp_path, monkeypatch):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "tiny.csv").write_bytes(CSV)
    monkeypatch.setenv(files.OFFLINE, str(folder))
    assert fetch_dataset(card).filename == str(folder / "tiny.csv")
    (folder / "tiny.csv").write_bytes(b"other")
    for content in (b"other", None):
        if content is None:
            (folder / "tiny.csv").unlink()
        with pytest.raises(DatasetError) as caught:
            fetch_dataset(card)
        for part in [*by_hand(card, folder), files.OFFLINE]:
            assert part in str(caught.value)
        assert content is None or (folder / "tiny.csv").read_bytes() == content  # the user's file is the user's
    assert server.requests == []


def test_data_home_goes_before_the_folder_of_the_user(card, server, home, tmp_path, monkeypatch):
    monkeypatch.setenv(files.OFFLINE, str(tmp_path))
    assert fetch(card, home).filename.startswith(str(home)) and len(server.requests) == 1


def test_package_that_carries_the_bytes(card_file, server, home, tmp_path, monkeypatch):
    server.answers["/tiny.csv"] = [send(CSV)]
    package = "a_package_with_tiny_csv"
    card = card_file(url=f"{server.url}/tiny.csv", file=f'package = {{ name = "{package}", path = "data/tiny.csv" }}')
    assert fetch(card, home).filename == str(home / "kan_tabular" / "tiny.csv")  # not installed
    (tmp_path / package / "data").mkdir(parents=True)
    (tmp_path / package / "__init__.py").write_text("")
    carried = tmp_path / package / "data" / "tiny.csv"
    monkeypatch.syspath_prepend(str(tmp_path))
    carried.write_bytes(CSV)
    assert fetch(card, tmp_path / "unused").filename == str(carried) and not (tmp_path / "unused").exists()
    carried.write_bytes(b"of a later version")
    assert fetch(card, home).filename == str(home / "kan_tabular" / "tiny.csv")


@pytest.mark.parametrize("options", [{"n_retries": -1}, {"n_retries": 1.5}, {"delay": -1}, {"delay": float("nan")}])
def test_bad_options(card, options):
    with pytest.raises(ValueError, match=next(iter(options))):
        fetch_dataset(card, **options)
