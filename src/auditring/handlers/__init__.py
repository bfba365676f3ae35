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

from typing import TYPE_CHECKING

from .._native.door import open_late
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
__getattr__, __dir__ = open_late(__name__, _LATER)
