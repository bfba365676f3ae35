"""LogWriter, doing what its rivals do."""

import threading
import time
from collections import Counter
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from limits.do_nothing import Nothing
from lines import account_of_counts, account_of_cycle, cycled, mark_lines
from pacing import latency_figures, paced_latencies_ns
from rounds import Run

from auditring import LogWriter

__all__ = [
    "open_logs",
    "write_at_a_pace",
    "write_events",
    "write_from_threads",
    "write_lines",
    "written_files",
]


def write_lines(
    folder: Path, lines: Sequence[bytes], count: int, max_bytes: int
) -> Run:
    path = folder / "audit.log"
    with LogWriter(path, max_bytes=max_bytes) as log:
        write = log.write
        start = time.perf_counter()
        for line in cycled(lines, count):
            write(line)
        log.flush()
        seconds = time.perf_counter() - start
    return Run(count, seconds, account_of_cycle(written_files(path), lines, count))


def write_events(
    folder: Path,
    events: Sequence[dict[str, Any]],
    lines: Sequence[bytes],
    count: int,
    max_bytes: int,
) -> Run:
    """Write *events*; *lines* are what they look like in the file."""
    path = folder / "audit.log"
    with LogWriter(path, max_bytes=max_bytes) as log:
        write_json = log.write_json
        start = time.perf_counter()
        for event in islice(cycle(events), count):
            write_json(event)
        log.flush()
        seconds = time.perf_counter() - start
    return Run(count, seconds, account_of_cycle(written_files(path), lines, count))


def write_from_threads(
    folder: Path, lines: Sequence[bytes], count: int, max_bytes: int, thread_count: int
) -> Run:
    """Share *count* lines out to threads, each with audit IDs of its own."""
    path = folder / "audit.log"
    lines_of_threads = [mark_lines(lines, mark) for mark in range(thread_count)]
    each_count = count // thread_count
    with LogWriter(path, max_bytes=max_bytes) as log:
        ready = threading.Barrier(thread_count + 1)
        threads = [
            threading.Thread(target=_write_all, args=(log, own, each_count, ready))
            for own in lines_of_threads
        ]
        for thread in threads:
            thread.start()
        start = time.perf_counter()
        ready.wait()
        for thread in threads:
            thread.join()
        log.flush()
        seconds = time.perf_counter() - start
    expected: Counter[bytes] = Counter()
    for own in lines_of_threads:
        expected.update(cycled(own, each_count))
    account = account_of_counts(written_files(path), expected)
    return Run(each_count * thread_count, seconds, account)


def write_at_a_pace(
    folder: Path, lines: Sequence[bytes], count: int, max_bytes: int, lines_per_s: int
) -> tuple[Run, Run]:
    """Write while rotation and gzip run, a do-nothing call between any two writes.

    Returns what the writes took, and what the calls that do nothing took beside them.
    """
    path = folder / "audit.log"
    with LogWriter(path, max_bytes=max_bytes, compress="gzip") as log:
        calls = [log.write, Nothing.write]
        start = time.perf_counter()
        written, nothing = paced_latencies_ns(calls, lines, count, lines_per_s)
        log.flush()
        seconds = time.perf_counter() - start
    files = written_files(path)
    account = account_of_cycle(files, lines, count)
    compressed_count = sum(file.suffix == ".gz" for file in files)
    figures = latency_figures(written)
    figures |= {"backups": len(files) - 1, "compressed": compressed_count}
    beside = Run(count, seconds, figures=latency_figures(nothing))
    return Run(count, seconds, account, figures), beside


def open_logs(paths: Sequence[Path]) -> Run:
    """Open and close a log at each of *paths*; only the opening is timed."""
    times_ns = []
    for path in paths:
        before = time.perf_counter_ns()
        log = LogWriter(path)
        times_ns.append(time.perf_counter_ns() - before)
        log.close()
    return Run(len(paths), sum(times_ns) / 1e9, figures=latency_figures(times_ns))


def written_files(path: Path) -> list[Path]:
    """Return the backups, whose names sort by time, and the live file."""
    backups = path.parent.glob(f"{path.stem}-*")
    return [*sorted(backups, key=lambda file: file.name.removesuffix(".gz")), path]


def _write_all(
    log: LogWriter, lines: Sequence[bytes], count: int, ready: threading.Barrier
) -> None:
    write = log.write
    ready.wait()
    for line in cycled(lines, count):
        write(line)
