"""One run in a process of its own, with a time limit.

A contender may hang, crash or take others with it: whatever it does is an outcome. It
is told by how the process ended, and by the file that it leaves if all went well.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from lines import Account
from rounds import Outcome, Run
from stand import Measured, Stand

__all__ = ["run_job"]

BENCH = Path(__file__).parent
ERROR_CHARS = 160
# What it may go on doing when its run is over: threads that end, files that close.
GRACE_S = 2.0


def run_job(
    stand: Stand,
    workload: str,
    contender: str,
    count: int,
    account: Callable[[], Account | None],
) -> Run:
    """Run *contender* in *workload*, and look at its files then.

    Args:
        stand: Where; its `logs` are empty.
        workload: A name of the catalogue.
        contender: One of its contenders.
        count: The operations that the run is about, for one that doesn't end.
        account: Compares the files with what was to be written; asked whatever
            happened.
    """
    result = stand.folder / "result.json"
    result.unlink(missing_ok=True)
    command = [
        sys.executable,
        str(BENCH / "one_run.py"),
        stand.as_json(),
        workload,
        contender,
        str(result),
    ]
    limit_s = stand.parameters.run_limit_s + GRACE_S
    outcome, detail = _end_of(command, limit_s, result)
    try:
        found = account()
    except Exception as error:
        # What a contender leaves can be anything; that it can't be read is a result.
        return Run(count, 0.0, None, {}, "failed", f"its files: {error!r}")
    if outcome == "done":
        measured = Measured(**json.loads(result.read_text()))
        return Run(measured.count, measured.seconds, found, measured.figures)
    return Run(count, 0.0, found, {}, outcome, detail)


def _end_of(command: list[str], limit_s: float, result: Path) -> tuple[Outcome, str]:
    """Run *command* to its end, or to the limit's; say how it ended."""
    errors = result.with_name("errors")
    with errors.open("wb") as stderr:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            # A group of its own: whatever it started ends with it.
            start_new_session=True,
        )
        try:
            status = process.wait(limit_s)
        except subprocess.TimeoutExpired:
            what = "its end" if result.exists() else "its lines"
            return "hung", f"{limit_s:.0f} s were not enough for {what}"
        finally:
            _end_group(process)
    said = errors.read_text(errors="replace").strip().splitlines()
    last = said[-1][:ERROR_CHARS] if said else f"status {status}"
    if status < 0:
        return "crashed", signal.Signals(-status).name
    if status or not result.exists():
        return "failed", last
    return "done", ""


def _end_group(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
