"""Processes of several users at one log, for programs that tests run as root.

Each is a forked child that gives up root before it works, or stays root: what it needs
was imported before, because it may have no right to read it. Parent and child speak in
lines over pipes, and every wait has a limit.
"""

import importlib
import os
import pkgutil
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import ClassVar, NoReturn

import auditring

__all__ = ["LIMIT_S", "OTHER", "SERVICE", "Member", "become", "import_all", "wait_for"]

SERVICE, OTHER = 65534, 65533
LIMIT_S = 30.0


def import_all() -> None:
    """Import what may be imported late."""
    for module in pkgutil.walk_packages(auditring.__path__, "auditring."):
        if module.name != "auditring.__main__":
            with_optional(module.name)
    importlib.import_module("encodings.idna")


def with_optional(name: str) -> None:
    """Import a module of the package, unless it wants what isn't installed."""
    try:
        importlib.import_module(name)
    except ImportError:
        return


def become(uid: int, groups: tuple[int, ...] = ()) -> None:
    """Give root up for good."""
    os.setgroups(list(groups))
    os.setgid(uid)
    os.setuid(uid)


def wait_for(condition: Callable[[], object]) -> None:
    """Wait until the condition holds."""
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.01)


class Member:
    """A forked child that runs *work* as a user; 0 stays root."""

    alive: ClassVar[list["Member"]] = []

    def __init__(
        self,
        work: Callable[["Member"], object],
        uid: int = 0,
        groups: tuple[int, ...] = (),
    ) -> None:
        siblings = [member._orders for member in Member.alive]
        orders, self._orders = os.pipe()
        self._words, words = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            for theirs in (*siblings, self._orders):
                os.close(theirs)
            self._orders, self._words = orders, words
            self._run(work, uid, groups)
        os.close(orders)
        os.close(words)
        Member.alive.append(self)

    def _run(
        self, work: Callable[["Member"], object], uid: int, groups: tuple[int, ...]
    ) -> NoReturn:
        status = 0
        try:
            if uid:
                become(uid, groups)
            work(self)
        except BaseException:
            traceback.print_exc()
            status = 1
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)

    # In the child.

    def say(self, word: object) -> None:
        """Tell the parent."""
        os.write(self._words, f"{word}\n".encode())

    def obey(self) -> None:
        """Wait for the parent's `go`."""
        if not os.read(self._orders, 1):
            os._exit(1)  # the parent is no more

    # In the parent.

    def go(self) -> None:
        """Let it go on, if it is still there."""
        with suppress(BrokenPipeError):
            os.write(self._orders, b"x")

    def hear(self, limit_s: float = LIMIT_S) -> str | None:
        """Return what it said, None if nothing came in time."""
        if not select.select([self._words], [], [], limit_s)[0]:
            return None
        return os.read(self._words, 1000).decode().strip()

    def ask(self, limit_s: float = LIMIT_S) -> str | None:
        """Let it go on, and return what it says then."""
        self.go()
        return self.hear(limit_s)

    def kill(self) -> None:
        """End it at once."""
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)

    def end(self) -> int:
        """Let it go on to its end; return its exit status."""
        self.go()
        deadline = time.monotonic() + LIMIT_S
        while time.monotonic() < deadline:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.01)
        self.kill()
        return -signal.SIGKILL

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Stop it meanwhile."""
        os.kill(self.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, self.pid, os.WSTOPPED)
        try:
            yield
        finally:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGCONT)


def rings(log: Path) -> list[Path]:
    """Return the files of the rings beside a log."""
    return sorted(log.with_name(f".{log.name}.ring").glob("ring.*"))
