"""Ready lines through the adapter of a contender, as one run."""

import time
from collections.abc import Sequence
from pathlib import Path

from lines import account_of_producers, cycled
from rivals.contender import Contender, Place
from rounds import Run

__all__ = ["write_lines"]


def write_lines(
    writer: Contender, folder: Path, lines: Sequence[bytes], count: int, max_bytes: int
) -> Run:
    writer.open(Place(folder=folder, max_bytes=max_bytes))
    emit = writer.emit_bytes
    start = time.perf_counter()
    for line in cycled(lines, count):
        emit(line)
    writer.drain()
    seconds = time.perf_counter() - start
    writer.close()
    files = writer.files(folder)
    return Run(
        count, seconds, account_of_producers(files, [lines], count, writer.start)
    )
