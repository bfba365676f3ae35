"""The oracle: tells whether a log holds what its writers were acknowledged.

It reads the live file and the backups, compressed ones too, with nothing of the package
under test. Gap events are no lines of a stream; they are returned as they are.
"""

import gzip
import io
import itertools
import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, cast

import lz4.frame
import zstandard
from stream import parse_line

__all__ = [
    "Finding",
    "Reading",
    "judge",
    "log_files",
    "open_log_file",
    "parse_gap",
    "read_file",
    "read_log",
]

_TIME = r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}"
_SUFFIX = r"(\.gz|\.zst|\.lz4)?"
_READ_BYTES = 2**20


@dataclass(slots=True)
class Reading:
    """What the files of a log hold, in their order.

    Attributes:
        streams: By stream, the numbers as they follow each other, each unbroken run of
            them as one range.
        gaps: The gap events.
        torn: Lines that are neither: cut, mixed, or nobody's. At most a hundred.
        torn_count: How many there are.
        lines: Lines of streams.
        files: What was read.
    """

    streams: dict[int, list[range]] = field(default_factory=dict)
    gaps: list[dict[str, Any]] = field(default_factory=list)
    torn: list[bytes] = field(default_factory=list)
    torn_count: int = 0
    lines: int = 0
    files: list[Path] = field(default_factory=list)

    def enter(self, line: bytes) -> None:
        """Take note of one line, in the order of the log."""
        origin = parse_line(line)
        if origin is None:
            self._enter_other(line)
            return
        stream, number = origin
        runs = self.streams.setdefault(stream, [])
        if runs and runs[-1].stop == number:
            runs[-1] = range(runs[-1].start, number + 1)
        else:
            runs.append(range(number, number + 1))
        self.lines += 1

    def _enter_other(self, line: bytes) -> None:
        gap = parse_gap(line)
        if gap is not None:
            self.gaps.append(gap)
            return
        self.torn_count += 1
        if len(self.torn) < 100:
            self.torn.append(line)

    def gap_notes(self) -> list[dict[str, str]]:
        """Return what the gap events say."""
        return [gap["annotations"] for gap in self.gaps]

    def gap_reasons(self) -> set[str]:
        """Return what the gap events say that happened."""
        return {note["auditring.io/reason"] for note in self.gap_notes()}

    def gap_sum(self, reason: str, what: str) -> int:
        """Return the "count" or "bytes" that all gap events with *reason* tell of."""
        return sum(
            int(note[f"auditring.io/{what}"])
            for note in self.gap_notes()
            if note["auditring.io/reason"] == reason
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What is wrong with a log; all zeros is a good one.

    Attributes:
        lost: Acknowledged, and not in the log.
        duplicated: More than once in the log, counted without the first.
        torn: Lines that nobody wrote like that.
        disordered: Places where a number follows a higher one of its stream.
        invented: In the log, and not even attempted.
        examples: Some of what was found, in words.
    """

    lost: int = 0
    duplicated: int = 0
    torn: int = 0
    disordered: int = 0
    invented: int = 0
    examples: tuple[str, ...] = ()

    @property
    def is_good(self) -> bool:
        """Whether nothing is wrong."""
        return self == Finding()


def read_log(path: Path, dialect: str = "lumberjack") -> Reading:
    """Read the backups of the log at *path*, the oldest first, and the live file."""
    reading = Reading()
    for file in log_files(path, dialect):
        read_file(reading, file)
    return reading


def read_file(reading: Reading, file: Path) -> None:
    """Add what one file holds."""
    reading.files.append(file)
    with open_log_file(file) as lines:
        for line in lines:
            reading.enter(line)


def log_files(path: Path, dialect: str = "lumberjack") -> list[Path]:
    """Return the backups in the order they were written, then the live file."""
    stem, name = re.escape(path.stem), re.escape(path.name)
    by_index = dialect == "stdlib"
    grammar = re.compile(
        rf"{name}\.(\d+){_SUFFIX}"
        if by_index
        else rf"{stem}-({_TIME}){re.escape(path.suffix)}{_SUFFIX}"
    )
    found = [(grammar.fullmatch(file.name), file) for file in path.parent.iterdir()]
    backups = [(match[1], file) for match, file in found if match is not None]
    if by_index:
        backups.sort(key=lambda backup: -int(backup[0]))
    else:
        backups.sort()
    live = [path] if path.exists() else []
    return [*(file for _, file in backups), *live]


def judge(
    reading: Reading,
    acknowledged: Mapping[int, int],
    *,
    unacknowledged_limit: int = 1,
    retained_only: bool = False,
    is_ordered: bool = True,
) -> Finding:
    """Compare what was read with the counts of acknowledged lines by stream.

    Args:
        reading: What the log holds.
        acknowledged: By stream.
        unacknowledged_limit: Lines a stream may hold beyond: a writer that was killed
            may have been in the middle of one.
        retained_only: Retention took old backups away: what is there of a stream must
            reach to its end, and of a stream nothing may be there.
        is_ordered: The lines of a stream come in their order.
    """
    found: Counter[str] = Counter(torn=reading.torn_count)
    examples = [f"torn: {line[:200]!r}" for line in reading.torn[:3]]
    for stream in sorted(acknowledged.keys() | reading.streams.keys()):
        count = acknowledged.get(stream, 0)
        runs = reading.streams.get(stream, [])
        limit = count + unacknowledged_limit
        faults = _judge_stream(runs, count, limit, retained_only)
        if not is_ordered:
            faults["disordered"] = 0
        if faults.total() and len(examples) < 20:
            shown = ", ".join(f"{run.start}..{run.stop - 1}" for run in runs[:20])
            examples.append(f"stream {stream}, {count} acknowledged: {shown}")
        found += faults
    return Finding(**found, examples=tuple(examples))


def _judge_stream(
    runs: list[range], count: int, limit: int, retained_only: bool
) -> Counter[str]:
    if not runs:
        return Counter(lost=0 if retained_only else count)
    first = min(run.start for run in runs) if retained_only else 0
    present = sum(len(run) for run in runs)
    distinct = _distinct(runs, limit)
    within = _distinct(runs, count)
    beyond = sum(max(0, run.stop - max(run.start, limit)) for run in runs)
    followed = itertools.pairwise(runs)
    return Counter(
        lost=max(0, count - first) - within,
        duplicated=present - beyond - distinct,
        disordered=sum(after.start < before.stop for before, after in followed),
        invented=beyond,
    )


def _distinct(runs: list[range], limit: int) -> int:
    """Count the different numbers below *limit*."""
    count = end = 0
    for run in sorted(runs, key=lambda run: run.start):
        start, stop = max(run.start, end), min(run.stop, limit)
        count += max(0, stop - start)
        end = max(end, stop)
    return count


def parse_gap(line: bytes) -> dict[str, Any] | None:
    if not line.endswith(b"\n"):
        return None
    try:
        event = json.loads(line)
    except ValueError:
        return None
    if not isinstance(event, dict) or event.get("verb") != "gap":
        return None
    return event


def open_log_file(file: Path) -> IO[bytes]:
    """Open a file of the log for reading lines, unpacked."""
    if file.suffix == ".gz":
        return cast(IO[bytes], gzip.open(file))
    if file.suffix == ".lz4":
        return cast(IO[bytes], lz4.frame.open(file))
    if file.suffix == ".zst":
        source = zstandard.ZstdDecompressor().stream_reader(
            file.open("rb"), read_across_frames=True, closefd=True
        )
        return io.BufferedReader(cast(io.RawIOBase, source), _READ_BYTES)
    return file.open("rb", _READ_BYTES)
