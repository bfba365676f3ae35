"""What the log of the demo holds, line by line, and what its workers were told."""

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import zstandard

from ..files.names import list_backups
from .demo_worker import Oracle, Sample
from .progress import counted

__all__ = ["Account", "Contents"]


class Account:
    """The events of one worker: those acknowledged and those in the log."""

    def __init__(self, oracle: Oracle, *, was_killed: bool) -> None:
        self.was_killed = was_killed
        self.events = oracle.events
        self.acknowledged = oracle.acknowledged
        self.duplicated = 0
        self.misordered = 0
        self._found = bytearray(oracle.events)  # 1 for each sequence that is there
        self._last = -1

    def enter(self, sequence: int) -> None:
        """Take note of one line, in the order of the log."""
        self.duplicated += self._found[sequence]
        self.misordered += sequence < self._last
        self._found[sequence] = 1
        self._last = sequence

    @property
    def lost(self) -> int:
        """Acknowledged and not in the log."""
        return self._found.count(0, 0, self.acknowledged)

    @property
    def unacknowledged(self) -> int:
        """In the log although write() had not returned."""
        return self._found.count(1, self.acknowledged)

    @property
    def is_good(self) -> bool:
        """Whether all is there once and in order.

        A killed worker may have had one event under way, which may be in the log.
        """
        return (
            self.unacknowledged <= self.was_killed
            and not self.lost + self.duplicated + self.misordered
        )


@dataclass(slots=True)
class Contents:
    """What the files of a log hold."""

    files: int = 0
    compressed_files: int = 0
    file_bytes: int = 0
    line_bytes: int = 0
    gap_events: int = 0
    foreign: int = 0  # neither a worker's nor a gap event: torn or changed

    @classmethod
    def read(cls, log: Path, sample: Sample, accounts: Mapping[int, Account]) -> Self:
        """Enter every line of the log in *accounts*, which go by the worker's number.

        A worker's line counts when it is byte for byte what that worker wrote.
        """
        contents = cls()
        for path in _files(log):
            contents.files += 1
            contents.compressed_files += path.suffix == ".zst"
            contents.file_bytes += path.stat().st_size
            for line in counted(_lines(path), f"events of {path.name} checked"):
                contents.line_bytes += len(line)
                if not _enter(line, sample, accounts):
                    is_gap = b'"verb":"gap"' in line
                    contents.gap_events += is_gap
                    contents.foreign += not is_gap
        return contents


def _enter(line: bytes, sample: Sample, accounts: Mapping[int, Account]) -> bool:
    try:
        worker, sequence = sample.origin(line)
    except ValueError:
        return False
    if worker not in accounts or not 0 <= sequence < accounts[worker].events:
        return False
    if line != sample.line(worker, sequence):
        return False
    accounts[worker].enter(sequence)
    return True


def _files(log: Path) -> list[Path]:
    backups = list_backups(log.parent, log.name, "lumberjack")
    return [*(Path(backup.path) for backup in reversed(backups)), log]


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        if path.suffix == ".zst":
            stream = zstandard.ZstdDecompressor().stream_reader(
                file, read_across_frames=True
            )
            yield from io.BufferedReader(stream, 2**20)
        else:
            yield from file
