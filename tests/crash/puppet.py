"""A puppet: a process that writes to a log and does on command what harms it.

Usage: puppet.py LOG LEDGER FIRST_STREAM THREADS [OPTIONS AS JSON]. Threads write their
streams until the ledger stops them; the commands "go FIRST_STREAM COUNT PACE_S" and
"rest" start more and wait for all. A command is a line on standard input; a line on
standard output answers it.
"""

import contextlib
import json
import os
import shutil
import sys
import tarfile
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from subprocess import Popen

from ledger import Ledger
from scene import started_scene

# Nothing can be imported in a process whose descriptors are being closed.
import auditring.backups.mill
import auditring.log.stats  # noqa: F401
from auditring import LogWriter

__all__ = ["LIMIT_S", "Puppet", "wait_until"]

LIMIT_S = 20.0


def wait_until(is_reached: Callable[[], bool], what: str) -> None:
    """Wait for a condition, *what* in words.

    Raises:
        AssertionError: It isn't reached within the limit.
    """
    deadline = time.monotonic() + LIMIT_S
    while not is_reached():
        assert time.monotonic() < deadline, f"not within {LIMIT_S} s: {what}"
        time.sleep(0.002)


class Puppet:
    """The strings to pull on, for a test."""

    def __init__(self, process: Popen[str], ledger: Ledger, streams: range) -> None:
        self.pid = process.pid
        self._process = process
        self._ledger = ledger
        self._streams = streams

    @classmethod
    @contextlib.contextmanager
    def started(
        cls,
        log: str | os.PathLike[str],
        ledger: Ledger,
        first_stream: int,
        *,
        threads: int = 1,
        **options: int | str | None,
    ) -> Iterator["Puppet"]:
        """Start a puppet; it is killed at the end if it wasn't told to stop."""
        arguments = (str(first_stream), str(threads), json.dumps(options))
        with started_scene("puppet.py", log, ledger.path, *arguments) as process:
            puppet = cls(process, ledger, range(first_stream, first_stream + threads))
            assert puppet._answer() == "ready"
            yield puppet

    def do(self, *words: str | os.PathLike[str]) -> str:
        """Give a command and return its answer."""
        assert self._process.stdin is not None
        print(*words, file=self._process.stdin, flush=True)
        return self._answer()

    def stat(self, name: str) -> int:
        """Return one of the counters of `LogWriter.stats`."""
        return int(self.do("stat", name))

    @property
    def written(self) -> int:
        """Lines acknowledged so far."""
        return sum(self._ledger[stream] for stream in self._streams)

    def wait_for_lines(self, count: int = 200) -> None:
        """Wait until so many more lines were acknowledged."""
        wanted = self.written + count
        wait_until(lambda: self.written >= wanted, f"puppet {self.pid} writes on")

    def stop(self) -> None:
        """Have it close its log and end, once the ledger stops all writers."""
        assert self._ledger.must_stop
        out, err = self._process.communicate("stop\n", timeout=LIMIT_S)
        assert (self._process.returncode, err) == (0, ""), out + err

    def _answer(self) -> str:
        assert self._process.stdout is not None
        answer = self._process.stdout.readline().rstrip("\n")
        if not answer:
            _, err = self._process.communicate(timeout=LIMIT_S)
            raise AssertionError(f"puppet {self.pid} ended:\n{err}")
        return answer


# The process itself.


def copy(log: LogWriter) -> str:
    """Copy the directory of the log, which drops all record locks of the process."""
    # Not the files that grow while they are copied: that could take for ever.
    growing = shutil.ignore_patterns("audit*.log")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as target:
        shutil.copytree(log.path.parent, target, ignore=growing, dirs_exist_ok=True)
    return "copied"


def archive(log: LogWriter) -> str:
    """Put the directory of the log into an archive, with the same effect."""
    with tempfile.TemporaryFile() as file, tarfile.open(fileobj=file, mode="w") as tar:
        tar.add(log.path.parent / f".{log.path.name}.ring")
    return "archived"


def close_all(log: LogWriter) -> str:
    """Close every descriptor but the standard ones, as daemons do."""
    os.closerange(3, 4096)
    return "closed"


def reuse_all(log: LogWriter) -> str:
    """Close every descriptor and open files under the same numbers; look after them."""
    os.closerange(3, 4096)
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(tempfile.TemporaryFile()) for _ in range(40)]
        if not log.flush(LIMIT_S):
            return "stuck"
        sizes = [os.fstat(file.fileno()).st_size for file in files]
    return "wrote to them" if any(sizes) else "left them alone"


def close_each(log: LogWriter) -> str:
    """Close every descriptor of the log, one by one; the log gets over each."""
    closed = set()
    while left := own_descriptors(log) - closed:
        name, fd = left.pop()
        closed |= {(name, fd)}
        os.close(fd)
        if not log.flush(LIMIT_S):
            return f"stuck without {name}"
    return f"closed {len(closed)}"


def own_descriptors(log: LogWriter) -> set[tuple[str, int]]:
    """Return what this process has open of the log, by name and number."""
    found = set()
    for fd in map(int, os.listdir("/proc/self/fd")):
        try:
            target = os.readlink(f"/proc/self/fd/{fd}")
        except OSError:
            continue
        if target.startswith(str(log.path.parent)):
            found.add((os.path.basename(target), fd))
    return found


def flush(log: LogWriter) -> str:
    """Wait until everything is in the file."""
    return str(log.flush(LIMIT_S))


def rotate(log: LogWriter) -> str:
    """Make the live file a backup."""
    log.rotate()
    return "rotated"


COMMANDS = {
    command.__name__: command
    for command in (copy, archive, close_all, close_each, reuse_all, flush, rotate)
}


class Writers:
    """The threads that write."""

    def __init__(self, log: LogWriter, ledger: Ledger) -> None:
        self._log = log
        self._ledger = ledger
        self._threads: list[threading.Thread] = []

    def start(self, first_stream: int, count: int, pace_s: float) -> None:
        """Start as many, a stream each."""
        for stream in range(first_stream, first_stream + count):
            thread = threading.Thread(
                target=self._ledger.write_until_stopped,
                args=(self._log, stream, pace_s),
            )
            thread.start()
            self._threads.append(thread)

    def join(self) -> None:
        """Wait for all of them, once the ledger has stopped them."""
        while self._threads:
            self._threads.pop().join()


def obey(log: LogWriter, writers: Writers) -> None:
    """Follow commands until the end of standard input, or one to stop."""
    for line in sys.stdin:
        word, *arguments = line.split()
        match word:
            case "stop":
                return
            case "stat":
                answer = str(int(getattr(log.stats(), arguments[0])))
            case "go":
                writers.start(int(arguments[0]), int(arguments[1]), float(arguments[2]))
                answer = "gone"
            case "rest":
                writers.join()
                answer = "resting"
            case _:
                answer = COMMANDS[word](log)
        print(answer, flush=True)


def main() -> None:
    """Write and obey."""
    path, ledger_path, first, count, options = sys.argv[1:]
    with LogWriter(path, **json.loads(options)) as log:
        writers = Writers(log, Ledger(ledger_path))
        writers.start(int(first), int(count), 0.0)
        print("ready", flush=True)
        obey(log, writers)
        writers.join()


if __name__ == "__main__":
    main()
