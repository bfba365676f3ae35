"""The commands that read a log: ``auditring sidecar`` and ``tail``.

What they need is imported when they run, as all commands are known to ``--help``.
"""

import errno
import glob
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .complaints import Refusal, complain, refusing, shown_name
from .sizeoption import Size

if TYPE_CHECKING:
    from ..files.cursor import Cursor, CursorFile
    from .logview import LogView

__all__ = ["sidecar", "tail"]


@click.command()
@click.argument("path")
@click.option(
    "--cursor",
    "cursor_path",
    metavar="FILE",
    type=click.Path(dir_okay=False),
    show_default="none",
    help="Save in FILE, and in a hidden one beside it, how far it got, and go on there"
    " the next time.",
)
@click.option(
    "--from-start",
    is_flag=True,
    help="Begin with the oldest backup, and not at the end. A saved cursor wins.",
)
@click.option(
    "--register",
    "name",
    metavar="NAME",
    show_default="not registered",
    help="Have the writers of the log keep backups until they are read. The log's state"
    " directory remembers NAME and its cursor; --forget ends that.",
)
@click.option(
    "--forget",
    "forgotten",
    metavar="NAME",
    show_default="nobody",
    help="End a registration, print nothing and exit.",
)
@click.option(
    "--recover",
    is_flag=True,
    help="Finish what killed writers left, whenever none is running.",
)
@click.option(
    "--state-dir",
    metavar="DIR",
    type=click.Path(file_okay=False),
    show_default=".NAME.ring beside the log",
    help="Where its writers keep their rings, for --recover.",
)
@click.option(
    "--stop-at-end",
    is_flag=True,
    help="Exit when all that is there was printed.",
)
@click.option(
    "--max-line",
    "max_line_bytes",
    metavar="MB",
    type=Size(1024),
    default=64 * 2**20,
    show_default="64M",
    help="Leave out longer lines, and say so on standard error. It takes so much memory"
    " to print one, and twice that of a compressed backup.",
)
def sidecar(
    path: str,
    cursor_path: str | None,
    from_start: bool,
    name: str | None,
    forgotten: str | None,
    recover: bool,
    state_dir: str | None,
    stop_at_end: bool,
    max_line_bytes: int,
) -> None:
    """Print every line of the log PATH to standard output, and wait for more.

    Lines come whole and in order, across rotation and compression, none missing and
    none twice. PATH needn't exist yet.

    SIGTERM and SIGINT end it: what was printed and the saved cursor then agree to the
    byte. After SIGKILL it prints some lines again, 1 MiB or one longer line at most.
    What a pipe took counts as printed, though its reader may end before it gets there.

    Exit status: 1 standard output has no reader any more, 2 something can't be read or
    written.
    """
    if forgotten is not None:
        _forget(path, forgotten)
        return
    if sys.stdout is None:
        raise Refusal("standard output: it is closed")
    if stop_at_end:
        _refuse_nothing(path)
    with refusing(path):
        files = _cursor_files(path, cursor_path, name)
        saved = _saved_cursor(files)
        rescue = _rescuer(path, state_dir) if recover else None
        status = _print_log(
            path,
            files,
            saved,
            from_start=from_start,
            wait=not stop_at_end,
            rescue=rescue,
            max_line_bytes=max_line_bytes,
        )
    sys.exit(status)


def _refuse_nothing(path: str) -> None:
    """Refuse a log that isn't there, and won't be waited for."""
    log = Path(path)
    with refusing(path):
        backups = log.parent.glob(f"{glob.escape(log.stem)}*")
        if not log.exists() and not any(backups):
            raise Refusal(f"{path}: {os.strerror(errno.ENOENT)}")


def _print_log(
    path: str,
    files: "list[CursorFile]",
    saved: "Cursor | None",
    *,
    from_start: bool,
    wait: bool,
    rescue: Callable[[], object] | None,
    max_line_bytes: int,
) -> int:
    from ..follow.cursor_saver import CursorKeeper
    from ..follow.follower import Follower
    from .output import Output
    from .sidecar import Sidecar
    from .stdin_pump import Signals

    with Signals(on_tick=lambda: None) as signals:
        printer = Sidecar(Output(1, signals), signals, on_idle=rescue)
        follower = Follower(
            path,
            saved,
            start="beginning" if from_start else "end",
            wait=wait,
            pause=printer.pause,
            on_notice=complain,
            max_line_bytes=max_line_bytes,
        )
        if rescue is not None:
            rescue()
        try:
            printer.run(follower, CursorKeeper(files, follower.cursor))
        except BrokenPipeError:
            complain(f"{path}: nobody reads standard output any more")
            return 1
    return 0


