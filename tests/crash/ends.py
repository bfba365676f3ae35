"""Programs that end in every way there is, in the middle of writing.

Usage: ends.py WAY LOG LEDGER. Four threads write; the main thread writes, too, and then
ends the process, which must not wait for anybody.
"""

import ctypes
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable

from ledger import Ledger

from auditring import LogWriter
from auditring.errors import ClosedError

LINES = 500
THREADS = 4
EXECS = 10

_, WAY, LOG, LEDGER = sys.argv[:4]
ledger = Ledger(LEDGER)


def write_on(log: LogWriter, stream: int) -> None:
    """Write until the log is closed by the end of the process."""
    try:
        ledger.write_until_stopped(log, stream)
    except ClosedError:
        return


# The ways.


def leave() -> None:
    """Raise SystemExit."""
    sys.exit(0)


def leave_at_once() -> None:
    """Skip everything that Python does in the end."""
    os._exit(0)


def fail() -> None:
    """Raise what nobody catches."""
    raise LookupError("on purpose")


def terminate() -> None:
    """Die of SIGTERM."""
    os.kill(os.getpid(), signal.SIGTERM)


def abort() -> None:
    """Die of SIGABRT."""
    os.abort()


def crash() -> None:
    """Die of SIGSEGV."""
    ctypes.string_at(0)


def fall_asleep() -> None:
    """Die of SIGALRM."""
    signal.alarm(1)
    signal.pause()


def become_another() -> None:
    """Become this program anew, some times, with the same pid; then leave."""
    count = int(sys.argv[4]) if len(sys.argv) > 4 else 0
    if count < EXECS:
        os.execv(sys.executable, [sys.executable, *sys.argv[:4], str(count + 1)])


WAYS: dict[str, Callable[[], None]] = {
    way.__name__: way
    for way in (
        leave,
        leave_at_once,
        fail,
        terminate,
        abort,
        crash,
        fall_asleep,
        become_another,
    )
}


def main() -> None:
    """Write, and end."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # A later incarnation of the process goes on with the next streams.
    first = 10 * int(sys.argv[4]) if len(sys.argv) > 4 else 0
    log = LogWriter(LOG, ring_bytes=65_536, max_bytes=1024**2)
    for stream in range(first + 1, first + 1 + THREADS):
        threading.Thread(target=write_on, args=(log, stream), daemon=True).start()
    ledger.write(log, first, LINES)
    WAYS[WAY]()


if __name__ == "__main__":
    main()
