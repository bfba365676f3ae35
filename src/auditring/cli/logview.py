"""What `auditring tail` shows: the last events of a log or a file, for people or jq.

A log that is written is looked at from its end, over its backups. A file that somebody
packed, or standard input, is read through. In either, events that others wrapped are
found by `RecordedEvents`; what holds none is shown as it is.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from ..documents.linesplitter import EVENT_MAX_BYTES, too_long
from ..event.recordedevents import RecordedEvents
from ..event.recordedlog import STANDARD_INPUT, is_packed, read_lines
from ..files.generations import Generations
from .summary import InShort

__all__ = ["LogView", "last_of_file", "unfinished_line"]

_BLOCK_BYTES = 64 * 1024


class LogView:
    """Turns lines of a log into what is shown of them.

    Attributes:
        left_out: How many lines were no events, where only those are shown.
    """

    def __init__(self, short: InShort | None) -> None:
        """Begin with no lines; without *short*, the text of events is shown alone."""
        self._short = short
        self._events = RecordedEvents(self._note)
        self._number = 0
        self._pending: dict[int, bytes] = {}  # lines that may be part of an event
        self._blamed: set[int] = set()
        self.left_out = 0

    def show(self, lines: Iterable[bytes]) -> list[bytes]:
        """Return what is shown of *lines*, without newlines."""
        rows = [row for line in lines for row in self.rows_of(line)]
        return self.shown(rows)

    def shown(self, rows: Iterable[bytes]) -> list[bytes]:
        """Return rows that are one of `rows_of` in short."""
        return list(rows) if self._short is None else self._short.show(rows)

    def rows_of(self, line: bytes) -> list[bytes]:
        """Return the events that end with *line*, or the line that holds none."""
        self._number += 1
        self._pending[self._number] = line
        return self._settle(self._events.take(line))

    def end(self) -> list[bytes]:
        """Return what is left, as there are no more lines."""
        return self._settle(self._events.end())

    def _note(self, number: int, reason: str) -> None:
        self._blamed.add(number)

    def _settle(self, found: Iterable[tuple[bytes, object]]) -> list[bytes]:
        texts = [text for text, _ in found]
        if not texts and not self._blamed:
            return self._still_open()
        # Of a document that holds no event only its first line was told.
        numbers = self._blamed if texts else self._pending
        others = [line for n, line in self._pending.items() if n in numbers]
        self._pending, self._blamed = {}, set()
        if self._short is None:
            self.left_out += len(others)
            return texts
        return others + texts

    def _still_open(self) -> list[bytes]:
        """Keep lines that may come to something; an empty one comes to nothing."""
        if self._events.is_open:
            return []
        lines, self._pending = list(self._pending.values()), {}
        return [] if self._short is None else lines


def last_of_file(
    path: str, count: int, view: LogView, complain: Callable[[str], object]
) -> Iterator[bytes] | None:
    """Return what is shown of the last of a file that is no log; None of a log.

    Args:
        path: A packed file, or ``-``.
        count: How many events or lines.
        view: What shows them.
        complain: Told of lines that are too long.

    Raises:
        OSError: It can't be read.
        DamagedError: It isn't packed as it says.
    """
    if path != STANDARD_INPUT and _is_log(path):
        return None
    lines = read_lines(
        path,
        on_long=lambda number, size: complain(
            f"{path}:{number}: {too_long(size, EVENT_MAX_BYTES)}"
        ),
        limit_bytes=EVENT_MAX_BYTES,
    )
    rows: deque[bytes] = deque(maxlen=count)
    for line in lines:
        rows.extend(view.rows_of(line))
    rows.extend(view.end())
    return iter(view.shown(rows))


def _is_log(path: str) -> bool:
    """Tell whether *path* is that of a log, and of no packed file.

    Raises:
        OSError: Nothing is there, backups neither; or it can't be read.
    """
    try:
        return not is_packed(path)
    except FileNotFoundError:
        # A log that was rotated has no live file until the next line.
        if any(Generations(path).settle(lambda row: row)):
            return True
        raise


def unfinished_line(path: str) -> bytes:
    """Return what stands behind the last newline of a file; nothing if that is long.

    A file that a tool exported may have no newline at its end.
    """
    with suppress(FileNotFoundError), Path(path).open("rb") as file:
        end = file.seek(0, 2)
        found = b""
        while end > 0 and len(found) <= EVENT_MAX_BYTES:
            size = min(_BLOCK_BYTES, end)
            end -= size
            file.seek(end)
            block = file.read(size)
            newline = block.rfind(b"\n")
            found = block[newline + 1 :] + found
            if newline >= 0:
                break
        return found if len(found) <= EVENT_MAX_BYTES else b""
    return b""