def _cursor_files(
    path: str, cursor_path: str | None, name: str | None
) -> "list[CursorFile]":
    from ..files.cursor import CursorFile

    files = [] if cursor_path is None else [CursorFile(cursor_path)]
    if name is not None:
        from ..files.followers import FollowerRecord

        record = FollowerRecord(path, name)
        if not record.is_possible:
            complain(f"{path}: no writer opened it yet, {name} is registered later")
        files.append(record)
    return files


def _saved_cursor(files: "list[CursorFile]") -> "Cursor | None":
    """Return the cursor of the first file that has one."""
    for file in files:
        with refusing(file.path):
            cursor = file.load()
        if cursor is not None:
            return cursor
    return None


def _forget(path: str, name: str) -> None:
    from ..files.followers import forget

    with refusing(path):
        is_forgotten = forget(path, name)
    if not is_forgotten:
        complain(f"{path}: no follower {name} is registered")
        sys.exit(1)


def _rescuer(path: str, state_dir: str | None) -> Callable[[], None]:
    """Return what recovers the log if there is something to recover."""
    from .recover import Rescue

    rescue = Rescue(Path(os.path.realpath(path)), state_dir=state_dir)

    def run() -> None:
        try:
            done = rescue.run()
        except OSError as error:
            complain(f"{path}: {error.strerror or error}; killed writers left lines")
        else:
            if done is not None:
                complain(f"{path}: {done.lines} lines of killed writers recovered")

    return run


@click.command()
@click.argument("path")
@click.option(
    "-n",
    "--lines",
    "count",
    metavar="N",
    type=click.IntRange(min=0),
    default=10,
    show_default=True,
    help="How many lines from the end.",
)
@click.option("-f", "--follow", "waits", is_flag=True, help="Wait for more lines.")
@click.option(
    "--json",
    "is_json",
    is_flag=True,
    help="Print the events themselves, as JSON lines, and nothing that is none.",
)
def tail(path: str, count: int, waits: bool, is_json: bool) -> None:
    """Show the last events of the log PATH, one line each, for people.

    A line holds time, status code, verb, user and what it was about. Lines that are no
    events are shown as they are; one of more than 16 MiB is left out and told. On a
    terminal there are colours, unless NO_COLOR is set.

    PATH may also be a file that gzip, zstd, lz4, bzip2 or xz packed, or "-" for
    standard input. Events that others wrapped are shown as if they weren't: exports of
    CloudWatch and Azure, logs of Docker and CRI, EventLists.

    Exit status: 2 something can't be read.
    """
    from ..event.recordedlog import STANDARD_INPUT
    from ..files.formats import DamagedError
    from .logview import LogView, last_of_file
    from .summary import InShort

    is_terminal = sys.stdout.isatty()
    has_colors = is_terminal and not os.environ.get("NO_COLOR")
    short = InShort(has_colors=has_colors, is_terminal=is_terminal)
    view = LogView(None if is_json else short)
    name = shown_name(path)
    with refusing(name):
        try:
            if path == STANDARD_INPUT and waits:
                _show_input(view)
            elif (rows := last_of_file(path, count, view, complain)) is not None:
                _print_rows(rows)
            else:
                _show_log(path, count, waits, view)
        except KeyboardInterrupt:
            sys.exit(0)
        except DamagedError as error:
            raise Refusal(f"{name}: damaged: {error}") from error
    if view.left_out:
        are = "lines are no events" if view.left_out > 1 else "line is no event"
        complain(f"{name}: {view.left_out} {are}")


def _show_log(path: str, count: int, waits: bool, view: "LogView") -> None:
    from ..documents.linesplitter import EVENT_MAX_BYTES
    from ..follow import follow_chunks
    from ..follow.tail import cursor_before
    from .logview import unfinished_line

    rest = b"" if waits or not count else unfinished_line(path)
    chunks = follow_chunks(
        path,
        cursor_before(path, count - bool(rest)),
        wait=waits,
        on_notice=complain,
        max_line_bytes=EVENT_MAX_BYTES,
    )
    for chunk, _ in chunks:
        _print_rows(view.show(chunk.split(b"\n")[:-1]))
    last = view.rows_of(rest) if rest else []
    _print_rows(view.shown([*last, *view.end()]))


def _show_input(view: "LogView") -> None:
    """Show all of standard input as it comes."""
    from ..documents.linesplitter import EVENT_MAX_BYTES, LineSplitter, too_long
    from ..documents.namedfile import argument_chunks

    splitter = LineSplitter(
        lambda number, size: complain(
            f"<stdin>:{number}: {too_long(size, EVENT_MAX_BYTES)}"
        ),
        EVENT_MAX_BYTES,
    )
    for line in splitter.lines_of(argument_chunks("-")):
        _print_rows(view.show([line]))
    _print_rows(view.shown(view.end()))


def _print_rows(rows: Iterable[bytes]) -> None:
    output = sys.stdout.buffer
    for row in rows:
        output.write(row + b"\n")
    output.flush()
