"""The ledger: what was acknowledged, in a file that outlives those who write to it.

A count is stored after `write` has returned, so a writer that is killed may have
written one line more than its ledger says, never one less.
"""

import mmap
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from stream import make_line

if TYPE_CHECKING:
    from auditring import LogWriter

__all__ = ["Ledger"]

_WORD_BYTES = 8
_STREAMS = 65_536
_STOP, _LEADER, _FIRST_STREAM = 0, 1, 2


class Ledger:
    """Counts of acknowledged lines by stream, and a word or two for their writers.

    Each count belongs to the one thread that writes the stream.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Map the ledger at *path*, made first if it isn't there."""
        size = _WORD_BYTES * (_FIRST_STREAM + _STREAMS)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            os.ftruncate(fd, size)
            self._memory = mmap.mmap(fd, size)
        finally:
            os.close(fd)
        self.path = Path(path)
        self._words = memoryview(self._memory).cast("Q")

    def __getitem__(self, stream: int) -> int:
        return self._words[_FIRST_STREAM + stream]

    def __setitem__(self, stream: int, count: int) -> None:
        self._words[_FIRST_STREAM + stream] = count

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Yield stream and count of every stream that anything was acknowledged of."""
        counts = self._words[_FIRST_STREAM:].tolist()
        return ((stream, count) for stream, count in enumerate(counts) if count)

    @property
    def total(self) -> int:
        """Acknowledged lines of all streams."""
        return sum(self._words[_FIRST_STREAM:].tolist())

    @property
    def must_stop(self) -> bool:
        """Whether the writers were asked to end."""
        return self._words[_STOP] != 0

    @must_stop.setter
    def must_stop(self, value: bool) -> None:
        self._words[_STOP] = value

    @property
    def leader(self) -> int:
        """The process that last said that it leads; 0 if none did."""
        return self._words[_LEADER]

    def look_who_leads(self, log: "LogWriter") -> None:
        """Let a writer enter itself as the leader, if it is."""
        if log.stats().leads:
            self._words[_LEADER] = os.getpid()

    def write(self, log: "LogWriter", stream: int, count: int) -> None:
        """Write the next *count* lines of *stream* and acknowledge each."""
        begin = self[stream]
        for number in range(begin, begin + count):
            log.write(make_line(stream, number))
            self[stream] = number + 1

    def write_until_stopped(
        self, log: "LogWriter", stream: int, pace_s: float = 0.0
    ) -> None:
        """Write lines of *stream* until somebody sets `must_stop`.

        Between some hundred of them it waits *pace_s*.
        """
        while not self.must_stop:
            self.write(log, stream, 256)
            self.look_who_leads(log)
            if pace_s:
                time.sleep(pace_s)
