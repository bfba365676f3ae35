"""Prints a log, and keeps a cursor that agrees with what was printed.

What a pipe took is printed: whether its reader got to it, nobody here can know. A
sidecar that is asked to end prints nothing twice; one that is killed prints again what
came after the cursor that it saved or noted last.
"""

import errno
import os
import time
from collections.abc import Callable
from typing import Final

from ..files.cursor import Cursor
from ..follow.cursor_saver import CursorKeeper
from ..follow.follower import Follower
from .output import Output
from .stdin_pump import Signals

__all__ = ["Sidecar"]

# How long a line that a stopped reader has half of may take once the end is asked for.
LAST_LINE_LIMIT_S: Final = 5.0
# Between two times that `on_idle` is called.
IDLE_INTERVAL_S: Final = 1.0
# How much is printed, and for how long, before it is looked whether to save the cursor.
NOTE_BYTES: Final = 64 * 1024
NOTE_INTERVAL_S: Final = 0.25


class Sidecar:
    """Prints what a follower reads, until a signal asks to stop.

    Thread-safety: the main thread only, as it waits for signals.
    """

    def __init__(
        self,
        output: Output,
        signals: Signals,
        *,
        on_idle: Callable[[], object] | None = None,
    ) -> None:
        """Prepare; nothing is printed yet.

        Args:
            output: Where to print.
            signals: What may ask to stop.
            on_idle: Called about once a second while there is nothing to print.
        """
        self._output = output
        self._signals = signals
        self._on_idle = on_idle
        self._next_idle_s = 0.0
        self._keeper: CursorKeeper | None = None

    def pause(self, seconds: float) -> bool:
        """Wait for a signal, so many seconds at most; tell whether to go on.

        For the follower, when it has nothing to read.

        Raises:
            BrokenPipeError: Nobody reads the output any more.
            OSError: The cursor can't be saved.
        """
        if self._keeper is not None:
            self._keeper.save_if_due()
        if self._on_idle is not None and time.monotonic() >= self._next_idle_s:
            self._on_idle()
            self._next_idle_s = time.monotonic() + IDLE_INTERVAL_S
        if self._output.waits_in_vain(seconds):
            raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
        return not self._signals.stop

    def run(self, follower: Follower, keeper: CursorKeeper) -> None:
        """Print what *follower* reads; return when it ends, or a signal asks to stop.

        However it ends, the cursor is saved behind the last byte that was printed.

        Raises:
            BrokenPipeError: Nobody reads the output any more.
            OSError: The log can't be read, the output not be written to, or the cursor
                not be saved.
        """
        self._keeper = keeper
        keeper.save()
        is_first = True
        try:
            for lines, behind in follower.chunks():
                if is_first and not follower.begins_mid_line:
                    # A killed sidecar may have left half a line in a file.
                    self._output.complete_line()
                is_first = False
                self._print(lines, behind, keeper)
                if self._signals.stop:
                    break
        finally:
            keeper.save()

    def _print(self, lines: bytes, behind: Cursor, keeper: CursorKeeper) -> None:
        """Print *lines*, or up to the end of one of them when asked to stop."""
        start = behind.offset - len(lines)
        printed = noted = looked = 0
        note_s = stop_s = 0.0
        try:
            while printed < len(lines):
                if self._signals.stop:
                    stop_s = stop_s or time.monotonic() + LAST_LINE_LIMIT_S
                    is_whole = not printed or lines[printed - 1] == ord("\n")
                    if is_whole or time.monotonic() >= stop_s:
                        break
                printed += self._output.write_some(lines, printed, NOTE_INTERVAL_S)
                if printed - noted >= NOTE_BYTES or time.monotonic() >= note_s:
                    note_s = time.monotonic() + NOTE_INTERVAL_S
                    # Not within a line: after a kill another reader may be there.
                    whole = lines.rfind(b"\n", looked, printed) + 1
                    looked = printed
                    if whole:
                        keeper.advance(_moved(behind, start + whole), whole - noted)
                        noted = whole
                    keeper.save_if_due()
        finally:
            if printed > noted:
                keeper.advance(_moved(behind, start + printed), printed - noted)


def _moved(cursor: Cursor, offset: int) -> Cursor:
    return Cursor(cursor.mark, offset, cursor.previous)
