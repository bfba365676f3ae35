"""What a log may be opened with: the options of `LogWriter`, checked, and its path.

Who gives a wrong one gets an exception that names it and its value.
"""

import errno
import grp
import math
import os
import stat
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from ..files.formats import Compression

__all__ = [
    "CHOICES",
    "MEBIBYTE",
    "NO_LEVEL",
    "RING_BYTES_MAX",
    "RING_BYTES_MIN",
    "check_options",
    "is_stream",
    "resolve",
    "seconds_ns",
]

MEBIBYTE: Final = 1024**2
RING_BYTES_MIN: Final = 64 * 1024
RING_BYTES_MAX: Final = 1024 * MEBIBYTE

CHOICES: Final[dict[str, tuple[str, ...]]] = {
    "compress": ("gzip", "zstd", "lz4"),
    "on_full": ("block", "drop", "raise"),
    "on_timeout": ("raise", "drop"),
    "durability": ("process", "interval", "sync"),
    "dialect": ("lumberjack", "stdlib"),
}
NO_LEVEL: Final = -(2**31)


def check_options(given: dict[str, Any]) -> dict[str, Any]:
    """Turn the arguments of `LogWriter` into what the binding takes."""
    for name in ("max_bytes", "max_backups", "ring_bytes", "mode"):
        _check_count(name, given[name])
    for name in ("max_total_bytes", "space_warn_bytes", "space_critical_bytes"):
        if given[name] is not None:
            _check_count(name, given[name])
    for name in (
        "keep_for_followers",
        "wipe_on_drain",
        "adopt_settings",
        "allow_network_fs",
    ):
        if not isinstance(given[name], bool):
            raise TypeError(f"{name}: expected True or False, got {given[name]!r}")
    if not RING_BYTES_MIN <= given["ring_bytes"] <= RING_BYTES_MAX:
        raise ValueError(
            f"ring_bytes: expected {RING_BYTES_MIN} to {RING_BYTES_MAX}, "
            f"got {given['ring_bytes']!r}"
        )
    if given["mode"] > 0o7777:
        raise ValueError(f"mode: expected at most 0o7777, got {given['mode']:#o}")
    if given["on_error"] is not None and not callable(given["on_error"]):
        raise TypeError(f"on_error: expected a callable, got {given['on_error']!r}")
    _check_level(given["compress"], given["compress_level"])
    rings = given["state_dir"]
    return {
        "max_bytes": given["max_bytes"],
        "max_backups": given["max_backups"],
        "max_age_s": _age_s(given["max_age"]),
        "max_total_bytes": given["max_total_bytes"] or 0,
        "dialect": _index("dialect", given["dialect"]),
        "compress": _index("compress", given["compress"], none=True),
        "compress_level": (
            NO_LEVEL if given["compress_level"] is None else given["compress_level"]
        ),
        # Whoever leads writes to the live file: all of the group must be able to.
        "mode": given["mode"] | (0 if given["group"] is None else 0o660),
        "gid": _group_id(given["group"]),
        "keep_for_followers": given["keep_for_followers"],
        "wipe_on_drain": given["wipe_on_drain"],
        "sync_interval_ns": seconds_ns("sync_interval", given["sync_interval"]),
        "ring_bytes": given["ring_bytes"],
        "on_full": _index("on_full", given["on_full"]),
        "drops_on_timeout": _index("on_timeout", given["on_timeout"]) == 1,
        "block_ns": (
            None
            if given["block_timeout"] is None
            else seconds_ns("block_timeout", given["block_timeout"])
        ),
        "durability": _index("durability", given["durability"]),
        "rings_path": None if rings is None else _existing_directory(rings),
        "adopt_settings": given["adopt_settings"],
        "allow_network_fs": given["allow_network_fs"],
    }


def _check_count(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name}: expected an integer, got {value!r}")
    if not 0 <= value < 2**63:
        raise ValueError(f"{name}: expected 0 or more, got {value!r}")


def _check_level(compress: "Compression | None", level: int | None) -> None:
    if level is None:
        return
    _check_count("compress_level", level)
    # Only then: checking the range takes the mill's table of formats.
    from ..backups.settings import MillSettings

    MillSettings(compress=compress, compress_level=level)


def _index(name: str, value: object, *, none: bool = False) -> int:
    """Return the place of *value* among the choices; with *none* they count from 1."""
    if none and value is None:
        return 0
    choices = CHOICES[name]
    if value not in choices:
        wanted = ", ".join(map(repr, (None, *choices) if none else choices))
        raise ValueError(f"{name}: expected one of {wanted}, got {value!r}")
    return choices.index(str(value)) + none


def seconds_ns(name: str, value: object) -> int:
    """Return *value* seconds in nanoseconds."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name}: expected seconds, got {value!r}")
    if not 0 <= value < 2**31:
        raise ValueError(f"{name}: expected seconds from 0 to 2**31, got {value!r}")
    return int(value * 1e9)


def _age_s(value: object) -> int:
    """Return `max_age`, in days or a timedelta, in seconds."""
    if value is None:
        return 0
    if isinstance(value, timedelta):
        seconds = value.total_seconds()
    elif isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"max_age: expected days or a timedelta, got {value!r}")
    else:
        seconds = value * 86400
    if not 0 <= seconds < 2**40:
        raise ValueError(f"max_age: expected 0 or more days, got {value!r}")
    return math.ceil(seconds)


def _group_id(group: object) -> int:
    if group is None:
        return 2**32 - 1
    if isinstance(group, str):
        try:
            return grp.getgrnam(group).gr_gid
        except KeyError:
            raise ValueError(f"group: no group is named {group!r}") from None
    if isinstance(group, bool) or not isinstance(group, int):
        raise TypeError(f"group: expected a name or number, got {group!r}")
    if not 0 <= group < 2**32 - 1:
        raise ValueError(f"group: expected a group number, got {group!r}")
    return group


# Paths.


def is_stream(path: object, durability: str) -> bool:
    """Tell standard output from a file, if what is asked of it can be had."""
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"path: expected a str or PathLike, got {path!r}")
    name = os.fspath(path)
    if not name:
        raise ValueError(f"path: expected the name of a file, got {name!r}")
    if name == "-" and durability != "process":
        raise ValueError(
            f"durability: expected 'process' for standard output, got {durability!r}"
        )
    return name == "-"


def _existing_directory(path: object) -> str:
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"state_dir: expected a str or PathLike, got {path!r}")
    real = os.path.realpath(path)
    os.makedirs(real, mode=0o700, exist_ok=True)
    return real


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
