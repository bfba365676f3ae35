"""A guest: a process that writes to a log in one of the ways that programs have.

Run by itself it is one that a library patches: guest.py INVITATION, as JSON. All others
are forked by a meeting, which has imported what they need: a user that may read nothing
of the package can be one of them.
"""

import dataclasses
import gc
import json
import logging
import os
import resource
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from ledger import Ledger
from stream import make_line

__all__ = ["SPARE_STREAMS", "Invitation", "be_guest"]

# Streams that a guest has: its threads', then its children's.
SPARE_STREAMS = 200
_FIRST_CHILD = 10
# Lines that a thread writes at a stretch, and what it waits in between.
_BURST = 16
_PACE_S = 0.02
# A child, a reload, a handler more, so often.
_HABIT_PACE_S = 0.1
_CHILD_LINES = 20
_SMALL_FILES = 2**18
_FEW_DESCRIPTORS = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """Who comes, and what he is like.

    Attributes:
        path: The log.
        ledger: What he is acknowledged goes here.
        report: What he has to say in the end goes here.
        stream: The first of his `SPARE_STREAMS`.
        way: ``"writer"``, ``"rotating"``, ``"timed"`` or ``"watched"``.
        options: Of the writer or handler.
        habit: What he does beside writing; one of `HABITS`, or "".
        threads: That write.
        user: Who he is from the start on; None: as the meeting is.
        patched: ``"gevent"`` or ``"eventlet"``, if one patches him.
    """

    path: str
    ledger: str
    report: str
    stream: int
    way: str
    options: dict[str, Any]
    habit: str = ""
    threads: int = 2
    user: int | None = None
    patched: str = ""


@dataclass(slots=True, kw_only=True)
class Report:
    """What a guest says in the end.

    Attributes:
        errors: What was raised at him, with how often.
        longest_s: The longest that a call took.
        refused: Why he could not open the log, "" if he could.
        closed: Whether he could close the log.
    """

    errors: dict[str, int] = field(default_factory=dict)
    longest_s: float = 0.0
    refused: str = ""
    closed: bool = False


class Pen:
    """What a guest writes with: a `LogWriter`, or a handler behind a logger."""

    def __init__(self, invitation: Invitation, report: Report) -> None:
        self._invitation = invitation
        self._report = report
        self._ledger = Ledger(invitation.ledger)
        self._open()

    def _open(self) -> None:
        way = self._invitation.way
        options = self._invitation.options
        if way == "writer":
            from auditring import LogWriter

            self._log = LogWriter(self._invitation.path, **options)
            self._put: Callable[[bytes], object] = self._log.write
            self.close: Callable[[], None] = self._log.close
            return
        self._logger = logging.Logger("guest")
        self._logger.addHandler(self._make_handler())
        self._put = self._log_line
        self.close = self._close_handlers

    def _make_handler(self) -> logging.Handler:
        from auditring import handlers

        kind = {
            "rotating": handlers.RotatingFileHandler,
            "timed": handlers.TimedRotatingFileHandler,
            "watched": handlers.WatchedFileHandler,
        }[self._invitation.way]
        handler = kind(self._invitation.path, **self._invitation.options)
        handler.setFormatter(logging.Formatter("%(message)s"))
        handler.handleError = _raise_again  # type: ignore[method-assign]
        return handler

    def _log_line(self, line: bytes) -> None:
        self._logger.info("%s", line[:-1].decode())

    def _close_handlers(self) -> None:
        for handler in list(self._logger.handlers):
            self._logger.removeHandler(handler)
            handler.close()

    def change_handlers(self, *, drops: bool) -> None:
        """Put another handler in the place of the one there is, as a reload does."""
        before = list(self._logger.handlers)
        self._logger.addHandler(self._make_handler())
        for handler in before:
            self._logger.removeHandler(handler)
            if not drops:
                handler.close()
        before.clear()
        gc.collect()

    @property
    def must_stop(self) -> bool:
        """Whether the meeting is over."""
        return self._ledger.must_stop

    def write(self, stream: int, count: int) -> None:
        """Write the next lines of a stream; what is refused is tried again later."""
        for number in range(self._ledger[stream], self._ledger[stream] + count):
            with self._timed():
                self._put(make_line(stream, number))
                self._ledger[stream] = number + 1

    def write_until_stopped(self, stream: int) -> None:
        """Write until the meeting is over."""
        while not self.must_stop:
            try:
                self.write(stream, _BURST)
            except Exception as error:
                self.note(error)
            time.sleep(_PACE_S)

    def note(self, error: BaseException) -> None:
        """Take note of an error."""
        text = f"{type(error).__name__}: {error}".partition(self._invitation.path)[0]
        text = text.strip(" :'")
        self._report.errors[text] = self._report.errors.get(text, 0) + 1

    @contextmanager
    def _timed(self) -> Iterator[None]:
        begin = time.monotonic()
        try:
            yield
        finally:
            took = time.monotonic() - begin
            self._report.longest_s = max(self._report.longest_s, took)


