"""How far a command is with many lines: one line on standard error that updates itself.

Only on a terminal, because a file of such lines helps nobody; and it goes at the end,
so that the output stands alone.
"""

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress

__all__ = ["PERIOD_S", "counted"]

PERIOD_S = 0.2
# So many lines are looked at without asking for the time.
_LINES_AT_ONCE = 256


def counted(lines: Iterable[bytes], what: str) -> Iterator[bytes]:
    """Yield *lines*, and show how many of *what* there were so far."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield from lines
        return
    next_s = time.monotonic() + PERIOD_S
    width = 0
    try:
        for number, line in enumerate(lines, 1):
            if number % _LINES_AT_ONCE == 0 and time.monotonic() >= next_s:
                next_s = time.monotonic() + PERIOD_S
                width = _show(f"{number:,} {what}", width)
            yield line
    finally:
        if width:
            _show("", width)


def _show(text: str, width: int) -> int:
    """Put *text* in the place of one that was *width* long; return its length."""
    with suppress(OSError, ValueError):  # a terminal that was closed
        sys.stderr.write(f"\r{text:{width}}" if text else f"\r{'':{width}}\r")
        sys.stderr.flush()
    return len(text)
