"""Audit logging for Python that survives kill -9 and many processes.

This is the public door: what isn't listed here or in the `__all__` of a module is
private. Importing it loads no third-party module but orjson.
"""

from ._version import __version__
from .errors import AuditringError, ClosedError, RingFullError
from .writer import LogWriter, Stats

__all__ = [
    "AuditringError",
    "ClosedError",
    "LogWriter",
    "RingFullError",
    "Stats",
    "__version__",
]
