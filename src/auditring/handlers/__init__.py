"""Logging handlers that take the place of the standard library's.

A program changes one line: it imports `RotatingFileHandler`,
`TimedRotatingFileHandler` or `WatchedFileHandler` from here, or names them in its
logging configuration. Records are then in the log for good as soon as the call
returns, whatever becomes of the process; several processes may share a log; rotation
and compression keep nobody waiting.

`flush()` waits until every line is in the file. `install()` makes the loggers fast,
too.

`AuditHandler` makes audit events of records, by a policy. `BytesLoggerFactory` is for
structlog.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from .install import install
from .options import HandlerOptions
from .rotating import RotatingFileHandler
from .timed import TimedRotatingFileHandler
from .watched import WatchedFileHandler

__all__ = [
    "AuditHandler",
    "BytesLoggerFactory",
    "HandlerOptions",
    "RotatingFileHandler",
    "TimedRotatingFileHandler",
    "WatchedFileHandler",
    "install",
]

if TYPE_CHECKING:
    from .audit import AuditHandler
    from .byteslogger import BytesLoggerFactory

# What not every program uses, and where it is.
_LATER = {"AuditHandler": ".audit", "BytesLoggerFactory": ".byteslogger"}


def __getattr__(name: str) -> object:
    """Import what only some programs use when they do."""
    if name in _LATER:
        return getattr(import_module(_LATER[name], __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Name what may be used, loaded or not."""
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
