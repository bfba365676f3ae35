"""Logging handlers that take the place of the standard library's.

A program changes one line: it imports `RotatingFileHandler`,
`TimedRotatingFileHandler` or `WatchedFileHandler` from here, or names them in its
logging configuration. Records are then in the log for good as soon as the call
returns, whatever becomes of the process; several processes may share a log; rotation
and compression keep nobody waiting.

`flush()` waits until every line is in the file. `install()` makes the loggers fast,
too.
"""

from .fastlogger import install
from .handleroptions import HandlerOptions
from .rotatinghandler import RotatingFileHandler
from .timedhandler import TimedRotatingFileHandler
from .watchedhandler import WatchedFileHandler

__all__ = [
    "HandlerOptions",
    "RotatingFileHandler",
    "TimedRotatingFileHandler",
    "WatchedFileHandler",
    "install",
]
