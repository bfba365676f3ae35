"""Who tells `on_error` of a log that doesn't get on.

A full disk, a rotation that fails, a leader that is stopped: the core says that on
standard error (csrc/speaker.h), within two seconds and then once a minute. One thread
of the process waits for it, in the kernel, while a log with an `on_error` is open, and
passes it on; that trouble is over is no error.

Who else may be there: an `on_error` that logs, to the same log too, raises, forks,
closes the log or never returns (each call has a thread of its own, and the next one
waits for it, but nobody else does); two writers of one log with the same `on_error`,
which hears of it once; a writer that is dropped (known weakly) or closed meanwhile; a
fork (the thread is ended before and begun again, in the child as well); a system that
has no thread to give (it is told in the one there is); greenlets, whose hub none of
this runs in; the end of the interpreter, which closes all logs.
"""

import contextlib

# Not threading's, which greenlets take the place of.
from _thread import RLock
from collections.abc import Callable
from typing import Protocol

from ..process._nativethread import NativeThread
from ..process.known import Known
from ..ring import _writer
from .lifetime import park_at_forks

__all__ = ["SaidError", "Teller", "join", "leave"]

# How long a fork waits for an `on_error` that is being called, and the last log that is
# closed for the thread.
PARK_LIMIT_S = 0.2
END_LIMIT_S = 1.0
# How long it sleeps at most: an `on_error` that was busy is told again.
SLEEP_S = 60.0
# As the kernel shows them.
THREAD_NAME = "auditring-news"
CALL_NAME = "auditring-tell"

OnError = Callable[[Exception], object]


class SaidError(OSError):
    """Trouble that was said on standard error, too; EAGAIN is a leader's."""


class Teller(Protocol):
    """An open log; a `LogWriter`."""

    @property
    def path(self) -> object:
        """Which one."""
        ...

    @property
    def on_error(self) -> OnError | None:
        """Whom trouble is told to."""
        ...

    def _said(self) -> tuple[int, str, int]:
        """Return how often trouble was said, and the last text and its errno."""
        ...


class _Messenger:
    """The thread, and what it knows. For `lifetime` it is a `Parkable`."""

    def __init__(self) -> None:
        self._logs: Known[Teller] = Known()
        # By log: how often something had been said when it was told last.
        self._told: dict[int, int] = {}
        # By `on_error`: its call, and what it heard last, of any writer.
        self._calls: dict[int, NativeThread] = {}
        self._last: dict[int, str] = {}
        self._lock = RLock()
        self._thread: NativeThread | None = None
        self._must_end = False
        self._is_parked = False

    def add(self, log: Teller) -> None:
        """Tell of *log* from now on."""
        self._told[id(log)] = log._said()[0]
        self._logs.add(log)
        park_at_forks(self)
        self.start()

    def remove(self, log: Teller) -> None:
        """Tell of *log* no more; without any the thread ends."""
        self._logs.discard(log)
        self._told.pop(id(log), None)
        with self._lock:
            if not self._logs.all():
                self._end(END_LIMIT_S)

    def start(self) -> None:
        """Begin, if there is anything to wait for."""
        with self._lock:
            if self._thread is not None or self._is_parked or not self._logs.all():
                return
            self._must_end = False
            self._thread = NativeThread(self._work, THREAD_NAME)
            try:
                self._thread.start()
            except RuntimeError:
                self._thread = None  # the next log that is opened tries again

    def _end(self, limit_s: float) -> None:
        """End the thread; the lock is held."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._must_end = True
            _writer.wake_news()
            if not thread.is_current():
                thread.join(limit_s)

    def park(self) -> None:
        """Before a fork."""
        with self._lock:
            self._is_parked = True
            self._end(END_LIMIT_S)
        for call in list(self._calls.values()):
            if not call.is_current():
                call.join(PARK_LIMIT_S)

    def resume(self) -> None:
        """Go on, in the parent."""
        self._is_parked = False
        self.start()

    def forget(self) -> None:
        """Drop what is the parent's, in the child."""
        self._lock = RLock()
        self._thread = None
        self._calls = {}
        self._is_parked = False

    def _work(self) -> None:
        while not self._must_end:
            news = _writer.count_news()
            self._look_around()
            if not self._must_end:
                _writer.wait_news(news, SLEEP_S)

    def _look_around(self) -> None:
        for log in self._logs.all():
            on_error = log.on_error
            count, text, number = log._said()
            if count == self._told.get(id(log), count):
                continue
            if on_error is None or not number:
                self._last.pop(id(on_error), None)
            elif self._last.get(id(on_error)) != text:
                if self._is_busy(on_error):
                    continue  # once more with the next news
                self._last[id(on_error)] = text
                self._call(on_error, log, number, text)
            self._told[id(log)] = count

    def _is_busy(self, on_error: OnError) -> bool:
        call = self._calls.get(id(on_error))
        if call is not None and not call.is_alive:
            self._calls.pop(id(on_error), None)
        return call is not None and call.is_alive

    def _call(self, on_error: OnError, log: Teller, number: int, text: str) -> None:
        path = str(log.path)
        error = SaidError(number, text.removeprefix(f"{path}: "), path)

        def call() -> None:
            with contextlib.suppress(Exception):
                on_error(error)

        thread = NativeThread(call, CALL_NAME)
        self._calls[id(on_error)] = thread
        try:
            thread.start()
        except RuntimeError:
            call()


_messenger = _Messenger()


def join(log: Teller) -> None:
    """Have the `on_error` of *log* told of its trouble."""
    _messenger.add(log)


def leave(log: Teller) -> None:
    """Take *log* out: it is closed, or has no `on_error` any more."""
    _messenger.remove(log)
