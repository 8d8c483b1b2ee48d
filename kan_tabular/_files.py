"""Files that are either whole or not there."""

import os
import secrets
import shutil

__all__ = ["check_target", "write_atomically"]


def check_target(path, *, example, error=ValueError):
    """Where a file would be written: links resolved.

    Parameters
    ----------
    path : str or path-like
    example : str
        A good file name.
    error : type, default=ValueError
        What to raise where `path` is a folder.

    Raises
    ------
    FileNotFoundError
        If the folder of `path` does not exist.
    """
    target = os.path.realpath(os.fspath(path))
    if os.path.isdir(target):
        raise error(f"cannot save to {path}: it is a folder; give a file name, e.g. {path}/{example}")
    if not os.path.isdir(os.path.dirname(target)):
        raise FileNotFoundError(f"cannot save to {path}: the folder {os.path.dirname(target)} does not exist")
    return target


def write_atomically(target, content):
    """Write bytes to a file beside `target` and rename it: readers, and other writers, never see half a file.

    Parameters
    ----------
    target : str or path-like
        An existing file is replaced, and its permissions are kept.
    content : bytes

    Raises
    ------
    OSError
        If the folder cannot be written to; `target` is then as it was, and nothing else is left behind.
    """
    target = os.fspath(target)
    temporary = os.path.join(os.path.dirname(target), f".{os.path.basename(target)[:100]}.{secrets.token_hex(8)}.tmp")
    try:
        with open(temporary, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if os.path.exists(target):
            shutil.copymode(target, temporary)
        os.replace(temporary, target)
    except BaseException:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise
