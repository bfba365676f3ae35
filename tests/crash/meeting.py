"""A meeting: some guests write to one log, and some things happen; then it is judged.

Usage: meeting.py PLAN, as JSON; prints the outcome as JSON and exits with 1 if the log
isn't good. Whoever may, mounts a small disk of its own for it, if the plan says so.
"""

import contextlib
import ctypes
import importlib
import itertools
import json
import os
import pkgutil
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from guest import SPARE_STREAMS, Invitation, be_guest
from happenings import HAPPENINGS
from ledger import Ledger
from oracle import Finding, Reading, judge, read_file

import auditring
from auditring import LogWriter

__all__ = ["Outcome", "Plan"]

# No call of a guest may take longer, nor may it take longer until he has left.
CALL_LIMIT_S = 30.0
LEAVE_LIMIT_S = 60.0
# The last opener brings what was left within that time.
REOPEN_LIMIT_S = 30.0
_DISK_BYTES = 96 * 2**20
_PAUSE_MAX_S = 0.6
_FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Who meets, and what happens.

    Attributes:
        seed: Of what else is random.
        guests: The fields of each guest's `Invitation` that are his own.
        happenings: In this order.
        owner: User whose directory it is; None: whose meeting it is.
        has_disk: On a disk of its own.
    """

    seed: int
    guests: list[dict[str, Any]]
    happenings: list[str]
    owner: int | None = None
    has_disk: bool = False


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What came of it.

    Attributes:
        acknowledged: Lines.
        lines: Lines in the log.
        finding: What is wrong with the log.
        disordered: Files in which a stream's lines stand in another order.
        told: Losses that gap events tell of, by reason.
        hung: Guests that didn't leave, and what took too long.
        reports: What the guests said.
        complaints: What was said on standard error.
    """

    acknowledged: int = 0
    lines: int = 0
    finding: Finding = field(default_factory=Finding)
    disordered: list[str] = field(default_factory=list)
    told: dict[str, int] = field(default_factory=dict)
    hung: list[str] = field(default_factory=list)
    reports: list[dict[str, Any]] = field(default_factory=list)
    complaints: str = ""

    @property
    def faults(self) -> list[str]:
        """What is wrong, in words."""
        found = [*self.hung]
        lost_told = sum(self.told.values())
        if self.finding.lost > lost_told:
            found.append(f"{self.finding.lost} lost, {lost_told} told")
        if self.finding.duplicated:
            found.append(f"{self.finding.duplicated} twice")
        if self.finding.torn:
            found.append(f"{self.finding.torn} torn")
        if self.finding.invented:
            found.append(f"{self.finding.invented} invented")
        if self.disordered:
            found.append(f"out of order in {', '.join(self.disordered)}")
        if not self.finding.lost and self.alarms:
            found.append(f"told though nothing is lost: {self.alarms}")
        return found

    @property
    def alarms(self) -> dict[str, int]:
        """Losses told of that are more than a call cut short by a kill."""
        harmless = ("abandoned-reservation",)
        return {why: count for why, count in self.told.items() if why not in harmless}


