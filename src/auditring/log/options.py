"""The options of a log: the one table that all who take them are made from.

`LogWriter` checks its arguments by it, and the handlers, the command line and the
configuration have their names, defaults and checks from it. Who gives a wrong one
gets an exception that names it and its value.
"""

import grp
import math
import os
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, Self, TypedDict

if TYPE_CHECKING:
    from inspect import Signature

    from ..files.formats import Compression
    from ..files.names import Dialect

__all__ = [
    "CHOICES",
    "DEFAULTS",
    "LASTING",
    "MEBIBYTE",
    "NO_LEVEL",
    "OPTIONS",
    "RING_BYTES_MAX",
    "RING_BYTES_MIN",
    "LogOptions",
    "Option",
    "OptionsSignature",
    "SharedOptions",
    "WrongOptionError",
    "WrongOptionTypeError",
    "check_options",
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
NO_GROUP: Final = 2**32 - 1


class SharedOptions(TypedDict, total=False):
    """Those that the handlers take, too; `LogWriter` says what they mean."""

    max_age: float | timedelta | None
    max_total_bytes: int | None
    compress: "Compression | None"
    compress_level: int | None
    ring_bytes: int
    on_full: Literal["block", "drop", "raise"]
    block_timeout: float | None
    on_timeout: Literal["raise", "drop"]
    durability: Literal["process", "interval", "sync"]
    sync_interval: float
    state_dir: str | os.PathLike[str] | None
    group: int | str | None
    on_error: Callable[[Exception], object] | None
    space_warn_bytes: int | None
    space_critical_bytes: int | None
    keep_for_followers: bool
    wipe_on_drain: bool
    allow_network_fs: bool


class LogOptions(SharedOptions, total=False):
    """Keyword arguments of `LogWriter`."""

    max_bytes: int
    max_backups: int
    dialect: "Dialect"
    mode: int
    adopt_settings: bool


class WrongOptionError(ValueError):
    """A value that an option can't have.

    Attributes:
        option: Its name.
        reason: What is wrong, without the name.
    """

    def __init__(self, option: str, reason: str) -> None:
        super().__init__(f"{option}: {reason}")
        self.option, self.reason = option, reason

    def __reduce__(self) -> tuple[type[Self], tuple[str, str]]:
        return type(self), (self.option, self.reason)


class WrongOptionTypeError(TypeError):
    """A value of a type that an option can't have; see `WrongOptionError`."""

    def __init__(self, option: str, reason: str) -> None:
        super().__init__(f"{option}: {reason}")
        self.option, self.reason = option, reason

    def __reduce__(self) -> tuple[type[Self], tuple[str, str]]:
        return type(self), (self.option, self.reason)


def check_options(given: Mapping[str, Any]) -> dict[str, Any]:
    """Turn the arguments of `LogWriter` into what the binding takes.

    Raises:
        WrongOptionError, WrongOptionTypeError: It names the option.
    """
    checked = {
        option.field: option.check(name, given[name])
        for name, option in OPTIONS.items()
    }
    _check_level(given["compress"], given["compress_level"])
    if given["group"] is not None:
        # Whoever leads writes to the live file: all of the group must be able to.
        checked["mode"] |= 0o660
    return checked


# What checks a value: each returns it as the binding takes it.


def _count(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise WrongOptionTypeError(name, f"expected an integer, got {value!r}")
    if not 0 <= value < 2**63:
        raise WrongOptionError(name, f"expected 0 or more, got {value!r}")
    return value


def _count_or_none(name: str, value: object) -> int:
    return 0 if value is None else _count(name, value)


def _flag(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise WrongOptionTypeError(name, f"expected True or False, got {value!r}")
    return value


def _ring_bytes(name: str, value: object) -> int:
    if not RING_BYTES_MIN <= _count(name, value) <= RING_BYTES_MAX:
        wanted = f"expected {RING_BYTES_MIN} to {RING_BYTES_MAX}"
        raise WrongOptionError(name, f"{wanted}, got {value!r}")
    return _count(name, value)


def _mode(name: str, value: object) -> int:
    bits = _count(name, value)
    if bits > 0o7777:
        raise WrongOptionError(name, f"expected at most 0o7777, got {value:#o}")
    return bits


def _callable(name: str, value: object) -> object:
    if value is not None and not callable(value):
        raise WrongOptionTypeError(name, f"expected a callable, got {value!r}")
    return value


def _level(name: str, value: object) -> int:
    return NO_LEVEL if value is None else _count(name, value)


def _check_level(compress: "Compression | None", level: int | None) -> None:
    if level is None:
        return
    # Only then: checking the range takes the mill's table of formats.
    from ..backups.settings import wrong_level

    reason = wrong_level(compress, level)
    if reason:
        raise WrongOptionError("compress_level", reason)


def _choice(name: str, value: object) -> int:
    """Return the place of *value* among the choices."""
    choices = CHOICES[name]
    if value not in choices:
        _refuse_choice(name, choices, value)
    return choices.index(str(value))


def _choice_or_none(name: str, value: object) -> int:
    """Return the place of *value* among the choices, which count from 1; None is 0."""
    if value is not None and value not in CHOICES[name]:
        _refuse_choice(name, (None, *CHOICES[name]), value)
    return 0 if value is None else CHOICES[name].index(str(value)) + 1


def _refuse_choice(name: str, choices: tuple[object, ...], value: object) -> None:
    wanted = ", ".join(map(repr, choices))
    raise WrongOptionError(name, f"expected one of {wanted}, got {value!r}")


def _drops(name: str, value: object) -> bool:
    return _choice(name, value) == 1


def seconds_ns(name: str, value: object) -> int:
    """Return *value* seconds in nanoseconds."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise WrongOptionTypeError(name, f"expected seconds, got {value!r}")
    if not 0 <= value < 2**31:
        raise WrongOptionError(name, f"expected seconds from 0 to 2**31, got {value!r}")
    return int(value * 1e9)


def _seconds_or_none(name: str, value: object) -> int | None:
    return None if value is None else seconds_ns(name, value)


def _age_s(name: str, value: object) -> int:
    """Return `max_age`, in days or a timedelta, in seconds."""
    if value is None:
        return 0
    if isinstance(value, timedelta):
        seconds = value.total_seconds()
    elif isinstance(value, bool) or not isinstance(value, int | float):
        raise WrongOptionTypeError(name, f"expected days or a timedelta, got {value!r}")
    else:
        seconds = value * 86400
    if not 0 <= seconds < 2**40:
        raise WrongOptionError(name, f"expected 0 or more days, got {value!r}")
    return math.ceil(seconds)


def _group_id(name: str, group: object) -> int:
    if group is None:
        return NO_GROUP
    if isinstance(group, str):
        try:
            return grp.getgrnam(group).gr_gid
        except KeyError:
            raise WrongOptionError(name, f"no group is named {group!r}") from None
    if isinstance(group, bool) or not isinstance(group, int):
        raise WrongOptionTypeError(name, f"expected a name or number, got {group!r}")
    if not 0 <= group < NO_GROUP:
        raise WrongOptionError(name, f"expected a group number, got {group!r}")
    return group


def _existing_directory(name: str, path: object) -> str | None:
    if path is None:
        return None
    if not isinstance(path, str | os.PathLike):
        raise WrongOptionTypeError(name, f"expected a str or PathLike, got {path!r}")
    real = os.path.realpath(path)
    os.makedirs(real, mode=0o700, exist_ok=True)
    return real


class Option(NamedTuple):
    """An option of a log.

    Attributes:
        field: What the binding calls it, as the settings in csrc/control.h do.
        check: Called with name and value; returns what the binding takes.
        default: What holds if nothing is given.
        is_lasting: Whether an open log keeps what it began with.
    """

    field: str
    check: Callable[[str, Any], Any]
    default: Any = None
    is_lasting: bool = False


# What each means is said in the docstring of LogWriter, where users look for it.
OPTIONS: Final[dict[str, Option]] = {
    "max_bytes": Option("max_bytes", _count, 100 * MEBIBYTE),
    "max_backups": Option("max_backups", _count, 0),
    "max_age": Option("max_age_s", _age_s),
    "max_total_bytes": Option("max_total_bytes", _count_or_none),
    "compress": Option("compress", _choice_or_none),
    "compress_level": Option("compress_level", _level),
    "ring_bytes": Option("ring_bytes", _ring_bytes, 8 * MEBIBYTE, is_lasting=True),
    "on_full": Option("on_full", _choice, "block"),
    "block_timeout": Option("block_ns", _seconds_or_none),
    "on_timeout": Option("drops_on_timeout", _drops, "raise"),
    "durability": Option("durability", _choice, "process", is_lasting=True),
    "sync_interval": Option("sync_interval_ns", seconds_ns, 1.0),
    "state_dir": Option("rings_path", _existing_directory, is_lasting=True),
    "dialect": Option("dialect", _choice, "lumberjack"),
    "mode": Option("mode", _mode, 0o600),
    "group": Option("gid", _group_id),
    "on_error": Option("on_error", _callable),
    "space_warn_bytes": Option("space_warn_bytes", _count_or_none, is_lasting=True),
    "space_critical_bytes": Option(
        "space_critical_bytes", _count_or_none, is_lasting=True
    ),
    "keep_for_followers": Option("keep_for_followers", _flag, True),
    "wipe_on_drain": Option("wipe_on_drain", _flag, False),
    "adopt_settings": Option("adopt_settings", _flag, False),
    "allow_network_fs": Option("allow_network_fs", _flag, False, is_lasting=True),
}
DEFAULTS: Final = {name: option.default for name, option in OPTIONS.items()}
LASTING: Final = tuple(name for name, one in OPTIONS.items() if one.is_lasting)


class OptionsSignature:
    """What `help` and `inspect.signature` show of a class that takes them all."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._init = owner.__dict__["__init__"]

    def __get__(self, instance: object, owner: type) -> "Signature":
        if owner.__init__ is not self._init:  # type: ignore[misc]  # compared, not called
            raise AttributeError("__signature__")
        # Imported late: nobody asks while a log is written.
        from inspect import Parameter, Signature

        path = Parameter("path", Parameter.POSITIONAL_OR_KEYWORD)
        options = (
            Parameter(name, Parameter.KEYWORD_ONLY, default=one.default)
            for name, one in OPTIONS.items()
        )
        return Signature([path, *options])
