"""The text stream that a handler shows while its lines go through a ring."""

import contextlib
import io
import os
import weakref
from collections.abc import Callable

from ..log.writer import LogWriter
from ..process._nativethread import close

__all__ = ["LogStream"]


class LogStream(io.TextIOBase):
    """A log as `logging.FileHandler.stream` has it: text that can be written to.

    What is written counts as a record each time it ends with a newline; what doesn't
    is kept until the rest comes, and `close` ends it with one. `fileno` is a
    descriptor of the live file, and follows it when it is rotated and asked for again.

    Thread-safety: as other text streams, one thread at a time; a handler locks.
    """

    mode = "a"

    def __init__(
        self,
        writer: LogWriter,
        path: str,
        *,
        encoding: str,
        errors: str,
        on_close: "weakref.WeakMethod[Callable[[], None]] | None" = None,
    ) -> None:
        """Make a stream that writes through *writer* to the live file at *path*.

        Args:
            writer: Of the log.
            path: Its live file.
            encoding: What text becomes bytes with.
            errors: What is done about text that can't.
            on_close: Called when it is closed.
        """
        self._writer = writer
        self._path = path
        self._encoding = encoding
        self._errors = errors
        self._pending = ""
        self._fd = -1
        self._on_close = on_close

    @property
    def name(self) -> str:
        """The path of the live file."""
        return self._path

    @property
    def encoding(self) -> str:  # type: ignore[override]  # read-only, as in io
        """What text becomes bytes with."""
        return self._encoding

    @property
    def errors(self) -> str:  # type: ignore[override]
        """What is done about text that can't."""
        return self._errors

    def writable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True, so that it may be asked where its end is."""
        return True

    def isatty(self) -> bool:
        """Return False."""
        return False

    def write(self, text: str, /) -> int:
        """Take *text*; commit what ends with a newline.

        Raises:
            ValueError: The stream is closed.
            TypeError: It isn't text.
            UnicodeEncodeError: It can't be encoded.
        """
        self._check_open()
        if not isinstance(text, str):
            raise TypeError(f"text: expected str, got {text!r:.80}")
        whole = self._pending + text
        if whole.endswith("\n"):
            self._commit(whole)
            self._pending = ""
        else:
            self._pending = whole
        return len(text)

    def _commit(self, text: str) -> None:
        self._writer.write(text.encode(self._encoding, self._errors))

    def flush(self) -> None:
        """Wait until what was committed is in the file."""
        if not self.closed and not self._writer.closed:
            self._writer.flush()

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Stay at the end, where everything is written."""
        return self.tell()

    def tell(self) -> int:
        """Return the size of the live file in bytes, all of the lines in it."""
        self._check_open()
        self.flush()
        try:
            return os.stat(self._path).st_size
        except FileNotFoundError:
            return 0

    def fileno(self) -> int:
        """Return a descriptor of the live file, for appending.

        A process that gave up the right to open the file keeps the descriptor that it
        had; without one it gets one that only tells which file it is.

        Raises:
            OSError: It can't be opened.
        """
        self._check_open()
        self.flush()
        if self._fd >= 0 and self._is_live():
            return self._fd
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        try:
            fd = os.open(self._path, flags, 0o666)
        except PermissionError:
            if self._fd < 0:
                self._fd = os.open(self._path, os.O_PATH | os.O_CLOEXEC)
            return self._fd
        if self._fd < 0:
            self._fd = fd
        else:
            # Whoever asked before goes on with the same number.
            os.dup2(fd, self._fd, inheritable=False)
            close(fd)
        return self._fd

    def _is_live(self) -> bool:
        with contextlib.suppress(FileNotFoundError):
            return os.path.samestat(os.stat(self._path), os.fstat(self._fd))
        return False

    def close(self) -> None:
        """Commit what is left; the log goes on without this stream."""
        if self.closed:
            return
        try:
            if self._pending and not self._writer.closed:
                self._commit(self._pending + "\n")
            self.flush()
        finally:
            self._pending = ""
            super().close()
            on_close = self._on_close and self._on_close()
            if on_close is not None:
                on_close()
            if self._fd >= 0:
                close(self._fd)
                self._fd = -1

    def __del__(self) -> None:
        """Let go of the descriptor; a collector must not wait for a disk."""
        if self._fd >= 0:
            close(self._fd)
            self._fd = -1

    def _check_open(self) -> None:
        if self.closed:
            raise ValueError("I/O operation on closed file.")
