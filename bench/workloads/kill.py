"""SIGKILL while one thread logs at full speed: what was accepted and isn't there?"""

import mmap
import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from lines import Account
from messages import MESSAGE, account_of_messages
from registry import CONTENDERS, contender_class, side_of
from rivals.contender import Contender, Place
from stand import Measured, Stand
from workloads.workload import Workload

__all__ = ["WORKLOADS"]

POLL_S = 0.001
# More than anybody accepts in the time that is given.
LINES_MAX = 5_000_000
READY_LINE = b"2026-11-22 01:02:03,004 INFO app.views request p0 took %d ms\n"


class Kill(Workload):
    """A line counts as accepted when the call has returned. One may be on its way."""

    name = "kill"
    line_bytes = 0
    title = "SIGKILL while one thread logs; lost is what was accepted and isn't there"

    def contenders(self) -> list[str]:
        return [name for name in CONTENDERS if side_of(name) != "limit"]

    def count(self, stand: Stand, contender: str) -> int:
        return 0

    def run(self, stand: Stand, contender: str) -> Measured:
        place = Place(
            folder=stand.logs,
            max_bytes=stand.parameters.max_bytes,
            has_layout=True,
        )
        accepted = mmap.mmap(-1, mmap.PAGESIZE)
        context = multiprocessing.get_context("fork")
        process = context.Process(target=_log, args=(contender, place, accepted))
        process.start()
        assert process.pid is not None
        while not _number(accepted) and process.is_alive():
            time.sleep(POLL_S)
        start = time.perf_counter()
        time.sleep(stand.parameters.killed_after_s)
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        seconds = time.perf_counter() - start
        count = _number(accepted)
        contender_class(contender).recover(place)
        _note(stand).write_text(str(count))
        return Measured(count, seconds, {"accepted": count})

    def account(self, stand: Stand, contender: str) -> Account | None:
        note = _note(stand)
        if not note.exists():
            return None
        count = int(note.read_text())
        files = contender_class(contender).files(stand.logs)
        return account_of_messages(files, {0: count}, in_flight=1)


def _note(stand: Stand) -> Path:
    return stand.logs / "accepted"


def _number(accepted: mmap.mmap) -> int:
    with memoryview(accepted) as view, view.cast("q") as numbers:
        number: int = numbers[0]
    return number


def _log(contender: str, place: Place, accepted: mmap.mmap) -> None:
    writer = contender_class(contender)()
    writer.open(place)
    emit = _emitter(writer)
    # Not struct.pack_into: it writes zeros first, and the kill may come in between.
    numbers = memoryview(accepted).cast("q")
    for number in range(LINES_MAX):
        emit(number)
        numbers[0] = number + 1


def _emitter(writer: Contender) -> Callable[[int], object]:
    if "text" in writer.forms:
        emit_text = writer.emit_text
        return lambda number: emit_text(MESSAGE, 0, number)
    emit_bytes = writer.emit_bytes
    return lambda number: emit_bytes(READY_LINE % number)


WORKLOADS = [Kill()]
