"""A follower against a model of the log, over random sequences of what happens to it.

The script is run whenever the follower has nothing to read, and after each chunk that
it returns: so things happen while a file is open, half read, or many rotations behind.
"""

import contextlib
import gzip
import os
import shutil
import tempfile
from pathlib import Path
from typing import Literal

import lz4.frame
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from auditring.follow.follower import Follower

PACK = {
    ".gz": gzip.compress,
    ".zst": lambda data: zstandard.ZstdCompressor().compress(data),
    ".lz4": lz4.frame.compress,
}
# Of all files, the live one included.
FILES_MAX = 6

Dialect = Literal["lumberjack", "stdlib"]


class LogModel:
    """A log as files on the disk, and as lists of lines in memory.

    Attributes:
        written: Every whole line that was ever written, in order.
        lost: Those that were destroyed before the follower returned them. It may have
            them all the same, if it holds the file open.
        returned: What the follower returned.
    """

    def __init__(self, directory: Path, dialect: Dialect) -> None:
        self.live = directory / "app.log"
        self.written: list[bytes] = []
        self.lost: set[bytes] = set()
        self.returned: list[bytes] = []
        self._dialect = dialect
        # The oldest first; the live file's lines stand in `live_lines`.
        self._backups: list[tuple[str, list[bytes]]] = []
        self._live_lines: list[bytes] = []
        self._half = b""
        # Something was written after the newest backup, whatever became of it.
        self._is_behind_backups = False
        self._time_ms = 0

    # What happens to a log.

    def write(self, count: int) -> None:
        """Write whole lines; the first one completes a half."""
        for _ in range(count):
            line = b"line %d of the log" % len(self.written)
            self._append(line[len(self._half) :] + b"\n")
            self._half = b""
            self.written.append(line + b"\n")
            self._live_lines.append(line + b"\n")

    def write_half(self, size: int) -> None:
        """Write the beginning of a line."""
        if not self._half and self.live.exists():
            self._half = (b"line %d of the log" % len(self.written))[:size]
            self._append(self._half)

    def write_late(self, count: int) -> None:
        """Write to the newest backup, as a recovery does before anybody writes more."""
        if self._backups and not self._is_behind_backups:
            name, lines = self._backups[-1]
            if not name.endswith((*PACK,)):
                new = [
                    b"line %d of the log\n" % (len(self.written) + i)
                    for i in range(count)
                ]
                with self._path(name).open("ab") as file:
                    file.write(b"".join(new))
                lines += new
                self.written += new

    def rotate(self, _: int) -> None:
        """Rename the live file, and don't make another one yet."""
        self._complete()
        if self.live.exists() and len(self._backups) < FILES_MAX:
            os.rename(self.live, self._path(self._next_name()))
            self._add_backup()

    def create(self, _: int) -> None:
        """Make the live file, should there be none."""
        self.live.touch()

    def compress(self, index: int) -> None:
        """Compress a backup, as the mill does."""
        suffix = [*PACK][index % len(PACK)]
        plain = [name for name, _ in self._backups if not name.endswith((*PACK,))]
        if plain:
            path = self._path(plain[index % len(plain)])
            temp = path.with_name(f".{path.name}{suffix}.tmp")
            temp.write_bytes(PACK[suffix](path.read_bytes()))
            shutil.copystat(path, temp)
            os.rename(temp, path.with_name(path.name + suffix))
            path.unlink()
            self._rename(path.name, path.name + suffix)

    def remove_oldest(self, _: int) -> None:
        """Remove a backup, as retention does."""
        if self._backups:
            name, lines = self._backups.pop(0)
            self._path(name).unlink()
            self._lose(lines)

    def remove_live(self, _: int) -> None:
        """Remove the live file, as somebody by mistake does."""
        if self.live.exists():
            self._complete()
            self.live.unlink()
            self._lose(self._live_lines)
            self._live_lines = []

    def copytruncate(self, _: int) -> None:
        """Copy the live file to a backup and truncate it, as logrotate can.

        A follower that has the file open and read nothing of it yet can't notice.
        """
        self._complete()
        if self.live.exists() and len(self._backups) < FILES_MAX:
            if not set(self._live_lines) & set(self.returned):
                self._lose(self._live_lines)
            shutil.copy(self.live, self._path(self._next_name()))
            os.truncate(self.live, 0)
            self._add_backup()

    def truncate(self, _: int) -> None:
        """Truncate the live file, with all that is in it."""
        if self.live.exists():
            self._complete()
            os.truncate(self.live, 0)
            self._lose(self._live_lines)
            self._live_lines = []

    # Names.

    def _next_name(self) -> str:
        """Return the name of the next backup; numbered ones make room for it."""
        if self._dialect == "lumberjack":
            self._time_ms += 1
            return f"app-2026-11-22T01-02-03.{self._time_ms:03d}.log"
        for name, _ in list(self._backups):
            number, _, suffix = name.removeprefix("app.log.").partition(".")
            shifted = f"app.log.{int(number) + 1}" + (f".{suffix}" if suffix else "")
            os.rename(self._path(name), self._path(shifted))
            self._rename(name, shifted)
        return "app.log.1"

    def _rename(self, old: str, new: str) -> None:
        self._backups = [
            (new if name == old else name, lines) for name, lines in self._backups
        ]

    def _add_backup(self) -> None:
        if self._dialect == "lumberjack":
            name = f"app-2026-11-22T01-02-03.{self._time_ms:03d}.log"
        else:
            name = "app.log.1"
        self._backups.append((name, self._live_lines))
        self._live_lines = []
        self._is_behind_backups = False

    def _path(self, name: str) -> Path:
        return self.live.with_name(name)

    # Lines.

    def _append(self, data: bytes) -> None:
        self._is_behind_backups = True
        with self.live.open("ab") as file:
            file.write(data)

    def _complete(self) -> None:
        if self._half:
            self.write(1)

    def _lose(self, lines: list[bytes]) -> None:
        self.lost |= set(lines) - set(self.returned)


