"""Programs that fork in every way there is, and write to one log on both sides.

Usage: forks.py SCENE FOLDER. The log is FOLDER/audit.log, the ledger FOLDER/ledger.
"""

import ctypes
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import cast

from ledger import Ledger

from auditring import LogWriter

# A child that hangs is killed by its alarm, and shows it by its exit status.
CHILD_LIMIT_S = 30
LINES = 500
# Streams of the children of one process begin above those of its threads.
FIRST_CHILD = 100

FOLDER = Path(sys.argv[2])
LOG = FOLDER / "audit.log"
ledger = Ledger(FOLDER / "ledger")


def run_child(work: Callable[[], None]) -> int:
    """Fork, do *work* in the child and end it at once; return its pid."""
    pid = os.fork()
    if pid == 0:
        end_after(work)
    return pid


def end_after(work: Callable[[], None]) -> None:
    """Do *work* and end the process without Python's own end."""
    signal.alarm(CHILD_LIMIT_S)
    status = 1
    try:
        work()
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def join(pids: list[int]) -> None:
    """Wait for children, each of which must end well."""
    for pid in pids:
        _, status = os.waitpid(pid, 0)
        assert status == 0, f"child {pid} ended with status {status}"


@contextmanager
def writing_threads(log: LogWriter, count: int) -> Iterator[None]:
    """Let threads write, each its stream, until the block ends."""
    threads = [
        threading.Thread(target=ledger.write_until_stopped, args=(log, stream))
        for stream in range(count)
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ledger.must_stop = True
        for thread in threads:
            thread.join()


# The scenes.


def fork() -> None:
    """Parent, children and grandchildren write at the same time."""
    with LogWriter(LOG, ring_bytes=65_536, compress="gzip", max_bytes=200_000) as log:
        for first in range(FIRST_CHILD, FIRST_CHILD + 40, 4):
            ledger.write(log, 0, LINES)

            def work(first: int = first) -> None:
                ledger.write(log, first, LINES)
                grandchild = run_child(lambda: ledger.write(log, first + 1, LINES))
                ledger.write(log, first, LINES)
                join([grandchild])

            pids = [run_child(work), run_child(lambda: None)]
            ledger.write(log, 0, LINES)
            join(pids)


def fork_before_the_first_write() -> None:
    """The parent opens the log and leaves writing to its children."""
    with LogWriter(LOG) as log:
        join(
            [
                run_child(lambda stream=stream: ledger.write(log, stream, LINES))
                for stream in range(4)
            ]
        )


def fork_and_die() -> None:
    """The parent is gone before the child writes, and nobody closes anything."""
    log = LogWriter(LOG)
    ledger.write(log, 0, LINES)
    reader, writer = os.pipe()
    child = run_child(lambda: write_when_orphaned(log, os.getppid(), reader, writer))
    ledger.write(log, 0, LINES)
    print(child)
    sys.stdout.flush()
    os._exit(0)


def write_when_orphaned(log: LogWriter, parent: int, reader: int, writer: int) -> None:
    # The pipe has no writer any more as soon as the parent is dead.
    os.close(writer)
    assert os.read(reader, 1) == b""
    ledger.write(log, 1, LINES)
    log.close()


def fork_in_a_thread() -> None:
    """A thread forks again and again while eight others write."""
    # CPython warns, rightly: these threads are the program's own.
    warnings.filterwarnings("ignore", "This process", DeprecationWarning)
    with LogWriter(LOG, ring_bytes=65_536) as log, writing_threads(log, 8):

        def fork_often() -> None:
            for stream in range(FIRST_CHILD, FIRST_CHILD + 60):
                join([run_child(lambda stream=stream: ledger.write(log, stream, 20))])

        thread = threading.Thread(target=fork_often)
        thread.start()
        thread.join()


def fork_in_c() -> None:
    """A library forks behind Python's back."""
    libc_fork = ctypes.CDLL(None).fork
    with LogWriter(LOG) as log:
        for stream in range(FIRST_CHILD, FIRST_CHILD + 20):
            ledger.write(log, 0, 100)
            pid = libc_fork()
            if pid == 0:
                end_after(lambda stream=stream: ledger.write(log, stream, 100))
            ledger.write(log, 0, 100)
            join([pid])


def fork_without_a_warning() -> None:
    """Forks while a writer, its thread and its mill are there; -W error is on."""
    with LogWriter(LOG, compress="gzip", max_bytes=100_000) as log:
        for stream in range(FIRST_CHILD, FIRST_CHILD + 20):
            ledger.write(log, 0, LINES)
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                pid = run_child(lambda stream=stream: ledger.write(log, stream, 100))
            join([pid])
            assert not caught, caught[0].message


def daemon() -> None:
    """Become a daemon as the book says, and go on with the writer from before."""
    log = LogWriter(LOG)
    ledger.write(log, 0, LINES)
    if os.fork() > 0:
        wait_for(lambda: ledger.must_stop)
        # As daemonizers do: the first process goes without Python's own end.
        os._exit(0)
    os.setsid()
    if os.fork() > 0:
        os._exit(0)
    signal.alarm(CHILD_LIMIT_S)
    os.chdir("/")
    os.closerange(0, 1024)
    for _ in range(3):
        os.open(os.devnull, os.O_RDWR)
    ledger.write(log, 1, LINES)
    log.close()
    ledger.must_stop = True


def wait_for(is_reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + CHILD_LIMIT_S
    while not is_reached():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def subprocesses() -> None:
    """Start programs in every way while threads write; none inherits our files."""
    warnings.filterwarnings("ignore", "This process", DeprecationWarning)
    listing = ["ls", "-l", "/proc/self/fd"]
    with LogWriter(LOG) as log, writing_threads(log, 4):
        for _ in range(3):
            opened = subprocess.check_output(listing, close_fds=False, text=True)
            assert "audit.log" not in opened, opened
            subprocess.run(["true"], check=True)
            subprocess.run(["true"], check=True, preexec_fn=os.getpid)
            assert os.system("true") == 0
            pid = os.posix_spawnp("true", ["true"], os.environ)
            join([pid])


# multiprocessing: children that inherit the writer, or open one of their own.

_inherited: LogWriter | None = None


def write_in_child(stream: int) -> int:
    """Write through the writer at hand; one that is opened here stays open."""
    global _inherited
    if _inherited is None:
        _inherited = LogWriter(LOG)
    ledger.write(_inherited, stream, LINES)
    return stream


def use_processes(context: BaseContext) -> None:
    target = write_in_child
    processes = [
        cast(multiprocessing.Process, context.Process(target=target, args=(stream,)))
        for stream in range(FIRST_CHILD, FIRST_CHILD + 3)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(CHILD_LIMIT_S)
        assert process.exitcode == 0, process.exitcode


def use_pool(context: BaseContext) -> None:
    streams = range(2 * FIRST_CHILD, 2 * FIRST_CHILD + 9)
    with context.Pool(3) as pool:
        result = pool.map_async(write_in_child, streams, chunksize=1)
        assert result.get(CHILD_LIMIT_S) == list(streams)
        pool.close()
        pool.join()


def use_terminated_pool(context: BaseContext) -> None:
    streams = range(3 * FIRST_CHILD, 3 * FIRST_CHILD + 9)
    with context.Pool(3) as pool:
        pool.map_async(write_in_child, streams, chunksize=1).get(CHILD_LIMIT_S)


def multiprocessing_fork() -> None:
    """The children inherit the writer."""
    global _inherited
    context = multiprocessing.get_context("fork")
    with LogWriter(LOG) as _inherited:
        ledger.write(_inherited, 0, LINES)
        use_processes(context)
        use_pool(context)
        use_terminated_pool(context)
        ledger.write(_inherited, 0, LINES)


def multiprocessing_fork_after_closing() -> None:
    """The parent's writer is closed: each child opens the log for itself."""
    with LogWriter(LOG) as log:
        ledger.write(log, 0, LINES)
    use_processes(multiprocessing.get_context("fork"))
    use_pool(multiprocessing.get_context("fork"))


def multiprocessing_forkserver() -> None:
    """The children are forked from a server that opened nothing."""
    use_processes(multiprocessing.get_context("forkserver"))
    use_pool(multiprocessing.get_context("forkserver"))


def multiprocessing_spawn() -> None:
    """The children begin anew."""
    use_processes(multiprocessing.get_context("spawn"))
    use_pool(multiprocessing.get_context("spawn"))


SCENES: dict[str, Callable[[], None]] = {
    scene.__name__: scene
    for scene in (
        fork,
        fork_before_the_first_write,
        fork_and_die,
        fork_in_a_thread,
        fork_in_c,
        fork_without_a_warning,
        daemon,
        subprocesses,
        multiprocessing_fork,
        multiprocessing_fork_after_closing,
        multiprocessing_forkserver,
        multiprocessing_spawn,
    )
}

if __name__ == "__main__":
    SCENES[sys.argv[1]]()