class Meeting:
    """One meeting, in a folder of its own."""

    def __init__(self, folder: Path, plan: Plan) -> None:
        self.random = random.Random(plan.seed)
        self.path = folder / "disk" / "log" / "audit.log"
        self.offset = folder / "offset"
        self.pids: list[int] = []
        self.outcome = Outcome()
        self._plan = plan
        self._folder = folder
        self._ledger = Ledger(folder / "ledger")
        self._names: dict[int, str] = {}

    def run(self) -> Outcome:
        """Let them meet, and judge."""
        self._prepare()
        for number, guest in enumerate(self._plan.guests):
            self._invite(number, guest)
            time.sleep(self.random.uniform(0, 0.2))
        for happening in self._plan.happenings:
            time.sleep(self.random.uniform(0, _PAUSE_MAX_S))
            HAPPENINGS[happening](self)
        time.sleep(self.random.uniform(0, _PAUSE_MAX_S))
        self._end()
        for log in sorted(self.path.parent.parent.glob("log*/")):
            self._reopen(log / self.path.name)
        self._judge()
        return self.outcome

    def _prepare(self) -> None:
        disk = self.path.parent.parent
        disk.mkdir()
        if self._plan.has_disk:
            _mount(disk, _DISK_BYTES)
        self.path.parent.mkdir()
        # Guests of every user pass through, and have something to write on.
        for place in (self._folder, disk, self.path.parent):
            place.chmod(0o755)
        self._ledger.path.chmod(0o666)
        (self._folder / "reports").mkdir()
        if self._plan.owner is not None:
            os.chown(self.path.parent, self._plan.owner, self._plan.owner)

    def _invite(self, number: int, guest: dict[str, Any]) -> None:
        invitation = Invitation(
            path=str(self.path),
            ledger=str(self._ledger.path),
            report=str(self._folder / "reports" / str(number)),
            stream=number * SPARE_STREAMS,
            **guest,
        )
        if invitation.patched:
            said = json.dumps(asdict(invitation))
            command = [sys.executable, "-W", "ignore", _FOLDER / "guest.py", said]
            pid = subprocess.Popen(command).pid
        else:
            pid = os.fork()
            if pid == 0:
                _attend(invitation)
        self.pids.append(pid)
        self._names[pid] = f"guest {number}"

    def kill(self, pid: int) -> None:
        """Kill a guest and take leave of him."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        self.pids.remove(pid)

    def _end(self) -> None:
        self._ledger.must_stop = True
        deadline = time.monotonic() + LEAVE_LIMIT_S
        while self.pids and time.monotonic() < deadline:
            for pid in list(self.pids):
                left, status = os.waitpid(pid, os.WNOHANG)
                if left:
                    self.pids.remove(pid)
                    if status:
                        self.outcome.hung.append(f"{self._names[pid]}: status {status}")
            time.sleep(0.01)
        for pid in list(self.pids):
            self.outcome.hung.append(f"{self._names[pid]} did not leave")
            self.kill(pid)
        for report in sorted((self._folder / "reports").iterdir()):
            with contextlib.suppress(ValueError):  # he was killed
                self._take(report.name, json.loads(report.read_text()))

    def _take(self, number: str, report: dict[str, Any]) -> None:
        self.outcome.reports.append(report)
        if report["longest_s"] > CALL_LIMIT_S:
            took = f"{report['longest_s']:.1f} s"
            self.outcome.hung.append(f"a call of guest {number} took {took}")

    def _reopen(self, path: Path) -> None:
        """Let one opener finish what was left."""
        pid = os.fork()
        if pid == 0:
            _finish(path, self._plan)
        deadline = time.monotonic() + REOPEN_LIMIT_S
        while time.monotonic() < deadline:
            left, status = os.waitpid(pid, os.WNOHANG)
            if left:
                if status:
                    self.outcome.hung.append(f"the last opener: status {status}")
                return
            time.sleep(0.01)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        self.outcome.hung.append("the last opener did not end")

    def _judge(self) -> None:
        reading = Reading()
        for file in self._files():
            alone = Reading()
            read_file(alone, file)
            if any(_is_disordered(runs) for runs in alone.streams.values()):
                self.outcome.disordered.append(file.name)
            read_file(reading, file)
        for note in reading.gap_notes():
            reason, count = (note[f"auditring.io/{key}"] for key in ("reason", "count"))
            self.outcome.told[reason] = self.outcome.told.get(reason, 0) + int(count)
        self.outcome.lines = reading.lines
        self.outcome.acknowledged = self._ledger.total
        self.outcome.finding = judge(reading, dict(self._ledger), is_ordered=False)

    def _files(self) -> Iterator[Path]:
        """Yield all files of the log, of whatever name, wherever it was moved."""
        for directory in sorted(self.path.parent.parent.glob("log*/")):
            for file in sorted(directory.iterdir()):
                if file.is_file() and file.name.startswith(self.path.stem):
                    yield file


def _is_disordered(runs: list[range]) -> bool:
    return any(after.start < before.stop for before, after in itertools.pairwise(runs))


def _attend(invitation: Invitation) -> None:
    """Be a guest, in a child; never returns."""
    status = 1
    try:
        be_guest(invitation)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def _finish(path: Path, plan: Plan) -> None:
    """Open the log once more, in a child; never returns."""
    status = 1
    try:
        with LogWriter(path, adopt_settings=True) as log:
            status = 0 if log.flush(REOPEN_LIMIT_S) else 2
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def _mount(place: Path, size_bytes: int) -> None:
    """Mount a disk of that size; the process has mounts of its own.

    Raises:
        OSError: It may not.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    options = f"size={size_bytes}".encode()
    if libc.mount(b"tmpfs", os.fsencode(place), b"tmpfs", 0, options):
        raise OSError(ctypes.get_errno(), "can't mount a disk", str(place))


def _import_all() -> None:
    """Import what a guest may import late: he may have no right to read it then."""
    for module in pkgutil.walk_packages(auditring.__path__, "auditring."):
        if not module.name.endswith("__main__"):
            with contextlib.suppress(ImportError):
                importlib.import_module(module.name)
    "".encode("idna")


def main() -> int:
    """Hold one meeting in a temporary folder."""
    plan = Plan(**json.loads(sys.argv[1]))
    _import_all()
    folder = Path(os.environ["MEETING_FOLDER"])
    outcome = Meeting(folder, plan).run()
    shown = {**asdict(outcome), "faults": outcome.faults}
    print(json.dumps(shown))
    if outcome.faults and (kept := os.environ.get("MEETING_KEEP")):
        shutil.copytree(folder, tempfile.mkdtemp(dir=kept), dirs_exist_ok=True)
    return 1 if outcome.faults else 0


if __name__ == "__main__":
    sys.exit(main())
