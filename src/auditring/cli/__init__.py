"""The command line: ``auditring write``, ``recover`` and ``demo``.

Those that read a log stand in cli_follow.py, ``policy`` and ``config`` in
policycommands.py and configcommands.py.

Exit status: 0 all is well; 1 a problem was found, it is told on standard error; 2 the
command was used wrongly or can't work in its environment.
"""

import errno
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypedDict, Unpack

import click

from .._version import __version__
from ..errors import AuditringError
from ..files.names import list_backups
from ..log.messenger import SaidError
from ..log.options import DEFAULTS, RING_BYTES_MAX, RING_BYTES_MIN
from ..log.writer import CLOSE_LIMIT_S, LogWriter
from .bench import bench
from .commandgroup import CommandGroup
from .complaints import Refusal, complain, refusing
from .config import config
from .follow import sidecar, tail
from .policy import policy
from .problems import Problems
from .sizeoption import Size, shown_size
from .stdin_pump import STUCK_LIMIT_S, Feed, Signals

if TYPE_CHECKING:
    from ..files.formats import Compression
    from ..files.names import Dialect

__all__ = ["main"]

MIB = 2**20
COMPRESSION_POLL_S = 0.02


@click.group(cls=CommandGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="auditring")
def main() -> None:
    """Write and read audit logs that survive kill -9 and any number of processes.

    Exit status: 0 all is well, 1 a problem was found, 2 wrong usage or environment.
    """


main.add_command(bench)
main.add_command(config)
main.add_command(policy)
main.add_command(sidecar)
main.add_command(tail)


