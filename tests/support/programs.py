"""Programs of a few lines, each run in a process of its own."""

import signal
import subprocess
import sys
import textwrap
from pathlib import Path

__all__ = ["LAST_WORDS", "kill_while_logging", "log_to_the_end", "run"]

LIMIT_S = 60

ENDING = """\
import atexit, logging, sys, threading
atexit.register(lambda: logging.getLogger("x").warning("registered first"))
import logging.handlers
from auditring.handlers import {kind}
handler = {kind}(sys.argv[1])
logging.getLogger("x").addHandler(handler)
logging.getLogger("x").warning("running")
atexit.register(lambda: logging.getLogger("x").warning("registered last"))
class Dropped:
    def __del__(self, warning=logging.getLogger("x").warning):
        warning("finalized")
kept = Dropped()
"""
# What it logs, in this order.
LAST_WORDS = ["running", "registered last", "registered first", "finalized"]

KILLED = """\
import logging, os, signal, sys
from auditring.handlers import {kind}
logging.getLogger("x").addHandler({kind}(sys.argv[1]))
for i in range(int(sys.argv[2])):
    logging.getLogger("x").warning("%d", i)
os.kill(os.getpid(), signal.SIGKILL)
"""


def run(program: str, *arguments: str | Path) -> str:
    """Run a program; return what it printed. Warnings are errors.

    An `AuditHandler` without a policy says so, which is left aside.
    """
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(program), *arguments],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )
    said = done.stderr.splitlines()
    assert [line for line in said if "no policy is given" not in line] == []
    assert done.returncode == 0
    return done.stdout


def log_to_the_end(kind: str, log: Path) -> None:
    """Log through a handler of that name while the interpreter ends."""
    run(ENDING.format(kind=kind), log)


def kill_while_logging(kind: str, log: Path, count: int) -> None:
    """Log the numbers below *count* through a handler of that name, and be killed."""
    program = KILLED.format(kind=kind)
    done = subprocess.run(
        [sys.executable, "-c", program, log, str(count)], timeout=LIMIT_S
    )
    assert done.returncode == -signal.SIGKILL
