"""The demo: real audit events, several processes, a SIGKILL, and a check of each line.

Here is the story as it appears on the terminal; what a worker process does stands in
demo_worker, the comparison of log and acknowledgements in demo_account.
"""

import errno
import json
import math
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Protocol

from ..errors import AuditringError
from ..files.names import list_backups
from ..log.stats import Stats
from .demo_account import Account, Contents
from .demo_worker import COMPRESS, MAX_BYTES, Oracle, Sample, Task, open_log

__all__ = ["Echo", "run_demo"]

MIB = 2**20
SPARE_BYTES = 100 * MIB  # rings, and backups half compressed
POLL_S = 0.002
TERMINAL_PERIOD_S = 0.1  # how often a line that updates itself does
PLAIN_PERIOD_S = 1.0  # how often a new line comes where none can
STALL_LIMIT_S = 60.0  # workers that acknowledge nothing for so long are given up


class Echo(Protocol):
    """Prints one message, followed by a newline unless *nl* is false."""

    def __call__(self, message: str, *, nl: bool = True) -> object:
        """Print *message*."""


def _print(message: str, *, nl: bool = True) -> None:
    print(message, end="\n" if nl else "", flush=True)


def run_demo(
    directory: str | os.PathLike[str],
    *,
    target_bytes: int = 300 * MIB,
    writers: int = 3,
    kill: bool = True,
    echo: Echo = _print,
) -> bool:
    """Write real events from several processes, kill one, verify every line.

    Args:
        directory: where the log goes; an empty one.
        target_bytes: how much to write, all workers together.
        writers: how many processes write at the same time, at least 1.
        kill: whether SIGKILL ends the process that writes the file in the middle of
            its share, so that a new process has to finish it.
        echo: prints one message; ``nl=False`` asks for no newline after it.

    Returns:
        Whether every acknowledged line is in the log exactly once, whole and in order.

    Raises:
        OSError: the log can't be made in *directory*, or lacks the space.
        AuditringError: a worker failed or all of them stalled.
    """
    _check_space(Path(directory), target_bytes)
    sample = Sample.load()
    log = Path(directory, "audit.log")
    share = max(4, round(target_bytes / sample.mean_bytes / writers))
    _introduce(echo, sample, log, share, writers)

    with ExitStack() as cleanup:
        crew = _Crew(log, share * writers, echo, cleanup)
        crew.run(share, writers, kill)
        stats = _settle(log)
        echo("All have ended. Reading the log again: every line of every file.")
        accounts = {worker.number: worker.account() for worker in crew.workers}
        contents = Contents.read(log, sample, accounts)
        _report(echo, crew, accounts, contents, stats)

    is_good = not contents.foreign and all(
        account.is_good for account in accounts.values()
    )
    echo(
        "Every acknowledged event is in the log exactly once, whole and in order."
        if is_good
        else "FAILED: the log isn't what the workers were told it is."
    )
    return is_good


def _check_space(directory: Path, target_bytes: int) -> None:
    # Without room the workers would wait for it: that is what on_full="block" means.
    if shutil.disk_usage(directory).free < target_bytes + SPARE_BYTES:
        needed = _mebibytes(target_bytes + SPARE_BYTES)
        raise OSError(errno.ENOSPC, f"the demo needs {needed} of space", str(directory))


def _introduce(echo: Echo, sample: Sample, log: Path, share: int, writers: int) -> None:
    events = share * writers
    echo(
        f"{events:,} audit events ({_mebibytes(events * sample.mean_bytes)}):"
        f" {len(sample.templates)} real ones of a kube-apiserver, over and over, each"
        " time under a new auditID."
    )
    echo(
        f"{writers} processes write them to {log}, which rotates at"
        f" {_mebibytes(MAX_BYTES)}; backups are compressed with {COMPRESS}."
    )