class _Mode(click.ParamType[int]):
    """Permission bits in octal, as chmod takes them."""

    name = "octal"

    def convert(
        self,
        value: str | int,
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> int:
        """Read the bits; a default is a number already."""
        if isinstance(value, int):
            return value
        try:
            return int(value, 8)
        except ValueError:
            self.fail(f"{value!r} is no octal number, such as 0640", param, ctx)


class _WriterOptions(TypedDict):
    """The arguments of LogWriter that are options of `write`."""

    max_bytes: int
    max_backups: int
    max_age: float | None
    max_total_bytes: int | None
    compress: "Compression | None"
    compress_level: int | None
    ring_bytes: int
    on_full: Literal["block", "drop", "raise"]
    durability: Literal["process", "interval", "sync"]
    sync_interval: float
    state_dir: str | None
    mode: int
    group: int | str | None
    dialect: "Dialect"


@main.command()
@click.argument("path")
@click.option(
    "--max-size",
    "max_bytes",
    metavar="MB",
    type=Size(),
    default=DEFAULTS["max_bytes"],
    show_default=shown_size(DEFAULTS["max_bytes"]),
    help="Rotate before the live file grows beyond this; 0: never.",
)
@click.option(
    "--max-backups",
    metavar="N",
    type=click.IntRange(min=0),
    default=DEFAULTS["max_backups"],
    show_default=True,
    help="Keep so many backups; 0: all.",
)
@click.option(
    "--max-age",
    metavar="DAYS",
    type=click.FloatRange(min=0, min_open=True),
    default=DEFAULTS["max_age"],
    show_default="keep all",
    help="Remove backups that are older.",
)
@click.option(
    "--max-total-size",
    "max_total_bytes",
    metavar="MB",
    type=Size(1),
    show_default="keep all",
    help="Remove the oldest backups while all together are larger.",
)
@click.option(
    "--compress",
    type=click.Choice(["none", "gzip", "zstd", "lz4"]),
    default=DEFAULTS["compress"] or "none",
    show_default=True,
    callback=lambda context, parameter, value: None if value == "none" else value,
    help="Compress backups.",
)
@click.option(
    "--compress-level",
    metavar="N",
    type=int,
    default=DEFAULTS["compress_level"],
    show_default="the method's own",
    help="How hard to compress.",
)
@click.option(
    "--ring-size",
    "ring_bytes",
    metavar="MB",
    type=Size(RING_BYTES_MIN, RING_BYTES_MAX),
    default=DEFAULTS["ring_bytes"],
    show_default=shown_size(DEFAULTS["ring_bytes"]),
    help="Size of the ring in which lines wait to be written. A line may be nearly"
    " half as large; a larger one is refused and told.",
)
@click.option(
    "--on-full",
    type=click.Choice(["block", "drop", "raise"]),
    default=DEFAULTS["on_full"],
    show_default=True,
    help="While the ring is full: stop reading, drop lines (a gap event in the log"
    " tells how many), or end with status 1.",
)
@click.option(
    "--durability",
    type=click.Choice(["process", "interval", "sync"]),
    default=DEFAULTS["durability"],
    show_default=True,
    help="What a line survives: the death of processes; loss of power too, but for"
    " the last --sync-interval; or loss of power, before the next line is read.",
)
@click.option(
    "--sync-interval",
    metavar="SECONDS",
    type=click.FloatRange(min=0, min_open=True),
    default=DEFAULTS["sync_interval"],
    show_default=True,
    help="How often --durability interval syncs.",
)
@click.option(
    "--state-dir",
    metavar="DIR",
    type=click.Path(file_okay=False),
    default=DEFAULTS["state_dir"],
    show_default=".NAME.ring beside the log",
    help="Where rings are kept.",
)
@click.option(
    "--mode",
    type=_Mode(),
    default=DEFAULTS["mode"],
    show_default=f"{DEFAULTS['mode']:04o}",
    help="Permission bits of new files.",
)
@click.option(
    "--group",
    metavar="NAME|GID",
    default=DEFAULTS["group"],
    show_default="the process's own",
    callback=lambda context, parameter, value: (
        int(value) if value and value.isdecimal() else value
    ),
    help="Group of the files, which may then write to the log too.",
)
@click.option(
    "--dialect",
    type=click.Choice(["lumberjack", "stdlib"]),
    default=DEFAULTS["dialect"],
    show_default=True,
    help="Names of backups: audit-2026-11-22T01-02-03.004.log, or audit.log.1.",
)
@click.option(
    "--linger",
    "linger_s",
    metavar="SECONDS",
    type=click.FloatRange(min=0),
    default=60.0,
    show_default=True,
    help="After SIGTERM or SIGINT, read on to the end of the input for so long at most;"
    " 0: only what is in the pipe.",
)
def write(path: str, linger_s: float, **options: Unpack[_WriterOptions]) -> None:
    """Write the lines of standard input to the log PATH.

    Bytes are written as they come, and a last line without a newline gets one. PATH
    "-" is standard output, which is never rotated.

    MB are 1,048,576 bytes; a size may have a unit of its own: 512K, 100M, 2G. The
    defaults are those of auditring.LogWriter.

    SIGTERM and SIGINT are sent to a whole pipeline: the command reads on until the
    program before it has ended, too, for --linger at most, and ends with status 0. The
    second one ends it at once. While nothing gets into the log it waits for 5 seconds
    after a signal, and then tells what is in the ring for the next opener, and what is
    lost. SIGHUP makes it open the live file again, for logrotate and the like.
    """
    if sys.stdin is None:
        raise Refusal("standard input: it is closed")
    with refusing(path, writes=True):
        log = LogWriter(path, on_error=_complain_of, **options)
    problems = Problems(path, complain)
    feed = Feed(
        log,
        sys.stdin.fileno(),
        may_drop=options["on_full"] == "drop",
        on_oversize=problems.on_oversize,
    )
    with Signals(lambda: feed.check_patience(signals), linger_s) as signals:
        log.reopen_on(signal.SIGHUP)
        with problems.telling(log, signals):
            feed.run(signals, output_fd=1 if path == "-" else None)
            if options["compress"] and isinstance(log.path, Path):
                log.flush(STUCK_LIMIT_S if signals.stop else CLOSE_LIMIT_S)
                _await_compression(log, log.path, options["dialect"], signals)
            problems.look_at_losses(feed)
            if linger_s and signals.stop and not feed.has_end:
                problems.look_at_end(signals)
    sys.exit(problems.status)


def _complain_of(error: Exception) -> None:
    if not isinstance(error, SaidError):
        complain(str(error))


def _await_compression(
    log: LogWriter, path: Path, dialect: "Dialect", signals: Signals
) -> None:
    """Wait until all backups are compressed: after a pipeline nobody else may do it."""
    while not signals.stop and not log.stats().mill_errors:
        backups = list_backups(path.parent, path.name, dialect)
        if all(backup.suffix for backup in backups):
            return
        signals.wait(COMPRESSION_POLL_S)


@main.command()
@click.argument("path")
@click.option(
    "--state-dir",
    metavar="DIR",
    type=click.Path(file_okay=False),
    show_default=".NAME.ring beside the log",
    help="Where its writers keep their rings.",
)
def recover(path: str, state_dir: str | None) -> None:
    """Finish what killed writers of the log PATH left, when none is running.

    The lines that they were acknowledged are then in the log. Any program that opens
    the log does the same. Exit status 1: a writer is running, and does it by itself;
    or something is lost, which gap events in the log tell.
    """
    from .recover import has_writers, is_log  # Here: `write` needs none of it.
    from .recover import recover as recover_log

    log = Path(os.path.realpath(path))
    if log.is_dir():
        raise Refusal(f"{path}: {os.strerror(errno.EISDIR)}")
    if state_dir is not None and not os.path.isdir(state_dir):
        raise Refusal(f"{state_dir}: {os.strerror(errno.ENOENT)}")
    if not is_log(log):
        if not log.exists():
            raise Refusal(f"{path}: {os.strerror(errno.ENOENT)}")
        if not log.is_file():
            raise Refusal(f"{path}: not a regular file")
        click.echo(f"{path}: nothing to recover, no writer ever opened it")
        return
    with refusing(path, writes=True):
        if has_writers(log):
            complain(f"{path}: a writer is running, it recovers what others left")
            sys.exit(1)
        done = recover_log(log, state_dir=state_dir)
    click.echo(f"{path}: {done.lines} lines recovered, {done.size_bytes} bytes")
    if done.gap_events:
        click.echo(
            f"{path}: {done.gap_events} of them are gap events: see what is lost"
        )
    if done.rings:
        click.echo(f"{path}: {done.rings} rings of killed writers are settled")
    for file in done.salvaged:
        click.echo(f"{path}: the machine restarted, see {file}")
    for ring in done.left:
        complain(f"{path}: {ring} can't be read now, its lines are not in the log")
    if done.gap_events or done.left:
        sys.exit(1)


@main.command()
@click.option(
    "--size",
    "target_bytes",
    metavar="MB",
    type=Size(MIB),
    default=300 * MIB,
    show_default="300M",
    help="How much to write, all processes together; 1 MB is 1,048,576 bytes, and a"
    " unit may be given, as in 1G.",
)
@click.option(
    "--writers",
    metavar="N",
    type=click.IntRange(1, 64),
    default=3,
    show_default=True,
    help="How many processes write at the same time.",
)
@click.option(
    "--keep",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    show_default="a temporary one that is removed",
    help="Write the log into this new or empty directory and leave it there.",
)
def demo(target_bytes: int, writers: int, keep: Path | None) -> None:
    """Show it: real audit events, several processes, a SIGKILL, and every line there.

    Writes a few hundred MB of real Kubernetes audit events from several processes into
    one rotated and compressed log, kills the process that writes the file in the
    middle, and compares every line of the log with what was acknowledged.
    """
    from .demo import run_demo  # Here, for it takes what `write` needn't load.

    if getattr(sys, "frozen", False):
        raise Refusal("demo: it starts interpreters, and a frozen program has none")
    with _demo_directory(keep) as directory:
        try:
            is_good = run_demo(
                directory, target_bytes=target_bytes, writers=writers, echo=click.echo
            )
        except BrokenPipeError:
            raise  # Nobody reads the story any more, which click ends quietly.
        except OSError as error:
            raise Refusal(f"{error.filename or directory}: {error.strerror}") from error
        except AuditringError as error:
            complain(str(error))
            is_good = False
    sys.exit(0 if is_good else 1)


@contextmanager
def _demo_directory(keep: Path | None) -> Iterator[Path]:
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="auditring-demo-") as directory:
            yield Path(directory)
        return
    with refusing(str(keep)):
        keep.mkdir(parents=True, exist_ok=True)
        if any(keep.iterdir()):
            raise ValueError(f"--keep: expected a new or empty directory, got {keep}")
    yield keep
