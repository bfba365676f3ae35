"""structlog's rendered bytes to a log: `BytesLoggerFactory`."""

import os
import threading
from typing import Any, Unpack

from ..log.writer import LogWriter
from .options import DROP_IN_DEFAULTS, WriterOptions

__all__ = ["BytesLogger", "BytesLoggerFactory", "BytesLoggerOptions"]


class BytesLoggerOptions(WriterOptions, total=False):
    """Keyword arguments of `LogWriter`; see there."""

    max_bytes: int
    max_backups: int
    mode: int


class BytesLogger:
    """Writes what it is called with as a line, whatever the level.

    Thread-safety: any thread.
    """

    __slots__ = ("_factory", "_write")

    def __init__(self, factory: "BytesLoggerFactory") -> None:
        """Write to the log that *factory* has open."""
        self._factory = factory
        self._write = factory.log_writer.write

    def msg(self, message: bytes) -> None:
        """Commit *message* as a line.

        Raises:
            TypeError: It isn't bytes: the last processor has to render them.
            ClosedError: The log is closed.
        """
        self._write(message or b"\n")

    log = debug = info = warn = warning = msg
    error = err = fatal = critical = exception = failure = msg

    def __reduce__(self) -> tuple[Any, ...]:
        return BytesLogger, (self._factory,)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {str(self._factory.log_writer.path)!r}>"


class BytesLoggerFactory:
    """A `logger_factory` for structlog; stands in for its own of the same name.

    All its loggers share one log, which the end of the process closes, or `close`.

    Thread-safety: any thread. A pickled one opens the log for itself.
    """

    def __init__(
        self,
        log: LogWriter | str | os.PathLike[str],
        **options: Unpack[BytesLoggerOptions],
    ) -> None:
        """Take a *log* that is open, or open one at a path.

        Args:
            log: A log writer, or the path of the live file.
            **options: Those of `LogWriter`, for a path, with the defaults of
                `WriterOptions`.

        Raises:
            ValueError, TypeError: A wrong option; the text names it and its value.
            OSError: The log can't be opened.
        """
        if isinstance(log, LogWriter) and options:
            raise TypeError(f"{min(options)}: the log is open already")
        self._options = options
        self.log_writer = log if isinstance(log, LogWriter) else _open(log, **options)

    def __call__(self, *args: object) -> BytesLogger:
        """Return a logger; *args* are those of `structlog.get_logger`, ignored."""
        return BytesLogger(self)

    def close(self) -> None:
        """Wait until every line is in the file, and close the log."""
        self.log_writer.close()

    def __reduce__(self) -> tuple[Any, ...]:
        return _remake, (os.fspath(self.log_writer.path), self._options)


def _open(path: str | os.PathLike[str], **options: Any) -> LogWriter:  # noqa: ANN401  # LogWriter's
    log = LogWriter(path, **{**DROP_IN_DEFAULTS, **options})
    log._spare_event_loops()
    return log


_remade: dict[str, BytesLoggerFactory] = {}
_remade_lock = threading.Lock()


def _remake(path: str, options: BytesLoggerOptions) -> BytesLoggerFactory:
    """Return the factory of a log that was pickled: one for all its loggers."""
    with _remade_lock:
        factory = _remade.get(path)
        if factory is None or factory.log_writer.closed:
            # The log's settings are those of who opened it first.
            log = _open(path, adopt_settings=True, **options)
            factory = _remade[path] = BytesLoggerFactory(log)
        return factory
