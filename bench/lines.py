"""The lines that the benchmarks write, and the account of those that came to a file.

A line is bytes with its final newline. A cycle is lines written over and over in order.
"""

import gzip
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import IO, TypeVar

__all__ = [
    "LINES_FILE",
    "Account",
    "account_of_counts",
    "account_of_cycle",
    "account_of_producers",
    "cycled",
    "load_lines",
    "mark_lines",
    "read_lines",
    "sized_lines",
]

LINES_FILE = Path(__file__).parent / "data" / "kube-audit-1k.jsonl"
CHUNK_BYTES = 1024 * 1024

# What unpacking raises when somebody else wrote into a file, or it ends too soon.
DAMAGE = (OSError, EOFError, zlib.error, zipfile.BadZipFile)
DAMAGED = b"(this file is damaged)\n"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Account:
    """How what is in the files differs from what was written.

    `foreign` counts lines that nobody wrote, such as halves and gap events;
    `in_order` is None where the order wasn't looked at.
    """

    lost: int
    duplicated: int
    foreign: int
    in_order: bool | None

    @property
    def is_exact(self) -> bool:
        is_complete = self.lost == self.duplicated == self.foreign == 0
        return is_complete and self.in_order is not False


def load_lines() -> list[bytes]:
    return LINES_FILE.read_bytes().splitlines(keepends=True)


def sized_lines(size_bytes: int, count: int = 20) -> list[bytes]:
    """Return different lines of JSON, each of *size_bytes* with its newline."""
    starts = [b'{"auditID":"%08x","n":"%d' % (0, number) for number in range(count)]
    end = b'"}\n'
    return [start + b"x" * (size_bytes - len(start + end)) + end for start in starts]


def cycled(items: Iterable[T], count: int) -> Iterator[T]:
    return islice(cycle(items), count)


def mark_lines(lines: Iterable[bytes], mark: int) -> list[bytes]:
    """Give *lines* an audit ID that starts with *mark*, their lengths unchanged."""
    key = b'"auditID":"'
    marked = []
    for line in lines:
        start = line.index(key) + len(key)
        marked.append(line[:start] + b"%08x" % mark + line[start + 8 :])
    return marked


def account_of_cycle(
    files: Iterable[Path], lines: Sequence[bytes], count: int
) -> Account:
    """Compare *files*, in the order they were written, with a cycle of *lines*."""
    files = list(files)
    if _hold_cycle(files, lines, count):
        return Account(lost=0, duplicated=0, foreign=0, in_order=True)
    account = account_of_counts(files, Counter(cycled(lines, count)))
    return Account(account.lost, account.duplicated, account.foreign, in_order=False)


def account_of_producers(
    files: Iterable[Path],
    cycles: Sequence[Sequence[bytes]],
    count: int,
    start: bytes = b"",
) -> Account:
    """Compare *files* with cycles of several producers, *count* lines of each.

    No line may belong to two producers (`mark_lines`); lines of different ones may
    come in any order. *start* is a regular expression for what stands before each.
    """
    files = list(files)
    if len(cycles) == 1 and not start:
        return account_of_cycle(files, cycles[0], count)
    expected = Counter(line for cycle in cycles for line in cycled(cycle, count))
    places = {
        line: (producer, turn, len(lines))
        for producer, lines in enumerate(cycles)
        for turn, line in enumerate(lines)
    }
    next_turns = [0] * len(cycles)
    found: Counter[bytes] = Counter()
    in_order = True
    for line in _without_start(read_lines(files), start):
        found[line] += 1
        if line in places:
            producer, turn, turns = places[line]
            in_order &= turn == next_turns[producer]
            next_turns[producer] = (turn + 1) % turns
    account = _account_of(found, expected)
    return Account(account.lost, account.duplicated, account.foreign, in_order)


def account_of_counts(files: Iterable[Path], expected: Counter[bytes]) -> Account:
    """Compare how often each line is in *files* with how often it was written."""
    return _account_of(Counter(read_lines(files)), expected)


def _account_of(found: Counter[bytes], expected: Counter[bytes]) -> Account:
    more, less = found - expected, expected - found
    foreign = sum(n for line, n in more.items() if line not in expected)
    return Account(
        lost=less.total(),
        duplicated=more.total() - foreign,
        foreign=foreign,
        in_order=None,
    )


def read_lines(files: Iterable[Path]) -> Iterator[bytes]:
    """Yield the lines of *files*, compressed ones too.

    A file that can't be read to its end has what comes until then, and `DAMAGED`.
    """
    for path in files:
        try:
            with _open_file(path) as file:
                yield from file
        except DAMAGE:
            yield DAMAGED


def _without_start(lines: Iterable[bytes], start: bytes) -> Iterator[bytes]:
    pattern = re.compile(start)
    for line in lines:
        match = pattern.match(line)
        # A line that doesn't begin so is kept as it is, and nobody wrote it.
        yield line[match.end() :] if match else line


def _open_file(path: Path) -> IO[bytes] | gzip.GzipFile:
    if path.suffix == ".gz":
        return gzip.open(path)
    # pyfastlogging makes an archive of each backup, whatever its name.
    if zipfile.is_zipfile(path):
        archive = zipfile.ZipFile(path)
        return archive.open(archive.namelist()[0])
    return path.open("rb")


def _hold_cycle(files: Iterable[Path], lines: Sequence[bytes], count: int) -> bool:
    """Tell whether *files* hold exactly *count* lines of the cycle, each file whole."""
    once = b"".join(lines)
    # A chunk holds whole turns of the cycle, so all chunks of a file start alike.
    chunk_bytes = len(once) * (CHUNK_BYTES // len(once) + 1)
    repeated = once * (chunk_bytes // len(once) + 1)
    position = 0
    for path in files:
        start = position % len(once)
        expected = repeated[start : start + chunk_bytes]
        chunk = b"\n"
        try:
            with _open_file(path) as file:
                while following := file.read(chunk_bytes):
                    chunk = following
                    if chunk != expected[: len(chunk)]:
                        return False
                    position += len(chunk)
        except DAMAGE:
            return False
        if not chunk.endswith(b"\n"):
            return False
    return position == sum(map(len, cycled(lines, count)))
