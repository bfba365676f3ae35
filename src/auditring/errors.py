"""The exceptions that auditring adds to Python's own.

::

    Exception
    └── AuditringError
        ├── RingFullError
        ├── ClosedError            also a ValueError
        └── EventError             also a ValueError

Trouble with a file or the disk stays `OSError`; a wrong argument stays `ValueError`
or `TypeError`. Nothing else is raised.
"""

__all__ = ["AuditringError", "ClosedError", "EventError", "RingFullError"]


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


class EventError(AuditringError, ValueError):
    """Text isn't an audit event, or an event can't be written the way that was asked.

    Occurs when text is read as an event, and then names the member and its value; and
    with ``strict`` when an event is written whose body isn't JSON.
    """
