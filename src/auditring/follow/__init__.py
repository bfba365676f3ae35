"""Follow a log from a program: the functions that most need, and nothing else.

What they do stands in follower.py, which is imported with the first call.
"""

import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..files.cursor import Cursor
    from .follower import Start

__all__ = ["follow", "follow_chunks"]


def follow(
    path: str | os.PathLike[str],
    cursor: "Cursor | str | None" = None,
    *,
    start: "Start" = "beginning",
    wait: bool = True,
    pause: Callable[[float], bool] | None = None,
    on_notice: Callable[[str], object] | None = None,
    max_line_bytes: int = 64 * 1024**2,
) -> Iterator[tuple[bytes, "Cursor"]]:
    """Yield every line of a log with the cursor behind it, and wait for more.

    Lines are bytes and end with their newline. Whoever saves a cursor once the line
    before it is dealt with, and begins there the next time, gets every line, in order,
    and none twice, whatever became of the files meanwhile.

    Args:
        path: The live file. It needn't exist; its directory must.
        cursor: Where to go on, as a `Cursor` or its JSON; None: at *start*.
        start: ``"beginning"`` is that of the oldest backup, ``"end"`` is behind the
            last whole line of the log at the time of the call.
        wait: Wait for more lines at the end; else the iteration ends there.
        pause: Waits for at most so many seconds and tells whether to go on; None sleeps
            and goes on.
        on_notice: Called with a line of text when lines may be missing: somebody
            truncated or removed files.
        max_line_bytes: Longer lines, without their newlines, are left out and told to
            *on_notice*; 1 MiB at least. So much memory may be needed, twice.

    Raises:
        ValueError: A wrong *start*, or limit.
        CursorError: Text that is no cursor.
        OSError: *path* is no regular file, or the log can't be read.
    """
    return _split(
        follow_chunks(
            path,
            cursor,
            start=start,
            wait=wait,
            pause=pause,
            on_notice=on_notice,
            max_line_bytes=max_line_bytes,
        )
    )


def follow_chunks(
    path: str | os.PathLike[str],
    cursor: "Cursor | str | None" = None,
    *,
    start: "Start" = "beginning",
    wait: bool = True,
    pause: Callable[[float], bool] | None = None,
    on_notice: Callable[[str], object] | None = None,
    max_line_bytes: int = 64 * 1024**2,
) -> Iterator[tuple[bytes, "Cursor"]]:
    """Yield the lines of a log, many at once, each time with the cursor behind them.

    Nothing is done once a line; else it is as `follow`.
    """
    from .follower import Follower

    return Follower(
        path,
        cursor,
        start=start,
        wait=wait,
        pause=pause,
        on_notice=on_notice,
        max_line_bytes=max_line_bytes,
    ).chunks()


def _split(
    chunks: Iterator[tuple[bytes, "Cursor"]],
) -> Iterator[tuple[bytes, "Cursor"]]:
    from ..files.cursor import Cursor

    for chunk, behind in chunks:
        before = behind.offset - len(chunk)
        start = 0
        while start < len(chunk):
            end = chunk.index(b"\n", start) + 1
            yield chunk[start:end], Cursor(behind.mark, before + end, behind.previous)
            start = end
