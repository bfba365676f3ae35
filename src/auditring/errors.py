"""The exceptions that auditring adds to Python's own.

::

    Exception
    └── AuditringError
        ├── RingFullError
        ├── ClosedError            also a ValueError
        ├── RequestError           also a ValueError
        │   ├── BadRequestError
        │   └── RequestInfoError
        └── EventError             also a ValueError

Trouble with a file or the disk stays `OSError`; a wrong argument stays `ValueError`
or `TypeError`. Nothing else is raised.
"""

from collections.abc import Mapping

__all__ = [
    "AuditringError",
    "BadRequestError",
    "ClosedError",
    "EventError",
    "RequestError",
    "RequestInfoError",
    "RingFullError",
]


class AuditringError(Exception):
    """What every exception of this package's own has in common; not raised itself."""


class RingFullError(AuditringError):
    """The ring had no room for a record, and the record was not taken.

    Occurs with ``on_full="raise"`` at once, and with ``on_full="block"`` when
    `block_timeout` ran out and ``on_timeout="raise"``. Never with
    ``on_full="drop"``. The writer stays usable: a later call may succeed.
    """


class ClosedError(AuditringError, ValueError):
    """A writer was used after it had been closed.

    A ValueError too, as with Python's own closed files. Calling `close()` again is
    no error.
    """


class RequestError(AuditringError, ValueError):
    """A request that Kubernetes answers before auditing begins; not raised itself."""


class BadRequestError(RequestError):
    """The request line is none that an HTTP server takes; its answer is 400.

    Occurs for a method that is no token and for a request target that is no path, no
    absolute URL and not ``*``, or has a bad escape, host or control character.
    """


class RequestInfoError(RequestError):
    """The path is one of the API, but doesn't say of what; Kubernetes answers 500.

    Attributes:
        known: What had been read by then, under the names of `Attributes`.
    """

    def __init__(self, message: str, known: Mapping[str, object]) -> None:
        super().__init__(message, known)
        self.known = known

    def __str__(self) -> str:
        return str(self.args[0])


class EventError(AuditringError, ValueError):
    """Text isn't an audit event, or an event can't be written the way that was asked.

    Occurs when text is read as an event, and then names the member and its value; and
    with ``strict`` when an event is written whose body isn't JSON.
    """
