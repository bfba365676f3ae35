"""A storm on sidecars: one process writes and rotates, another prints and is ended.

Usage: sidecar_storm.py [OPTIONS AS JSON], the fields of `SidecarStormOptions`. Prints
the outcome as JSON; exits with 1 if what was printed isn't what was written.

Each sidecar prints to a file of its own, or to a pipe that somebody reads into one, and
begins with the cursor that the one before left. Ended by SIGTERM, their files one
behind the other are the log, byte by byte.
Ended by SIGKILL, each begins no further than where the one before ended, and not more
than 1 MiB before that.
"""

import contextlib
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Literal

from oracle import Reading, log_files, read_file
from puppet import wait_until
from stream import make_line

from auditring import LogWriter

__all__ = ["SidecarStormOptions"]

SUFFIXES = (".gz", ".zst", ".lz4")
REPEATED_MAX_BYTES = 2**20
LIMIT_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SidecarStormOptions:
    """How hard it blows.

    Attributes:
        ending: The signal that ends each sidecar but the last.
        restarts: How often one is ended.
        rotations: How often the log rotates at least, spread over the restarts.
        max_bytes: Size of a file of the log.
        compress: None for none.
        dialect: Of the backups' names.
        registered: The log keeps few backups, and those that are not read yet: the
            sidecars are one registered follower, and have no file for their cursor.
        output: What sidecars print to. The reader of a pipe outlives its sidecar.
        delay_max_s: How long a sidecar may print at most before it is ended.
        seed: Of what is random; None takes another one each time.
    """

    ending: Literal["SIGTERM", "SIGKILL"] = "SIGTERM"
    restarts: int = 20
    rotations: int = 100
    max_bytes: int = 100_000
    compress: Literal["gzip", "zstd", "lz4"] | None = "gzip"
    dialect: Literal["lumberjack", "stdlib"] = "lumberjack"
    registered: bool = False
    output: Literal["file", "pipe"] = "file"
    delay_max_s: float = 0.3
    seed: int | None = None


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What came of it.

    Attributes:
        lines: Written and printed.
        size_bytes: Their size.
        files: That the log has at the end.
        compressed: Those of them that are compressed.
        endings: Sidecars that a signal ended.
        repeated_bytes: What was printed again, all together.
        repeated_max_bytes: What was printed again after one ending at most.
        torn: Sidecars that left half a line.
        problem: What is wrong, "" if nothing is.
    """

    lines: int = 0
    size_bytes: int = 0
    files: int = 0
    compressed: int = 0
    endings: int = 0
    repeated_bytes: int = 0
    repeated_max_bytes: int = 0
    torn: int = 0
    problem: str = ""


class SidecarStorm:
    """Writes, prints and ends, then compares."""

    def __init__(self, directory: Path, options: SidecarStormOptions) -> None:
        self._log = directory / "audit.log"
        self._state_dir = directory / ".audit.log.ring"
        self._cursor = directory / "cursor"
        self._outputs = directory / "outputs"
        self._outputs.mkdir()
        self._options = options
        self._random = random.Random(options.seed)
        self._outcome = Outcome()

    def blow(self) -> Outcome:
        """Do all of it."""
        with self._writing() as writer:
            if self._options.registered:
                wait_until(self._state_dir.is_dir, "the log is opened")
                self._run_to_the_end("first")
            for number in range(self._options.restarts):
                share = self._options.rotations * (number + 1) // self._options.restarts
                _order(writer, share)
                self._run_until_ended(f"{number:06}")
            self._outcome.lines = _end_writer(writer)
        self._run_to_the_end("last")
        files = log_files(self._log, self._options.dialect)
        self._outcome.files = len(files)
        self._outcome.compressed = sum(file.suffix in SUFFIXES for file in files)
        self._compare(files)
        return self._outcome

    def _writing(self) -> AbstractContextManager["subprocess.Popen[bytes]"]:
        options = {
            "max_bytes": self._options.max_bytes,
            "max_backups": 3 if self._options.registered else 100_000,
            "compress": self._options.compress,
            "dialect": self._options.dialect,
        }
        command = [sys.executable, __file__, "write", self._log, json.dumps(options)]
        return _running(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    # Sidecars.

    @contextlib.contextmanager
    def _printing(
        self, name: str, *arguments: str
    ) -> Iterator["subprocess.Popen[bytes]"]:
        command = [sys.executable, "-m", "auditring", "sidecar", self._log]
        if self._options.registered:
            command += ["--register", "storm"]
        else:
            command += ["--cursor", self._cursor]
        command += ["--from-start", *arguments]
        with (self._outputs / name).open("xb") as output:
            if self._options.output == "file":
                with _running(command, stdout=output) as process:
                    yield process
                return
            with (
                _running(["cat"], stdin=subprocess.PIPE, stdout=output) as reader,
                _running(command, stdout=reader.stdin) as process,
            ):
                assert reader.stdin is not None
                reader.stdin.close()  # the sidecar has the only one left
                yield process
                reader.wait(LIMIT_S)

    def _run_until_ended(self, name: str) -> None:
        ending = signal.Signals[self._options.ending]
        with self._printing(name) as process:
            # Some are ended before they come to anything.
            if self._random.random() < 0.9:
                output = self._outputs / name
                wait_until(lambda: self._is_begun(output), "something is printed")
                time.sleep(self._random.uniform(0, self._options.delay_max_s))
            process.send_signal(ending)
            status = process.wait(LIMIT_S)
        if status not in (0, -ending):
            raise RuntimeError(f"a sidecar ended by itself: status {status}")
        self._outcome.endings += 1

    def _is_begun(self, output: Path) -> bool:
        # There may be nothing to print any more.
        return output.stat().st_size > 0 or self._random.random() < 0.005

    def _run_to_the_end(self, name: str) -> None:
        with self._printing(name, "--stop-at-end") as process:
            status = process.wait(LIMIT_S)
        if status != 0:
            raise RuntimeError(f"the {name} sidecar failed: status {status}")

    # What is right.

    def _compare(self, files: list[Path]) -> None:
        outcome = self._outcome
        reading = Reading()
        for file in files:
            read_file(reading, file)
        if not self._is_as_written(reading):
            outcome.problem = f"the log is not what was written: {reading.streams}"
            return
        expected = b"".join(make_line(0, number) for number in range(outcome.lines))
        outcome.size_bytes = len(expected)
        # By number, then the last one; the first printed nothing.
        printed = [file.read_bytes() for file in sorted(self._outputs.iterdir())]
        if self._options.ending == "SIGTERM":
            if b"".join(printed) != expected:
                outcome.problem = "what was printed is not what was written"
            return
        seen = 0
        for number, data in enumerate(printed):
            seen = self._compare_one(number, data, expected, seen)
        if seen != len(expected):
            outcome.problem += f" {len(expected) - seen} bytes are missing at the end"

    def _is_as_written(self, reading: Reading) -> bool:
        """Tell whether the files hold what was written, as far as it is kept."""
        if reading.torn_count or reading.streams.keys() != {0}:
            return False
        (kept,) = reading.streams[0] if len(reading.streams[0]) == 1 else (range(0),)
        is_all = kept.start == 0 or self._options.registered
        return is_all and kept.stop == self._outcome.lines

    def _compare_one(self, number: int, data: bytes, expected: bytes, seen: int) -> int:
        """Compare what one sidecar printed; return up to where all is printed."""
        outcome = self._outcome
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            outcome.torn += 1
        if not whole:
            return seen
        start = expected.find(data[:whole])
        if start < 0 or not expected.startswith(data, start):
            outcome.problem = f"sidecar {number} printed what was not written"
        elif start > seen:
            outcome.problem = f"{start - seen} bytes are missing before {number}"
        elif seen - start > REPEATED_MAX_BYTES:
            outcome.problem = f"sidecar {number} repeated {seen - start} bytes"
        repeated = min(seen, start + whole) - start
        outcome.repeated_bytes += repeated
        outcome.repeated_max_bytes = max(outcome.repeated_max_bytes, repeated)
        return max(seen, start + whole)


@contextlib.contextmanager
def _running(
    command: Sequence[str | Path], **pipes: int | IO[bytes]
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a process that is killed if it is still there at the end of the block."""
    process = subprocess.Popen(command, bufsize=0, **pipes)  # type: ignore[call-overload]
    with process:
        try:
            yield process
        finally:
            process.kill()


