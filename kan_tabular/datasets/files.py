"""The bytes of a card's file: from a package that carries them, a folder of the user, the cache, or the network.

Whatever the place, the bytes are those of the card's checksum or they are not used. A download is held in memory until
it has been checked, so what is in the cache is always whole.
"""

import hashlib
import logging
import os
import time
from http.client import HTTPException
from importlib import resources
from pathlib import Path
from urllib import request
from urllib.error import HTTPError

from kan_tabular._files import write_atomically
from kan_tabular.exceptions import DatasetError

__all__ = ["read_file"]

#: A folder with the files, from which alone data sets are then read.
OFFLINE = "KAN_TABULAR_DATA"
#: Seconds without an answer after which an attempt counts as failed.
TIMEOUT = 30.0

_logger = logging.getLogger(__name__)


def read_file(file, *, data_home=None, download_if_missing=True, n_retries=3, delay=1.0):
    """The content of a file of a card, checked.

    Parameters
    ----------
    file : kan_tabular.datasets.cards.File
    data_home, download_if_missing, n_retries, delay
        As for `kan_tabular.datasets.fetch_dataset`.

    Returns
    -------
    content : bytes
    path : str
        Where it was read, or has been kept.

    Raises
    ------
    DatasetError
        If it is nowhere, is not the file that the card describes, or cannot be kept. The message says what to do by
        hand.
    """
    packaged = _from_package(file)
    if packaged is not None:
        return packaged
    offline = os.environ.get(OFFLINE)
    if offline and data_home is None:
        return _from_folder(file, Path(offline).expanduser())
    path = _cache_folder(data_home) / file.name
    content = _cached(file, path, download_if_missing)
    if content is None:
        content = _download(file, path, n_retries, delay)
        try:
            write_atomically(path, content)
        except OSError as error:
            raise _cannot_write(path.parent, error) from error
    return content, str(path)


def _from_package(file):
    """Content and path, or None where the package is absent or (in another version) carries other bytes."""
    if file.package is None:
        return None
    try:
        place = resources.files(file.package.name).joinpath(file.package.path)
        content = place.read_bytes()
    except (ImportError, OSError):
        return None
    return (content, str(place)) if _sha256(content) == file.sha256 else None


def _from_folder(file, folder):
    path = folder / file.name
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DatasetError(
            f"{path} cannot be read ({_reason(error)}), and nothing is downloaded while the environment variable "
            f"{OFFLINE} names a folder. {_by_hand(file, path)}, or unset {OFFLINE}"
        ) from error
    if _sha256(content) != file.sha256:
        raise DatasetError(
            f"{path} is not the file that the card of this data set describes: {_sums(file, content)}. It was left "
            f"as it is. {_by_hand(file, path)}, or unset {OFFLINE}"
        )
    return content, str(path)


def _cache_folder(data_home):
    """The folder ``kan_tabular`` in scikit-learn's data folder (the rule of `sklearn.datasets.get_data_home`)."""
    if data_home is None:
        data_home = os.environ.get("SCIKIT_LEARN_DATA", "~/scikit_learn_data")
    folder = Path(data_home).expanduser() / "kan_tabular"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot_write(folder, error) from error
    return folder


def _cached(file, path, download_if_missing):
    """The content of the cached file; None if it has to be downloaded."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        if download_if_missing:
            return None
        raise DatasetError(
            f"{path} does not exist, and download_if_missing=False. {_by_hand(file, path)}, or allow the download"
        ) from None
    if _sha256(content) == file.sha256:
        return content
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise _cannot_write(path.parent, error) from error
    if download_if_missing:
        _logger.info("%s was damaged (%s); it was removed and is downloaded again", path, _sums(file, content))
        return None
    raise DatasetError(
        f"{path} was not the file that the card of this data set describes: {_sums(file, content)}. It was removed. "
        f"{_by_hand(file, path)}, or allow the download (download_if_missing=True)"
    )


def _download(file, path, n_retries, delay):
    for attempt in range(n_retries + 1):
        if attempt:
            time.sleep(delay)
        _logger.info("downloading %s (attempt %d of %d)", file.url, attempt + 1, n_retries + 1)
        try:
            content = _get(file.url, file.bytes + 1)
        except (OSError, HTTPException) as error:
            problem = _reason(error)
            if isinstance(error, HTTPError):
                error.close()
                if error.code < 500 and error.code not in (408, 429):
                    break  # asking again would get the same answer
        else:
            if len(content) >= file.bytes:
                _check_download(file, path, content)
                return content
            problem = f"the connection ended after {len(content)} of {file.bytes} bytes"
    times = "once" if attempt == 0 else f"{attempt + 1} times"
    raise DatasetError(f"{file.url} could not be downloaded (tried {times}): {problem}. {_by_hand(file, path)}")


def _get(url, most):
    """At most `most` bytes of what is at an http or https address; redirections lead to no other kind of address."""
    opener = request.OpenerDirector()
    for handler in (
        request.ProxyHandler,
        request.UnknownHandler,
        request.HTTPHandler,
        request.HTTPSHandler,
        request.HTTPDefaultErrorHandler,
        request.HTTPRedirectHandler,
        request.HTTPErrorProcessor,
    ):
        opener.add_handler(handler())
    with opener.open(request.Request(url, headers={"User-Agent": "kan-tabular"}), timeout=TIMEOUT) as answer:
        return answer.read(most)


def _check_download(file, path, content):
    if len(content) > file.bytes:
        found = f"it has more than the {file.bytes} bytes of the card"
    elif _sha256(content) != file.sha256:
        found = _sums(file, content)
    else:
        return
    raise DatasetError(
        f"what {file.url} sends is not the file that the card of this data set describes: {found}. Nothing was kept. "
        f"If a proxy or a login page is in between, download by another way. {_by_hand(file, path)}"
    )


def _cannot_write(folder, error):
    return DatasetError(
        f"cannot write to the folder {folder}, where data sets are kept: {_reason(error)}. Give another folder by "
        f"data_home=, or name a folder that has the files in the environment variable {OFFLINE}"
    )


def _by_hand(file, path):
    return f"By hand: save {file.url} as {path} ({file.bytes} bytes, sha256 {file.sha256})"


def _sums(file, content):
    return f"its sha256 is {_sha256(content)} ({len(content)} bytes) and should be {file.sha256} ({file.bytes} bytes)"


def _reason(error):
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _sha256(content):
    return hashlib.sha256(content).hexdigest()
