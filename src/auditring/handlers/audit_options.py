"""What may be asked of an `AuditHandler`, checked; nothing is made on the disk."""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import orjson

from ..documents.suggestion import did_you_mean
from ..event.eventsize import MIN_EVENT_BYTES
from ..log.options import DEFAULTS, check_options
from ..policy.policy import PRESETS, Policy
from .options import DROP_IN_DEFAULTS, WriterOptions

if TYPE_CHECKING:
    from ..files.names import Dialect

__all__ = [
    "AuditHandlerOptions",
    "PolicySource",
    "check_callable",
    "read_audit_mode",
    "read_event_limit",
    "read_log_options",
    "read_policy",
]

PolicySource = Policy | int | str | os.PathLike[str] | Mapping[str, Any] | None
"""A policy, or where one comes from; None records everything."""

# What the standard library's handlers call the same.
_ALIASES = {"filename": "path", "maxBytes": "max_bytes", "backupCount": "max_backups"}


class AuditHandlerOptions(WriterOptions, total=False):
    """Keyword arguments of `AuditHandler` that go to `LogWriter`; see there.

    The last three are what the standard library's handlers call `path`, `max_bytes` and
    `max_backups`.
    """

    max_bytes: int
    max_backups: int
    dialect: "Dialect"
    mode: int
    adopt_settings: bool
    filename: str | os.PathLike[str]
    maxBytes: int
    backupCount: int


def read_log_options(
    path: str | os.PathLike[str], options: Mapping[str, Any]
) -> tuple[str, dict[str, Any]]:
    """Return the full path of the log, and the arguments of `LogWriter`.

    Raises:
        ValueError, TypeError: A wrong option; the text names it and its value.
    """
    given: dict[str, Any] = {"path": path} if path != "" else {}
    for name, value in options.items():
        name = _ALIASES.get(name, name)
        if name in given:
            raise TypeError(f"{name}: given twice, {given[name]!r} and {value!r}")
        given[name] = value
    if "path" not in given:
        raise TypeError("AuditHandler() is missing the argument 'path'")
    return _full_path(given.pop("path")), _checked(given)


def _full_path(path: object) -> str:
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"path: expected a str or PathLike, got {path!r}")
    name = os.fsdecode(os.fspath(path))
    return name if name == "-" else os.path.abspath(name)


def _checked(options: dict[str, Any]) -> dict[str, Any]:
    """Check what goes to `LogWriter` before anything is made on the disk."""
    for name in options:
        if name not in DEFAULTS:
            told = f"AuditHandler() got an unexpected keyword argument {name!r}"
            raise TypeError(told + did_you_mean(name, DEFAULTS))
    # Checking a state_dir makes it; the writer will do that.
    options = {**DROP_IN_DEFAULTS, **options}
    check_options({**DEFAULTS, **options, "state_dir": None})
    return options


def read_event_limit(max_event_bytes: int | None) -> int | None:
    """Check the length of the longest line."""
    if max_event_bytes is None:
        return None
    if isinstance(max_event_bytes, bool) or not isinstance(max_event_bytes, int):
        raise TypeError(
            f"max_event_bytes: expected an integer or None, got {max_event_bytes!r}"
        )
    if max_event_bytes < MIN_EVENT_BYTES:
        raise ValueError(
            f"max_event_bytes: expected at least {MIN_EVENT_BYTES} or None, "
            f"got {max_event_bytes!r}"
        )
    return max_event_bytes


def read_audit_mode(audit_mode: object) -> bool:
    """Tell whether a request is refused whose event is lost."""
    if audit_mode not in ("blocking", "blocking-strict"):
        raise ValueError(
            f"audit_mode: expected 'blocking' or 'blocking-strict', got {audit_mode!r}"
        )
    return audit_mode == "blocking-strict"


def check_callable(name: str, value: object, called: object) -> None:
    """Check that what is *called* of an option's *value* can be; None is fine.

    Raises:
        TypeError: It can't.
    """
    if value is not None and not callable(called):
        raise TypeError(f"{name}: got {value!r}, which can't be called")


def read_policy(source: object) -> Policy | None:
    """Load a policy from wherever it is.

    Raises:
        ValueError, TypeError: There is none; the text names what was given.
        PolicyError: It isn't a policy.
        OSError: It can't be read.
    """
    if source is None or isinstance(source, Policy):
        return source
    if isinstance(source, Mapping):
        try:
            return Policy.from_yaml(orjson.dumps(dict(source)))
        except TypeError as error:
            raise TypeError(f"policy: {error}") from error
    if isinstance(source, int) and not isinstance(source, bool):
        try:
            return Policy.preset(source)
        except ValueError as error:
            raise ValueError(f"policy: {error}") from error
    if isinstance(source, str) and source in PRESETS:
        return Policy.preset(source)
    if isinstance(source, str | os.PathLike):
        return _read_policy_file(source)
    raise TypeError(f"policy: expected a policy, preset or path, got {source!r}")


def _read_policy_file(path: str | os.PathLike[str]) -> Policy:
    try:
        return Policy.from_file(path)
    except OSError as error:
        told = f"policy: {error.strerror}"
        raise OSError(error.errno, told, error.filename) from error
