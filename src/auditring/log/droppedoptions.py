"""Options that are of no effect where they were given: said once, never dropped.

A handler that goes the standard library's way has no ring and no mill; a timed one with
a `suffix` of its own has backups that the mill doesn't know; standard output has none.
Lines are written all the same: so it is told, on standard error and to `on_error`, once
a process and log, and nothing is raised among records.
"""

import contextlib
import os
import sys
from collections.abc import Iterable, Mapping
from typing import Any, Final

__all__ = ["OF_BACKUPS", "OF_RINGS", "given", "tell_dropped"]

OF_BACKUPS: Final = (
    "compress",
    "compress_level",
    "max_age",
    "max_total_bytes",
    "space_critical_bytes",
    "space_warn_bytes",
)
# What only a ring gives, beside them.
OF_RINGS: Final = (*OF_BACKUPS, "durability", "wipe_on_drain")
_NONE: Final = (None, False, 0, "process")

_told: set[tuple[int, str, tuple[str, ...]]] = set()


def given(options: Mapping[str, Any], names: Iterable[str]) -> tuple[str, ...]:
    """Return those of *names* that were asked for in *options*."""
    return tuple(name for name in names if options.get(name) not in _NONE)


def tell_dropped(
    log: str, names: tuple[str, ...], reason: str, options: Mapping[str, Any]
) -> None:
    """Say that the options called *names* are of no effect, and why."""
    key = (os.getpid(), log, names)
    if not names or key in _told:
        return
    _told.add(key)
    text = f"{', '.join(names)}: of no effect, because {reason}"
    # Standard error may be closed, or be a stream that logs.
    with contextlib.suppress(Exception):
        print(f"auditring: {log}: {text}", file=sys.stderr)
    on_error = options.get("on_error")
    if on_error is not None:
        with contextlib.suppress(Exception):
            on_error(UserWarning(f"{log}: {text}"))
