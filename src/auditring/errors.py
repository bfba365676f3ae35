"""The exceptions that auditring adds to Python's own.

::

    Exception
    └── AuditringError
        ├── RingFullError
        ├── ClosedError            also a ValueError
        └── CursorError            also a ValueError

Trouble with a file or the disk stays `OSError`; a wrong argument stays `ValueError`
or `TypeError`. Nothing else is raised.
"""

__all__ = ["AuditringError", "ClosedError", "CursorError", "RingFullError"]


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


class CursorError(AuditringError, ValueError):
    """What should be a saved cursor isn't one.

    Occurs when a cursor is read, from a file or as text; the message names the file,
    the field and its value. Nothing was changed.
    """
