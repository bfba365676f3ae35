"""W6: four processes write into one file that is rotated."""

import multiprocessing
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier

from lines import Account, account_of_producers, cycled, load_lines, mark_lines
from registry import CONTENDERS, contender_class, side_of
from rivals.contender import Place
from stand import Measured, Stand
from workloads.workload import Workload

__all__ = ["WORKLOADS", "SharedFile"]


class SharedFile(Workload):
    """Each process opens the log for itself, after the fork, as workers do."""

    def __init__(self, name: str, processes: int, only: Sequence[str] = ()) -> None:
        self.name = name
        self._only = only
        self.title = f"{processes} processes, one file of ready 1 KB lines, rotating"
        self.processes = processes

    def contenders(self) -> list[str]:
        return [
            name
            for name in CONTENDERS
            if "bytes" in contender_class(name).forms
            and side_of(name) != "limit"
            and (not self._only or name in self._only)
        ]

    def count(self, stand: Stand, contender: str) -> int:
        parameters = stand.parameters
        is_slow = contender_class(contender).is_slow
        total = parameters.slow_count if is_slow else parameters.fast_count
        return total // self.processes * self.processes

    def run(self, stand: Stand, contender: str) -> Measured:
        count = self.count(stand, contender)
        place = Place(folder=stand.logs, max_bytes=stand.parameters.shared_max_bytes)
        context = multiprocessing.get_context("fork")
        ready = context.Barrier(self.processes)
        ends, processes = [], []
        for number in range(self.processes):
            end, other = context.Pipe(duplex=False)
            each = count // self.processes
            arguments = (contender, place, number, each, ready, other)
            process = context.Process(target=_write, args=arguments)
            process.start()
            other.close()
            ends.append(end)
            processes.append(process)
        # A process that died sends nothing: EOFError tells of it.
        times = [end.recv() for end in ends]
        for process in processes:
            process.join()
        first, last = min(start for start, _ in times), max(end for _, end in times)
        return Measured(
            count, last - first, {"ns_a_line": (last - first) / count * 1e9}
        )

    def account(self, stand: Stand, contender: str) -> Account | None:
        kind = contender_class(contender)
        cycles = [mark_lines(load_lines(), each) for each in range(self.processes)]
        each = self.count(stand, contender) // self.processes
        files = kind.files(stand.logs)
        found = account_of_producers(files, cycles, each, kind.start)
        # Of several processes only the lines are promised, not where each one stands.
        return Account(found.lost, found.duplicated, found.foreign, in_order=None)


def _write(
    contender: str,
    place: Place,
    number: int,
    count: int,
    ready: Barrier,
    end: Connection,
) -> None:
    writer = contender_class(contender)()
    writer.open(place)
    emit = writer.emit_bytes
    lines = mark_lines(load_lines(), number)
    ready.wait()
    # One clock for all processes: CLOCK_MONOTONIC.
    start = time.perf_counter()
    for line in cycled(lines, count):
        emit(line)
    writer.drain()
    end.send((start, time.perf_counter()))
    writer.close()


WORKLOADS = [SharedFile("W6_4_processes", 4)]
