"""System calls of one thread, counted by strace(1)."""

import re
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

from probes import run_probe

__all__ = ["calls_between_marks", "is_available"]

MARK = "getppid"
# "[pid] name(": a call that another thread's interrupted ends with "<... resumed>",
# which is no second call.
CALL = re.compile(r"(\d+) +(\w+)\(")


def is_available() -> bool:
    return shutil.which("strace") is not None


def calls_between_marks(
    trace: Path, name: str, *arguments: object
) -> tuple[dict[str, Any], Counter[str]]:
    """Run a probe under strace; count what its thread calls between its two marks.

    Only the thread that makes the marks counts, though strace follows them all. Returns
    what the probe printed, too.
    """
    tracer = ("strace", "-f", "-qq", "-o", str(trace))
    printed = run_probe(name, *arguments, tracer=tracer)
    found = map(CALL.match, trace.read_text().splitlines())
    calls = [match.groups() for match in found if match is not None]
    producer = next(thread for thread, call in calls if call == MARK)
    own = [call for thread, call in calls if thread == producer]
    first = own.index(MARK)
    return printed, Counter(own[first + 1 : own.index(MARK, first + 1)])
