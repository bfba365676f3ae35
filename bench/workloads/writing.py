"""Writing as fast as it goes: text, events or ready lines, from so many threads."""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from itertools import cycle, islice
from typing import TypeVar

import orjson
from limits import programs
from lines import (
    Account,
    account_of_producers,
    cycled,
    load_lines,
    mark_lines,
    sized_lines,
)
from messages import account_of_messages, emit_messages
from registry import CONTENDERS, contender_class
from rivals.contender import Contender, Form, Place
from stand import Measured, Stand
from workloads.workload import Workload

T = TypeVar("T")

__all__ = ["MEMORY_COPY", "WRITE_LOOP", "Writing", "encoded_events"]

WRITE_LOOP = "C write(2) loop"
MEMORY_COPY = "memcpy"
MIB = 1024 * 1024
EVENT_BYTES = 1024
TEXT_BYTES = 72
LINES_MIN = 2000


class Writing(Workload):
    """All contenders that take lines of a form write so many of them."""

    def __init__(
        self,
        name: str,
        title: str,
        form: Form,
        *,
        threads: int = 1,
        limits: Sequence[str] = (),
        only: Sequence[str] = (),
        line_bytes: int | None = None,
        ring_bytes: int = 8 * MIB,
    ) -> None:
        """Name the workload.

        Args:
            name: As the catalogue has it.
            title: What is done.
            form: What is written.
            threads: How many write.
            limits: See `Workload`.
            only: Contenders; none for all that take the form.
            line_bytes: Size of a ready line; None for real events of about 1 KB.
            ring_bytes: Of those who have a ring.
        """
        self.name = name
        self.title = title
        self.threads = threads
        self.limits = limits
        self.unit = "events" if form == "dict" else "lines"
        self.line_bytes = TEXT_BYTES if form == "text" else line_bytes or EVENT_BYTES
        self._form: Form = form
        self._only = only
        self._size = line_bytes
        self._ring_bytes = ring_bytes
        # The programs have one thread.
        is_single = form != "text" and threads == 1
        self._programs = [WRITE_LOOP, MEMORY_COPY] if is_single else []

    def contenders(self) -> list[str]:
        named = [
            name for name in CONTENDERS if self._form in contender_class(name).forms
        ]
        every = [*named, *self._programs]
        return [name for name in every if not self._only or name in self._only]

    def count(self, stand: Stand, contender: str) -> int:
        is_slow = contender in CONTENDERS and contender_class(contender).is_slow
        parameters = stand.parameters
        total = parameters.slow_count if is_slow else parameters.fast_count
        if self._size is not None:
            # As many bytes as usual lines would be, but not a line for each of them.
            usual = total * EVENT_BYTES // self._size
            total = min(2 * total, max(LINES_MIN, usual))
        return total // self.threads * self.threads

    def run(self, stand: Stand, contender: str) -> Measured:
        count, max_bytes = self.count(stand, contender), stand.parameters.max_bytes
        if contender == WRITE_LOOP:
            lines = self._lines(0)
            seconds = programs.loop_lines(
                stand.programs, stand.logs, lines, count, max_bytes
            )
        elif contender == MEMORY_COPY:
            lines = self._lines(0)
            seconds = programs.copy_lines(stand.programs, stand.logs, lines, count)
        else:
            place = Place(
                folder=stand.logs,
                max_bytes=max_bytes,
                has_layout=self._form == "text",
                ring_bytes=self._ring_bytes,
            )
            writer = contender_class(contender)()
            writer.open(place)
            works = [self._work(writer, each) for each in range(self.threads)]
            seconds = _timed(writer, works, count // self.threads)
            writer.close()
        return Measured(count, seconds, {"ns_a_line": seconds / count * 1e9})

    def account(self, stand: Stand, contender: str) -> Account | None:
        if contender == MEMORY_COPY:
            return None
        each = self.count(stand, contender) // self.threads
        if contender == WRITE_LOOP:
            files = programs.loop_files(stand.logs)
            return account_of_producers(files, [self._lines(0)], each)
        kind = contender_class(contender)
        files = kind.files(stand.logs)
        if not files and contender in ("NullHandler", "orjson.dumps", "C call"):
            return None
        if self._form == "text":
            return account_of_messages(files, dict.fromkeys(range(self.threads), each))
        cycles = [self._lines(producer) for producer in range(self.threads)]
        return account_of_producers(files, cycles, each, kind.start)

    def _lines(self, producer: int) -> list[bytes]:
        """Return the lines of a producer as they come to the file."""
        usual = load_lines() if self._size is None else sized_lines(self._size)
        lines = mark_lines(usual, producer)
        return encoded_events(lines) if self._form == "dict" else lines

    def _work(self, writer: Contender, producer: int) -> Callable[[int], None]:
        """Return what one thread does, given how often."""
        if self._form == "text":
            emit_text = writer.emit_text
            return lambda count: emit_messages(emit_text, producer, count)
        lines = self._lines(producer)
        if self._form == "bytes":
            emit_bytes = writer.emit_bytes
            return lambda count: _emit_all(emit_bytes, cycled(lines, count))
        events = [orjson.loads(line) for line in lines]
        emit_dict = writer.emit_dict
        return lambda count: _emit_all(emit_dict, islice(cycle(events), count))


def encoded_events(lines: list[bytes]) -> list[bytes]:
    """Return the lines that the events of *lines* become when orjson writes them."""
    return [orjson.dumps(orjson.loads(line)) + b"\n" for line in lines]


def _emit_all(emit: Callable[[T], object], items: Iterable[T]) -> None:
    for item in items:
        emit(item)


def _timed(writer: Contender, works: list[Callable[[int], None]], count: int) -> float:
    """Return the seconds from the first call to the end of the drain."""
    if len(works) == 1:
        start = time.perf_counter()
        works[0](count)
        writer.drain()
        return time.perf_counter() - start
    ready = threading.Barrier(len(works) + 1)
    errors: list[Exception] = []

    def work_when_ready(work: Callable[[int], None]) -> None:
        ready.wait()
        try:
            work(count)
        except Exception as error:
            errors.append(error)

    threads = [
        threading.Thread(target=work_when_ready, args=(work,), daemon=True)
        for work in works
    ]
    for thread in threads:
        thread.start()
    start = time.perf_counter()
    ready.wait()
    for thread in threads:
        thread.join()
    writer.drain()
    seconds = time.perf_counter() - start
    if errors:
        raise errors[0]
    return seconds
