"""Calls of a logger with the usual text format, by what takes them."""

import logging
import logging.handlers
import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from lines import Account, read_lines
from logfiles import numbered_files
from loggers import logger_of
from pacing import latency_figures, paced_latencies_ns
from rivals.rotating_file_handler import compress
from rounds import Run

from auditring.handlers import RotatingFileHandler
from auditring.handlers.install import FastLogger

__all__ = [
    "log_at_a_pace",
    "log_at_a_pace_with_recipe",
    "log_from_threads",
    "log_through_fast_logger",
    "log_to_nobody",
    "log_to_nobody_at_a_pace",
    "log_to_our_handler",
    "log_to_rotating_file_handler",
]

MESSAGE = "request %s took %d ms"
LINE = re.compile(
    rb"[0-9-]{10} [0-9:]{8},[0-9]{3} INFO app\.views request abc took ([0-9]+) ms\n"
)
# More than a run makes, so that none is deleted before it is counted.
BACKUP_COUNT = 100_000


def log_to_nobody(count: int) -> Run:
    """Log to a NullHandler: what a logger costs by itself."""
    logger = logger_of(logging.NullHandler())
    seconds, cpu_ns = _timed_calls(logger, count)
    return Run(count, seconds, figures={"cpu_ns": cpu_ns})


def log_to_rotating_file_handler(folder: Path, count: int, max_bytes: int) -> Run:
    path = folder / "app.log"
    handler = logging.handlers.RotatingFileHandler(
        path, maxBytes=max_bytes, backupCount=BACKUP_COUNT
    )
    return _run(logger_of(handler), handler, path, count)


def log_to_our_handler(folder: Path, count: int, max_bytes: int) -> Run:
    handler, path = _our_handler(folder, max_bytes)
    return _run(logger_of(handler), handler, path, count)


def log_through_fast_logger(folder: Path, count: int, max_bytes: int) -> Run:
    """Log as after `auditring.handlers.install()`."""
    handler, path = _our_handler(folder, max_bytes)
    return _run(logger_of(handler, FastLogger), handler, path, count)


def log_from_threads(
    folder: Path, count: int, max_bytes: int, thread_count: int
) -> Run:
    """Share *count* calls out to threads."""
    handler, path = _our_handler(folder, max_bytes)
    logger = logger_of(handler)
    ready = threading.Barrier(thread_count + 1)
    each = count // thread_count
    threads = [
        threading.Thread(target=_call_when_ready, args=(logger, each, ready))
        for _ in range(thread_count)
    ]
    for thread in threads:
        thread.start()
    start = time.perf_counter()
    ready.wait()
    for thread in threads:
        thread.join()
    handler.flush()
    seconds = time.perf_counter() - start
    handler.close()
    done = each * thread_count
    return Run(done, seconds, _account(path, done, thread_count))


def log_to_nobody_at_a_pace(count: int, calls_per_s: int) -> Run:
    """Time single calls that reach a NullHandler, no log open."""
    call = _one_call(logger_of(logging.NullHandler()), iter(range(count)))
    start = time.perf_counter()
    (latencies,) = paced_latencies_ns([call], [b""], count, calls_per_s)
    seconds = time.perf_counter() - start
    return Run(count, seconds, figures=latency_figures(latencies))


def log_at_a_pace(folder: Path, count: int, max_bytes: int, calls_per_s: int) -> Run:
    """Time single calls while files rotate and gzip runs."""
    handler, path = _our_handler(folder, max_bytes, compress="gzip")
    return _paced_run(logger_of(handler), handler, path, count, calls_per_s)


def log_at_a_pace_with_recipe(
    folder: Path, count: int, max_bytes: int, calls_per_s: int
) -> Run:
    """Do the same with the standard library's recipe for compression."""
    path = folder / "app.log"
    handler = logging.handlers.RotatingFileHandler(
        path, maxBytes=max_bytes, backupCount=BACKUP_COUNT
    )
    handler.namer = lambda name: f"{name}.gz"
    handler.rotator = compress
    return _paced_run(logger_of(handler), handler, path, count, calls_per_s)


def _our_handler(
    folder: Path, max_bytes: int, **options: str
) -> tuple[RotatingFileHandler, Path]:
    path = folder / "app.log"
    handler = RotatingFileHandler(
        path,
        maxBytes=max_bytes,
        backupCount=BACKUP_COUNT,
        **options,  # type: ignore[arg-type]
    )
    return handler, path


def _timed_calls(logger: logging.Logger, count: int) -> tuple[float, float]:
    """Return the seconds that all calls took, and this thread's CPU time of one."""
    info = logger.info
    cpu_start, start = time.thread_time_ns(), time.perf_counter()
    for number in range(count):
        info(MESSAGE, "abc", number)
    seconds = time.perf_counter() - start
    return seconds, (time.thread_time_ns() - cpu_start) / count


def _run(
    logger: logging.Logger, handler: logging.Handler, path: Path, count: int
) -> Run:
    start = time.perf_counter()
    _, cpu_ns = _timed_calls(logger, count)
    handler.flush()
    seconds = time.perf_counter() - start
    handler.close()
    return Run(count, seconds, _account(path, count), {"cpu_ns": cpu_ns})


def _call_when_ready(
    logger: logging.Logger, count: int, ready: threading.Barrier
) -> None:
    ready.wait()
    _timed_calls(logger, count)


def _paced_run(
    logger: logging.Logger,
    handler: logging.Handler,
    path: Path,
    count: int,
    calls_per_s: int,
) -> Run:
    call = _one_call(logger, iter(range(count)))
    start = time.perf_counter()
    (latencies,) = paced_latencies_ns([call], [b""], count, calls_per_s)
    handler.flush()
    seconds = time.perf_counter() - start
    handler.close()
    return Run(count, seconds, _account(path, count), latency_figures(latencies))


def _one_call(
    logger: logging.Logger, numbers: Iterator[int]
) -> Callable[[bytes], object]:
    info, number = logger.info, numbers.__next__
    return lambda _: info(MESSAGE, "abc", number())


def _account(path: Path, count: int, thread_count: int = 1) -> Account:
    """Compare the numbers in the files with those that every thread logged."""
    numbers = [_number_of(line) for line in read_lines(numbered_files(path))]
    each = count // thread_count
    found = [0] * each
    foreign = 0
    for number in numbers:
        if 0 <= number < each:
            found[number] += 1
        else:
            foreign += 1
    return Account(
        lost=sum(max(0, thread_count - times) for times in found),
        duplicated=sum(max(0, times - thread_count) for times in found),
        foreign=foreign,
        in_order=numbers == sorted(numbers) if thread_count == 1 else None,
    )


def _number_of(line: bytes) -> int:
    """Return the number that a line was logged with, -1 for another line."""
    match = LINE.fullmatch(line)
    return int(match[1]) if match else -1
