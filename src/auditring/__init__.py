"""Audit logging for Python that survives kill -9 and many processes.

This is the public door: what isn't listed here or in the `__all__` of a module is
private. Importing it loads no third-party module but orjson.
"""

from typing import TYPE_CHECKING

from ._version import __version__
from .errors import AuditringError, ClosedError, CursorError, RingFullError
from .follow import follow
from .writer import LogWriter

__all__ = [
    "AuditringError",
    "ClosedError",
    "CursorError",
    "LogWriter",
    "RingFullError",
    "Stats",
    "__version__",
    "follow",
]

if TYPE_CHECKING:
    from .stats import Stats


def __getattr__(name: str) -> object:
    """Import what only few programs use when they do."""
    if name == "Stats":
        from .stats import Stats

        return Stats
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