class _Worker:
    """One worker process, as the demo sees it."""

    def __init__(self, number: int, log: Path, events: int) -> None:
        self.number = number
        self.was_killed = False
        self.oracle = Oracle.create(events)
        task = Task(number, os.fspath(log), events, self.oracle.fd)
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "auditring.cli.demo_worker",
                json.dumps(asdict(task)),
            ],
            stdin=subprocess.PIPE,
            pass_fds=[self.oracle.fd],
            # Ctrl-C is for the demo, which ends its workers.
            process_group=0,
        )

    @property
    def is_ready(self) -> bool:
        return bool(self.oracle.words[Oracle.READY])

    @property
    def has_ended(self) -> bool:
        return self.was_killed or bool(self.oracle.words[Oracle.ENDED_NS])

    def account(self) -> Account:
        return Account(self.oracle, was_killed=self.was_killed)

    def begin(self) -> None:
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # It has ended: check() tells.
            self._process.stdin.write(b"\n")
            self._process.stdin.flush()

    def check(self) -> None:
        """Raise AuditringError when the process ended though nobody asked it to."""
        status = self._process.poll()
        if status is not None and not self.was_killed:
            raise AuditringError(f"worker {self.number} ended early, status {status}")

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self.was_killed = True

    def end(self) -> None:
        """Let the process close its log and wait for it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(STALL_LIMIT_S)

    def close(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.kill()
        self._process.wait()
        self.oracle.close()


class _Crew:
    """All workers of one run, and the line that shows how far they are."""

    def __init__(self, log: Path, total: int, echo: Echo, cleanup: ExitStack) -> None:
        self.workers: list[_Worker] = []
        self._log = log
        self._echo = echo
        self._cleanup = cleanup
        self._progress = _Progress(echo, total)

    @property
    def acknowledged(self) -> int:
        return sum(worker.oracle.acknowledged for worker in self.workers)

    @property
    def seconds(self) -> float:
        """From the first write() of all until the last line was in the file."""
        began = min(worker.oracle.words[Oracle.BEGAN_NS] for worker in self.workers)
        ended = max(worker.oracle.words[Oracle.ENDED_NS] for worker in self.workers)
        return (ended - began) / 1e9

    def latencies_ns(self) -> list[int]:
        return sorted(
            latency
            for worker in self.workers
            for latency in worker.oracle.latencies_ns()
        )

    def run(self, share: int, writers: int, kill: bool) -> None:
        """Let all workers write their shares, and see them end."""
        # Whoever opens the log first leads: its thread writes the file for all. The
        # one to be killed is given less than its share, so that it can't finish it.
        first = self._start(share * 3 // 4 if kill else share)
        self._wait(lambda: first.is_ready)
        for _ in range(writers - 1):
            self._start(share)
        self._wait(lambda: all(worker.is_ready for worker in self.workers))
        for worker in self.workers:
            worker.begin()
        if kill:
            self._wait(lambda: first.oracle.acknowledged >= share // 2)
            self._replace(first, share)
        self._wait(lambda: all(worker.has_ended for worker in self.workers))
        self._progress.show(self.acknowledged, is_last=True)
        for worker in self.workers:
            worker.end()

    def _start(self, events: int) -> _Worker:
        worker = _Worker(len(self.workers) + 1, self._log, events)
        self._cleanup.callback(worker.close)
        self.workers.append(worker)
        return worker

    def _replace(self, worker: _Worker, share: int) -> None:
        worker.kill()
        done = worker.oracle.acknowledged
        self._progress.break_line()
        self._echo(
            f"Worker {worker.number}, which wrote the file for all of them, was killed"
            f" (SIGKILL) after {done:,} of its {share:,} events."
        )
        successor = self._start(share - done)
        successor.begin()
        self._echo(f"Worker {successor.number} was started to write the rest.")

    def _wait(self, condition: Callable[[], bool]) -> None:
        seen, deadline = -1, math.inf
        while not condition():
            for worker in self.workers:
                worker.check()
            if self.acknowledged != seen:
                seen, deadline = self.acknowledged, time.monotonic() + STALL_LIMIT_S
            elif time.monotonic() > deadline:
                raise AuditringError(f"no worker got on for {STALL_LIMIT_S:.0f} s")
            self._progress.show(seen)
            time.sleep(POLL_S)


class _Progress:
    """One line that updates itself on a terminal, else a new line now and then."""

    def __init__(self, echo: Echo, total: int) -> None:
        self._echo = echo
        self._total = total
        self._rewrites = sys.stdout.isatty()
        self._period_s = TERMINAL_PERIOD_S if self._rewrites else PLAIN_PERIOD_S
        self._next = 0.0
        self._is_open = False

    def show(self, done: int, *, is_last: bool = False) -> None:
        now = time.monotonic()
        if now < self._next and not is_last:
            return
        self._next = now + self._period_s
        text = f"  {done / self._total:4.0%}  {done:,} events acknowledged"
        self._echo(f"\r{text}" if self._rewrites else text, nl=not self._rewrites)
        self._is_open = self._rewrites
        if is_last:
            self.break_line()

    def break_line(self) -> None:
        if self._is_open:
            self._echo("")
        self._is_open = False


def _settle(log: Path) -> Stats:
    """Open the log once more, until what the workers left undone is done."""
    with open_log(log) as writer:
        deadline = time.monotonic() + STALL_LIMIT_S
        while _has_plain_backup(log) and time.monotonic() < deadline:
            time.sleep(POLL_S)
        return writer.stats()


def _has_plain_backup(log: Path) -> bool:
    backups = list_backups(log.parent, log.name, "lumberjack")
    return any(not backup.suffix for backup in backups)


def _report(
    echo: Echo,
    crew: _Crew,
    accounts: Mapping[int, Account],
    contents: Contents,
    stats: Stats,
) -> None:
    events, seconds = crew.acknowledged, crew.seconds
    per_second = f"{events / seconds:,.0f} events/s"
    rows = [
        ("events", f"{events:,} acknowledged in {seconds:.2f} s"),
        ("throughput", f"{per_second}, {_mebibytes(contents.line_bytes / seconds)}/s"),
        ("", "until the last one was in the file; the restart of the worker counts"),
        ("write() call", _spread(crew.latencies_ns())),
        ("", "waits for room in the ring and two readings of the clock included"),
        ("files", f"{contents.files}, {contents.compressed_files} of them compressed"),
        (
            "sizes",
            f"{_mebibytes(contents.line_bytes)} of lines in"
            f" {_mebibytes(contents.file_bytes)} of files",
        ),
        ("ratio", f"{contents.line_bytes / contents.file_bytes:.0f} : 1"),
        ("", "picked events: those of a log as it comes resemble each other more"),
        ("recovered", _recovered(stats)),
    ]
    echo("")
    for label, text in rows:
        echo(f"  {label:<12}  {text}")
    echo("")
    echo("  worker  acknowledged  unacknowledged  lost  duplicated  out of order")
    for number, account in accounts.items():
        echo(
            f"  {number:<6}  {account.acknowledged:>12,}"
            f"  {account.unacknowledged:>14}  {account.lost:>4}"
            f"  {account.duplicated:>10}  {account.misordered:>12}"
            + ("  killed" if account.was_killed else "")
        )
    echo(f"  torn or foreign lines: {contents.foreign}")
    if contents.gap_events:
        echo(f"  gap events, for unfinished events: {contents.gap_events}")
    echo("")


def _recovered(stats: Stats) -> str:
    return (
        f"{stats.recovered_records:,} events that a killed worker left in its ring;"
        f" torn batches completed: {stats.batches_completed};"
        f" unfinished events passed over: {stats.abandoned_reservations}"
    )


def _spread(latencies_ns: Sequence[int]) -> str:
    shares = [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0)]
    last = len(latencies_ns) - 1
    return "  ".join(
        f"{name} {_duration(latencies_ns[int(last * share)])}" for name, share in shares
    )


def _duration(ns: int) -> str:
    if ns < 1_000_000:
        return f"{ns / 1_000:.1f} µs"
    return f"{ns / 1_000_000:.1f} ms"


def _mebibytes(size: float) -> str:
    return f"{size / MIB:,.1f} MiB"
