"""logging.handlers.RotatingFileHandler, fed text that needs no formatting."""

import time
from collections.abc import Sequence
from itertools import cycle, islice
from logging import INFO, LogRecord
from logging.handlers import RotatingFileHandler
from pathlib import Path

from lines import account_of_cycle
from rounds import Run

__all__ = ["write_lines"]

# More than a run makes, so that none is deleted before it is counted.
BACKUP_COUNT = 10_000


def write_lines(
    folder: Path, lines: Sequence[bytes], count: int, max_bytes: int
) -> Run:
    """Hand ready records to the handler, without a logger's work before that."""
    records = [_ready_record(line) for line in lines]
    path = folder / "app.log"
    handler = RotatingFileHandler(path, maxBytes=max_bytes, backupCount=BACKUP_COUNT)
    try:
        handle = handler.handle
        start = time.perf_counter()
        for record in islice(cycle(records), count):
            handle(record)
        handler.flush()
        seconds = time.perf_counter() - start
    finally:
        handler.close()
    return Run(count, seconds, account_of_cycle(_written_files(path), lines, count))


def _ready_record(line: bytes) -> LogRecord:
    # The handler adds the newline.
    text = line.decode().removesuffix("\n")
    return LogRecord("bench", INFO, __file__, 1, text, None, None)


def _written_files(path: Path) -> list[Path]:
    """Return the backups, the oldest (the highest number) first, and the live file."""
    backups = list(path.parent.glob(f"{path.name}.*"))
    return [*sorted(backups, key=lambda file: -int(file.suffix[1:])), path]
