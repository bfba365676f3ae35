"""Another process that has a log open: it leads if it came first, and can be stopped.

While the leader is stopped nobody drains, so a ring that is written to stays full.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

__all__ = ["Bystander", "wait_until"]

LIMIT_S = 30.0
PROGRAM = """\
import json, sys
from auditring import LogWriter

with LogWriter(sys.argv[1], **json.loads(sys.argv[2])) as log:
    log.flush()
    print("leads" if log.stats().leads else "stands by", flush=True)
    sys.stdin.read()
"""


def wait_until(condition: Callable[[], object]) -> None:
    """Wait until *condition* holds; fail when it takes too long."""
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.001)


class Bystander:
    """A process with *path* open, to be used in a ``with`` block."""

    def __init__(self, path: Path, **options: object) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(path), json.dumps(options)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.leads = self._process.stdout.readline() == "leads\n"

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    def stop(self) -> None:
        """Stop it where it is, and wait until it is."""
        os.kill(self._process.pid, signal.SIGSTOP)
        os.waitpid(self._process.pid, os.WUNTRACED)

    def resume(self) -> None:
        """Let it go on."""
        os.kill(self._process.pid, signal.SIGCONT)

    def kill(self) -> None:
        """End it as kill -9 does."""
        self._process.kill()
        self._process.wait(LIMIT_S)

    def close(self) -> None:
        """Let it go on, close its log and end."""
        if self._process.poll() is None:
            self.resume()
        self._process.communicate(timeout=LIMIT_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