Step = tuple[str, int]
HAPPENINGS = st.one_of(
    st.tuples(st.just("write"), st.integers(1, 5)),
    st.tuples(st.just("write"), st.integers(100, 300)),
    st.tuples(st.just("write_half"), st.integers(1, 6)),
    st.tuples(st.just("write_late"), st.integers(1, 3)),
    st.tuples(
        st.sampled_from(
            ["rotate", "create", "remove_oldest", "remove_live", "copytruncate"]
        ),
        st.just(0),
    ),
    st.tuples(st.sampled_from(["rotate", "create", "read", "restart"]), st.just(0)),
    st.tuples(st.just("truncate"), st.just(0)),
    st.tuples(st.just("compress"), st.integers(0, 6)),
    st.tuples(st.just("read"), st.just(0)),
)


class Play:
    """Runs a script in turns with a follower that is restarted now and then."""

    def __init__(self, log: LogModel, script: list[Step]) -> None:
        self._log = log
        self._script = iter(script)
        self._is_over = False

    def run(self) -> None:
        """Run all of it, then let a last follower read what is left."""
        cursor: str | None = None
        while not self._is_over:
            cursor = self._read(cursor, wait=True)
        self._read(cursor, wait=False)

    def _read(self, cursor: str | None, *, wait: bool) -> str:
        follower = Follower(self._log.live, cursor, wait=wait, pause=self._turn)
        with contextlib.closing(follower.chunks()) as chunks:
            for chunk, _ in chunks:
                self._log.returned += chunk.splitlines(keepends=True)
                if wait and not self._turn(0):
                    break
        return follower.cursor.to_json()

    def _turn(self, _: float) -> bool:
        """Let things happen until the follower is to read, or to be restarted."""
        for name, argument in self._script:
            if name in ("read", "restart"):
                return name == "read"
            getattr(self._log, name)(argument)
        self._is_over = True
        return False


@pytest.mark.parametrize("dialect", ["lumberjack", "stdlib"])
@settings(max_examples=300, deadline=None)
@given(script=st.lists(HAPPENINGS, max_size=60))
def test_every_line_that_was_not_destroyed_is_returned_once_and_in_order(
    dialect: Dialect, script: list[Step]
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        log = LogModel(Path(directory), dialect)

        Play(log, script).run()

    numbers = {line: number for number, line in enumerate(log.written)}
    returned = [numbers[line] for line in log.returned]
    assert returned == sorted(set(returned))
    assert set(log.written) - set(log.returned) <= log.lost