def _raise_again(record: logging.LogRecord) -> None:
    raise  # of the error that is being handled


# Habits.


def fork(pen: Pen, first: int) -> None:
    """Have children that write through the log that is open, and end in some way."""
    _have_children(pen, first, _be_child)


def have_few_threads(pen: Pen, first: int) -> None:
    """Have children that can start no thread."""
    _have_children(pen, first, _be_alone)


def exec_anew(pen: Pen, first: int) -> None:
    """Have children that become another program with the log open."""
    _have_children(pen, first, _be_another)


def _have_children(pen: Pen, first: int, live: Callable[[Pen, int], None]) -> None:
    for stream in range(first, first + SPARE_STREAMS - _FIRST_CHILD):
        if pen.must_stop:
            return
        pid = os.fork()
        if pid == 0:
            try:
                live(pen, stream)
            finally:
                os._exit(0)
        os.waitpid(pid, 0)
        time.sleep(_HABIT_PACE_S)


def _be_child(pen: Pen, stream: int) -> None:
    """Write and end, with the log closed or not."""
    pen.write(stream, _CHILD_LINES)
    if stream % 2:
        pen.close()


def _be_alone(pen: Pen, stream: int) -> None:
    resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))
    _be_child(pen, stream)


def _be_another(pen: Pen, stream: int) -> None:
    pen.write(stream, _CHILD_LINES)
    os.execv("/bin/true", ["true"])


def reload(pen: Pen, first: int) -> None:
    """Have logging configured anew while threads log."""
    while not pen.must_stop:
        pen.change_handlers(drops=False)
        time.sleep(_HABIT_PACE_S)


def drop(pen: Pen, first: int) -> None:
    """Forget handlers instead of closing them."""
    while not pen.must_stop:
        pen.change_handlers(drops=True)
        time.sleep(_HABIT_PACE_S)


def give_up_rights(pen: Pen, first: int) -> None:
    """Be root no more, with the log open; and have a child that never was."""
    pen.write(first, _CHILD_LINES)
    become(65534)
    fork(pen, first + 1)


def have_small_files(pen: Pen, first: int) -> None:
    """Have a limit on the size of files."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (_SMALL_FILES, hard))


def have_few_descriptors(pen: Pen, first: int) -> None:
    """Have a limit on descriptors, and be there."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (_FEW_DESCRIPTORS, hard))
    leak = []
    try:
        while True:
            leak.append(os.open("/dev/null", os.O_RDONLY))
    except OSError:
        fork(pen, first)
    for fd in leak:
        os.close(fd)


def become(user: int) -> None:
    """Give up root's rights."""
    os.setgroups([user])
    os.setgid(user)
    os.setuid(user)


HABITS: dict[str, Callable[[Pen, int], None]] = {
    habit.__name__: habit
    for habit in (
        fork,
        exec_anew,
        reload,
        drop,
        give_up_rights,
        have_small_files,
        have_few_descriptors,
        have_few_threads,
    )
}


def be_guest(invitation: Invitation) -> None:
    """Write until the meeting is over, close the log and report."""
    report = Report()
    with open(invitation.report, "w") as out:
        if invitation.user is not None:
            become(invitation.user)
        try:
            _attend(invitation, report)
        finally:
            json.dump(dataclasses.asdict(report), out)


def _attend(invitation: Invitation, report: Report) -> None:
    try:
        pen = Pen(invitation, report)
    except OSError as error:
        report.refused = str(error)
        return
    threads = [
        threading.Thread(target=pen.write_until_stopped, args=(stream,))
        for stream in range(invitation.stream, invitation.stream + invitation.threads)
    ]
    for thread in threads:
        thread.start()
    try:
        if invitation.habit:
            HABITS[invitation.habit](pen, invitation.stream + _FIRST_CHILD)
    except Exception as error:
        pen.note(error)
    for thread in threads:
        thread.join()
    try:
        pen.close()
        report.closed = True
    except Exception as error:
        pen.note(error)


def main() -> None:
    """Be patched, then be a guest."""
    invitation = Invitation(**json.loads(sys.argv[1]))
    if invitation.patched == "gevent":
        from gevent import monkey  # type: ignore[import-untyped]

        monkey.patch_all()
    elif invitation.patched == "eventlet":
        import eventlet  # type: ignore[import-untyped]

        eventlet.monkey_patch()
    be_guest(invitation)


if __name__ == "__main__":
    main()
