"""The command ``auditring bench``: what this disk and this policy are good for.

What it needs is imported when it runs, as all commands are known to ``--help``.
"""

import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from ..documents.namedfile import read_argument
from ..errors import PolicyError
from ..log.options import RING_BYTES_MAX, RING_BYTES_MIN
from .complaints import Refusal, refusing
from .outputform import Form, form_option
from .policy_report import problem_line
from .sizeoption import Size

if TYPE_CHECKING:
    from types import FrameType

    from ..files.formats import Compression
    from ..policy.policy import Policy
    from .speedtrial import TrialReport

__all__ = ["bench"]

MIB = 2**20
SIGNAL_STATUS = 128
EVERYTHING = """\
apiVersion: audit.k8s.io/v1
kind: Policy
rules: [{level: Metadata}]
"""
LIMITS = {
    "CPU": "the CPU: making the lines takes the time, neither ring nor disk was full",
    "disk": "the disk: a plain file takes hardly more",
    "ring": "the thread that writes: the ring was full, though a plain file takes more",
}


@click.command()
@click.argument("directory", default=".", type=click.Path(file_okay=False))
@click.option(
    "--policy",
    "policy_file",
    metavar="FILE",
    show_default="the metadata of every request",
    help="The policy that decides: Kubernetes' or a block of Loft's.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(1, 60),
    default=10,
    show_default=True,
    help="How long to measure, all in all.",
)
@click.option(
    "--durability",
    type=click.Choice(["process", "interval", "sync"]),
    default="process",
    show_default=True,
    help="Survive the death of processes, be synced every second, or before each"
    " write returns.",
)
@click.option(
    "--compress",
    type=click.Choice(["none", "gzip", "zstd", "lz4"]),
    default="none",
    show_default=True,
    callback=lambda context, parameter, value: None if value == "none" else value,
    help="Compress backups meanwhile.",
)
@click.option(
    "--ring-size",
    "ring_bytes",
    metavar="MB",
    type=Size(RING_BYTES_MIN, RING_BYTES_MAX),
    default=8 * MIB,
    show_default="8M",
    help="Size of the ring: MB of 1,048,576 bytes, or with a unit, as 512K.",
)
@form_option("text")
def bench(
    directory: str,
    policy_file: str | None,
    seconds: float,
    durability: Literal["process", "interval", "sync"],
    compress: "Compression | None",
    ring_bytes: int,
    form: Form,
) -> None:
    """Measure what the disk of DIRECTORY and a policy are good for.

    Real audit events go the way of an application's: the policy decides, those that it
    records become lines of a log below DIRECTORY, which rotates and is removed
    afterwards. It never takes more than 256 MB of the disk.

    Exit status: 1 the policy is wrong, 2 nothing can be measured here.
    """
    from .speedtrial import DISK_BYTES_MAX, SpeedTrial

    policy = _policy(policy_file)
    try:
        trial = SpeedTrial(
            policy,
            durability=durability,
            compress=compress,
            ring_bytes=ring_bytes,
        )
    except ValueError as error:
        raise Refusal(f"{policy_file}: {error}") from error
    with refusing(directory, writes=True):
        _check_space(directory, DISK_BYTES_MAX)
        with _ended_by_signals(), _own_directory(directory) as folder:
            if sys.stderr is not None and sys.stderr.isatty():
                click.echo(f"measuring for {seconds:g} seconds ...", err=True)
            report = trial.run(folder, seconds)
    if form == "json":
        click.echo(json.dumps(asdict(report), indent=1))
    else:
        click.echo(_text(report))


def _policy(file: str | None) -> "Policy":
    from ..policy.policy import Policy

    if file is None:
        return Policy.from_yaml(EVERYTHING)
    with refusing(file):
        data = read_argument(file)
    try:
        return Policy.from_yaml(data)
    except PolicyError as error:
        for problem in error.problems:
            click.echo(problem_line(file, "error", problem), err=True)
        sys.exit(1)


def _check_space(directory: str, needed_bytes: int) -> None:
    free = shutil.disk_usage(directory).free
    if free < needed_bytes:
        needed = needed_bytes // MIB
        raise Refusal(f"{directory}: {free // MIB:,} MB are free, {needed} are needed")


@contextmanager
def _own_directory(parent: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix=".auditring-bench-", dir=parent) as name:
        yield Path(name)


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Have SIGTERM and SIGINT end the measurement, and what it wrote be removed."""

    def stop(number: int, frame: "FrameType | None") -> None:
        sys.exit(SIGNAL_STATUS + number)

    numbers = (signal.SIGTERM, signal.SIGINT)
    before = [signal.signal(number, stop) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _text(report: "TrialReport") -> str:
    wanted_mib, had_mib = (
        size // MIB for size in (report.recommended_ring_bytes, report.ring_bytes)
    )
    latencies = "  ".join(
        f"{name} {_microseconds(value)}" for name, value in report.latencies_us.items()
    )
    rows = [
        ("requests", f"{report.requests_per_s:,.0f}/s decided and written, one thread"),
        ("events", f"{report.events_per_s:,.0f}/s, {report.mb_per_s:,.1f} MB/s"),
        ("", f"lines of {report.mean_event_bytes:,.0f} bytes on average"),
        ("one request", latencies),
        ("", f"at {report.paced_per_s:,.0f}/s, the reading of the clock included"),
        ("limited by", LIMITS[report.limit]),
        ("", f"lines alone, written nowhere: {report.alone_per_s:,.0f}/s"),
        ("", f"a plain file: {report.file_mb_per_s:,.0f} MB/s"),
        ("", f"waiting for room in the ring: {report.blocked_share:.0%} of the time"),
        (
            "ring",
            f"{wanted_mib:,} MB recommended, had {had_mib:,} MB",
        ),
        (
            "",
            f"holds twice what comes while one write() takes its longest,"
            f" {report.longest_write_ms:.1f} ms",
        ),
    ]
    lines = [f"{label:<12}  {text}" for label, text in rows]
    lines.append(f"{os.cpu_count()} CPUs; the page cache takes bytes before the disk")
    return "\n".join(lines)


def _microseconds(value: float) -> str:
    return f"{value:.1f} µs" if value < 1000 else f"{value / 1000:.1f} ms"