def _order(writer: "subprocess.Popen[bytes]", rotations: int) -> None:
    """Have the writer write on until there were so many rotations."""
    assert writer.stdin is not None
    writer.stdin.write(b"%d\n" % rotations)


def _end_writer(writer: "subprocess.Popen[bytes]") -> int:
    """Let the writer come to its end, and return how many lines it wrote."""
    assert writer.stdin is not None
    assert writer.stdout is not None
    writer.stdin.close()
    return int(writer.stdout.readline())


def write(path: str, options: str) -> None:
    """Be the writer: write on as ordered, and tell how many lines that were."""
    count = 0
    with LogWriter(path, **json.loads(options)) as log:
        for order in map(int, iter(sys.stdin.readline, "")):
            while log.stats().rotations < order:
                for _ in range(20):
                    log.write(make_line(0, count))
                    count += 1
                log.flush()
    print(count)


def main() -> int:
    """Do what the arguments say."""
    if sys.argv[1:2] == ["write"]:
        write(*sys.argv[2:])
        return 0
    options = SidecarStormOptions(**json.loads(sys.argv[1] if sys.argv[1:] else "{}"))
    with tempfile.TemporaryDirectory(prefix="auditring-") as directory:
        outcome = SidecarStorm(Path(directory), options).blow()
    print(json.dumps(asdict(outcome)))
    return 1 if outcome.problem else 0


if __name__ == "__main__":
    sys.exit(main())
