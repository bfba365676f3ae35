"""Where a log is: its path, resolved and judged before anything is opened."""

import errno
import os
import stat
from pathlib import Path

from .options import WrongOptionError, WrongOptionTypeError

__all__ = ["is_stream", "resolve"]


def is_stream(path: object, durability: str) -> bool:
    """Tell standard output from a file, if what is asked of it can be had."""
    if not isinstance(path, str | os.PathLike):
        raise WrongOptionTypeError("path", f"expected a str or PathLike, got {path!r}")
    name = os.fspath(path)
    if not name:
        raise WrongOptionError("path", f"expected the name of a file, got {name!r}")
    if name == "-" and durability != "process":
        text = f"expected 'process' for standard output, got {durability!r}"
        raise WrongOptionError("durability", text)
    return name == "-"


def resolve(path: str | os.PathLike[str]) -> Path:
    """Return the absolute path of a log, and make its directory.

    A symbolic link as the log itself is followed once if it is root's or ours:
    another user's may lead anywhere. Links on the way to it stay in the path: where
    they lead may change (generation.h).
    """
    text = os.path.abspath(os.fsdecode(os.fspath(path)))
    if os.fsdecode(os.fspath(path)).endswith("/"):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), text)
    try:
        status = os.lstat(text)
    except FileNotFoundError:
        status = None
    if status is not None and stat.S_ISLNK(status.st_mode):
        if status.st_uid not in (0, os.geteuid()):
            raise PermissionError(errno.EPERM, "a symbolic link of another user", text)
        text = os.path.join(os.path.dirname(text), os.readlink(text))
    _refuse_special(text)
    directory, name = os.path.split(text)
    os.makedirs(directory, mode=0o755, exist_ok=True)
    return Path(directory, name)


def _refuse_special(path: str) -> None:
    """Refuse what is no regular file before anything is made beside it."""
    try:
        kind = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if stat.S_ISDIR(kind):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    if stat.S_ISLNK(kind):
        raise OSError(errno.ELOOP, "a symbolic link to a symbolic link", path)
    if not stat.S_ISREG(kind):
        raise OSError(errno.EINVAL, "not a regular file", path)
