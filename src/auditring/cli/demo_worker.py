"""One worker process of the demo: ``python -m auditring.cli.demo_worker TASK``.

Each line a worker writes is a real event under an auditID of its own: a version 8 UUID
that begins with the number of the worker and ends with the count of lines it wrote
before. So whoever reads an auditID can make its line again, and compare. What the
worker was acknowledged stands in memory that outlives it.
"""

import gzip
import itertools
import json
import mmap
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Final, Self

from ..log.writer import LogWriter

__all__ = ["COMPRESS", "MAX_BYTES", "Oracle", "Sample", "Task", "open_log"]

MAX_BYTES = 20 * 2**20
COMPRESS: Final = "zstd"


def open_log(path: str | os.PathLike[str]) -> LogWriter:
    """Open the log as every process of the demo does."""
    return LogWriter(path, max_bytes=MAX_BYTES, compress=COMPRESS)


class Sample:
    """Real events, each split around its auditID."""

    MARK = b'"auditID":"'
    ID_SIZE = 36

    def __init__(self, lines: Sequence[bytes]) -> None:
        self.templates = tuple(self._split(line) for line in lines)
        self.mean_bytes = sum(map(len, lines)) / len(lines)

    @classmethod
    def load(cls) -> Self:
        """Read the sample that comes with the package."""
        data = resources.files(__package__) / "data" / "kube-audit-sample.jsonl.gz"
        return cls(gzip.decompress(data.read_bytes()).splitlines(keepends=True))

    @classmethod
    def _split(cls, line: bytes) -> tuple[bytes, bytes]:
        start = line.index(cls.MARK) + len(cls.MARK)
        return line[:start], line[start + cls.ID_SIZE :]

    @staticmethod
    def id_prefix(worker: int) -> bytes:
        """Make all of an auditID but its last field, the sequence."""
        return b"%08x-0000-8000-8000-" % worker

    def line(self, worker: int, sequence: int) -> bytes:
        """Make the line that *worker* writes after *sequence* others."""
        head, tail = self.templates[sequence % len(self.templates)]
        return b"%b%b%012x%b" % (head, self.id_prefix(worker), sequence, tail)

    @classmethod
    def origin(cls, line: bytes) -> tuple[int, int]:
        """Tell worker and sequence of a line; ValueError when it names none."""
        start = line.index(cls.MARK) + len(cls.MARK)
        audit_id = line[start : start + cls.ID_SIZE]
        return int(audit_id[:8], 16), int(audit_id[-12:], 16)


class Oracle:
    """What one worker did, in memory shared with the process that started it.

    64-bit words, all written by the worker alone. An event is acknowledged when
    write() has returned: then the time the call took is stored, and after that the
    count. READY, BEGAN_NS and ENDED_NS are 0 until they happen.
    """

    READY, BEGAN_NS, ENDED_NS, ACKNOWLEDGED, LATENCIES_NS = range(5)

    def __init__(self, fd: int, events: int) -> None:
        self.fd = fd
        self.events = events
        self._memory = mmap.mmap(fd, 8 * (self.LATENCIES_NS + events))
        self.words = memoryview(self._memory).cast("Q")

    @classmethod
    def create(cls, events: int) -> Self:
        """Make the memory for a worker of so many events; it has no name."""
        fd = os.memfd_create("auditring-demo")
        os.ftruncate(fd, 8 * (cls.LATENCIES_NS + events))
        return cls(fd, events)

    @property
    def acknowledged(self) -> int:
        """How many events write() returned for."""
        return self.words[self.ACKNOWLEDGED]

    def latencies_ns(self) -> list[int]:
        """How long each acknowledged call took, two readings of the clock included."""
        return self.words[self.LATENCIES_NS :][: self.acknowledged].tolist()

    def close(self) -> None:
        """Give the memory back."""
        self.words.release()
        self._memory.close()
        os.close(self.fd)


@dataclass(frozen=True, slots=True)
class Task:
    """What one worker is to do; it travels as JSON in the worker's arguments."""

    worker: int
    log: str
    events: int
    oracle_fd: int


def _work(task: Task) -> None:
    """Write the events of *task*, from the first byte of standard input on.

    The log is closed at the end of standard input, so that no worker outlives the demo.
    """
    oracle = Oracle(task.oracle_fd, task.events)
    with open_log(task.log) as log:
        oracle.words[Oracle.READY] = 1
        if sys.stdin.buffer.read(1):
            _write_events(log, Sample.load(), task, oracle.words)
            sys.stdin.buffer.read()


def _write_events(
    log: LogWriter, sample: Sample, task: Task, words: "memoryview[int]"
) -> None:
    prefix = sample.id_prefix(task.worker)
    heads = itertools.cycle([(head + prefix, tail) for head, tail in sample.templates])
    clock = time.perf_counter_ns
    words[Oracle.BEGAN_NS] = clock()
    for sequence, (head, tail) in zip(range(task.events), heads, strict=False):
        line = b"%b%012x%b" % (head, sequence, tail)
        called = clock()
        log.write(line)
        words[Oracle.LATENCIES_NS + sequence] = clock() - called
        words[Oracle.ACKNOWLEDGED] = sequence + 1
    log.flush()
    words[Oracle.ENDED_NS] = clock()


if __name__ == "__main__":
    _work(Task(**json.loads(sys.argv[1])))
