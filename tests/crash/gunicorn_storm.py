"""A storm on gunicorn: clients ask, workers are killed, and every answer is logged.

Usage: gunicorn_storm.py [OPTIONS AS JSON], the fields of `GunicornStormOptions`; with
"all" for a worker, every kind of them is tried, with and without --preload and --user.
Prints an outcome as JSON for each; exits with 1 if one isn't good.

Each request has an id and is sent once. If its client got an answer, its line is in
app.log once and its events are in audit.log once; else each of them once or not at all.
"""

import contextlib
import grp
import itertools
import json
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal

import psutil
from oracle import log_files, open_log_file, parse_gap, read_log
from puppet import wait_until
from webclient import LIMIT_S, Client, Id

from auditring import LogWriter

__all__ = ["WORKERS", "GunicornStormOptions"]

FOLDER = Path(__file__).parent
# Of the lines that tell that the application was loaded; they are numbered by pid.
BOOT_STREAM = 1_000_000
# Between two kills, so that each worker that is killed has had its part.
ANSWERS_BETWEEN_KILLS = 40

WORKERS = {
    "sync": ("--worker-class=sync",),
    "gthread": ("--worker-class=gthread", "--threads=4"),
    "uvicorn": ("--worker-class=uvicorn_worker.UvicornWorker",),
    "asgi": ("--worker-class=asgi",),
}
_OF_ASGI = ("uvicorn", "asgi")

# An application that is loaded by a worker of another user may find an interpreter in
# somebody's home that it can't read: what it imports is there before.
CONFIGURATION = """\
import contextlib
import gzip
import urllib.parse

import auditring.handlers
import auditring.backups.mill
import auditring.middleware.asgi
import auditring.middleware.wsgi
import auditring.backups.thread
import stream

with contextlib.suppress(ImportError):
    import isal.igzip
    import isal.isal_zlib
"""
CONFIGURATIONS = {
    "uvicorn": """\
import uvicorn.lifespan.on
import uvicorn.loops.auto
import uvicorn.protocols.http.auto
import uvicorn.protocols.websockets.auto
""",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class GunicornStormOptions:
    """How hard it blows.

    Attributes:
        worker: Kind of the workers, a key of `WORKERS`.
        preload: Load the application before the workers are forked.
        user: Whom the workers become; None for nobody else. Needs root.
        workers: How many there are.
        clients: How many ask at the same time.
        seconds: How long it blows at least.
        kills: How many workers are killed at least.
        kill_interval_s: Time between two kills at least.
        ending: How all of gunicorn ends; after SIGKILL nobody is left.
        max_bytes: Size of a file of either log.
        seed: Of what is random; None takes another one each time.
    """

    worker: str = "sync"
    preload: bool = False
    user: str | None = None
    workers: int = 4
    clients: int = 8
    seconds: float = 0.0
    kills: int = 0
    kill_interval_s: float = 1.0
    ending: Literal["SIGTERM", "SIGKILL"] = "SIGTERM"
    max_bytes: int = 200_000
    seed: int | None = None


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What came of it.

    Attributes:
        options: What was asked for.
        seconds: From the first request to the last answer.
        answered: Requests that a client got an answer to.
        unanswered: Requests that none came to.
        kills: Workers killed.
        workers: That answered, by pid.
        users: That they were, by number.
        lines: Lines of requests in app.log.
        events: Events in audit.log.
        rotations: Backups of both logs.
        gaps: Gap events in both, by reason.
        lost: Lines and events of answered requests that aren't there.
        doubled: Lines and events that are there again.
        torn: Lines that are neither.
        invented: Lines and events of requests that nobody sent.
        problem: What is wrong, "" if nothing is.
    """

    options: GunicornStormOptions
    seconds: float = 0.0
    answered: int = 0
    unanswered: int = 0
    kills: int = 0
    workers: int = 0
    users: list[int] = field(default_factory=list)
    lines: int = 0
    events: int = 0
    rotations: int = 0
    gaps: dict[str, int] = field(default_factory=dict)
    lost: int = 0
    doubled: int = 0
    torn: int = 0
    invented: int = 0
    problem: str = ""


class GunicornStorm:
    """Serves, asks and kills, then judges."""

    def __init__(self, folder: Path, options: GunicornStormOptions) -> None:
        self._folder = folder
        self._options = options
        self._random = random.Random(options.seed)
        self._outcome = Outcome(options=options)
        self._clients: list[Client] = []
        self._group = self._share_folder() if options.user else None

    def _share_folder(self) -> int:
        """Let the user of the workers make files, by its group; return that."""
        assert self._options.user is not None
        group = pwd.getpwnam(self._options.user).pw_gid
        os.chown(self._folder, -1, group)
        self._folder.chmod(0o2770)
        return group

    def blow(self) -> Outcome:
        """Do all of it."""
        with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
            port = listener.getsockname()[1]
            self._clients = [Client(port, n) for n in range(self._options.clients)]
            with self._serving(listener) as server:
                start_s = time.monotonic()
                self._ask_and_kill(psutil.Process(server.pid), listener)
                self._outcome.seconds = round(time.monotonic() - start_s, 1)
        self._complete("app.log", "stdlib")
        self._complete("audit.log", "lumberjack")
        self._judge()
        return self._outcome

    def _complete(self, name: str, dialect: Literal["lumberjack", "stdlib"]) -> None:
        """Let a writer finish what killed ones left, if nobody came after them.

        Lines in rings; and of a backup that one was compressing, both forms.
        """
        path = self._folder / name

        def is_settled() -> bool:
            files = log_files(path, dialect)
            plain = {file.with_suffix("") for file in files if file.suffix == ".gz"}
            return plain.isdisjoint(files)

        with LogWriter(path, dialect=dialect, group=self._group, compress="gzip"):
            wait_until(is_settled, f"no backup of {name} is there in two forms")

    # Serving.

    def _command(self, listener: socket.socket) -> list[str]:
        options = self._options
        kind = "asgi" if options.worker in _OF_ASGI else "wsgi"
        configuration = self._folder / "configuration.py"
        configuration.write_text(CONFIGURATION + CONFIGURATIONS.get(options.worker, ""))
        command = [
            *(sys.executable, "-m", "gunicorn", f"--bind=fd://{listener.fileno()}"),
            *(f"--config={configuration}", f"--workers={options.workers}"),
            *WORKERS[options.worker],
            "--graceful-timeout=10",
        ]
        if options.preload:
            command.append("--preload")
        if self._group is not None:
            group = grp.getgrgid(self._group).gr_name
            command += [f"--user={options.user}", f"--group={group}"]
        return [*command, f"webapp:{kind}_app"]

    @contextlib.contextmanager
    def _serving(self, listener: socket.socket) -> Iterator["subprocess.Popen[bytes]"]:
        """Run gunicorn, and end it; after SIGTERM it has to end by itself."""
        output = self._folder / "output"
        with output.open("wb") as file:
            process = subprocess.Popen(
                self._command(listener),
                cwd=FOLDER,
                env={
                    **os.environ,
                    "PYTHONPATH": f"{FOLDER}:{os.environ.get('PYTHONPATH', '')}",
                    "WEBAPP_BOOT_STREAM": str(BOOT_STREAM),
                    "WEBAPP_FOLDER": str(self._folder),
                    "WEBAPP_GROUP": "" if self._group is None else str(self._group),
                    "WEBAPP_MAX_BYTES": str(self._options.max_bytes),
                },
                pass_fds=[listener.fileno()],
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
        try:
            yield process
            if self._options.ending == "SIGKILL":
                return
            process.terminate()
            status = process.wait(LIMIT_S)
            if status:
                raise RuntimeError(f"gunicorn ended with status {status}")
        except BaseException as error:
            error.add_note(output.read_text()[-5000:])
            raise
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    # Asking and killing.

    def _ask_and_kill(self, server: psutil.Process, listener: socket.socket) -> None:
        """Ask and kill; with SIGKILL for an ending, the clients are asking then."""
        is_over = threading.Event()
        threads = [
            threading.Thread(target=client.run, args=(is_over,))
            for client in self._clients
        ]
        for thread in threads:
            thread.start()
        try:
            self._kill_now_and_then(server)
            if self._options.ending == "SIGKILL":
                os.killpg(server.pid, signal.SIGKILL)
                listener.close()  # else clients wait for whoever accepts them
        finally:
            is_over.set()
            for thread in threads:
                thread.join()

    def _kill_now_and_then(self, server: psutil.Process) -> None:
        options, outcome = self._options, self._outcome
        start_s = time.monotonic()
        killed_s, killed_at = start_s, 0
        stuck_s = start_s + LIMIT_S
        while outcome.kills < options.kills or (
            time.monotonic() < start_s + options.seconds
        ):
            time.sleep(0.01)
            now_s = time.monotonic()
            answered = self._count_answers()
            if any(client.problem for client in self._clients):
                return
            if now_s > stuck_s:
                raise RuntimeError(f"no worker answers any more, after {answered}")
            is_due = now_s >= killed_s + options.kill_interval_s
            if not is_due or answered < killed_at + ANSWERS_BETWEEN_KILLS:
                continue
            workers = server.children()
            if not workers:
                continue
            with contextlib.suppress(psutil.NoSuchProcess):
                self._random.choice(workers).kill()
                outcome.kills += 1
            killed_s, killed_at = now_s, answered
            stuck_s = now_s + LIMIT_S

    def _count_answers(self) -> int:
        return sum(len(client.answered) for client in self._clients)

    # What is right.

    def _judge(self) -> None:
        outcome = self._outcome
        answered = set.union(*(client.answered for client in self._clients))
        asked = set.union(answered, *(client.unanswered for client in self._clients))
        workers = set.union(*(client.workers for client in self._clients))
        outcome.answered = len(answered)
        outcome.unanswered = len(asked) - len(answered)
        outcome.workers = len(workers)
        outcome.users = sorted({user for _, user in workers})
        found = self._read_lines(), *self._read_events()
        # A handler holds an event loop up for a moment only, and then drops and tells.
        told = self._dropped_lines()
        for counts in found:
            outcome.lost += max(0, len(answered - counts.keys()) - told)
            told = 0
            outcome.doubled += counts.total() - len(counts)
            outcome.invented += len(counts.keys() - asked)
        files = [
            *log_files(self._folder / "app.log", "stdlib"),
            *log_files(self._folder / "audit.log"),
        ]
        outcome.rotations = len(files) - 2
        problems = [client.problem for client in self._clients if client.problem]
        if problems:
            outcome.problem = problems[0]
        elif outcome.lost or outcome.doubled or outcome.torn or outcome.invented:
            outcome.problem = "the logs are not what was answered"

    def _read_lines(self) -> Counter[Id]:
        """Count the lines of each request in app.log."""
        reading = read_log(self._folder / "app.log", "stdlib")
        self._outcome.torn += reading.torn_count
        self._note_gaps(note["auditring.io/reason"] for note in reading.gap_notes())
        boots = reading.streams.pop(BOOT_STREAM, [])
        self._outcome.lines = reading.lines - sum(map(len, boots))
        return Counter(
            (stream, number)
            for stream, runs in reading.streams.items()
            for run in runs
            for number in run
        )

    def _dropped_lines(self) -> int:
        """Return how many lines app.log's gap events tell of, which stand beside it."""
        try:
            lines = (
                (self._folder / "app.log.gaps").read_bytes().splitlines(keepends=True)
            )
        except FileNotFoundError:
            return 0
        notes = [gap["annotations"] for gap in map(parse_gap, lines) if gap is not None]
        self._note_gaps(note["auditring.io/reason"] for note in notes)
        return sum(
            int(note["auditring.io/count"])
            for note in notes
            if note["auditring.io/reason"] == "dropped"
        )

    def _read_events(self) -> tuple[Counter[Id], Counter[Id]]:
        """Count the events of each request in audit.log, by its two stages."""
        counts: dict[str, Counter[Id]] = {
            "RequestReceived": Counter(),
            "ResponseComplete": Counter(),
        }
        for file in log_files(self._folder / "audit.log"):
            with open_log_file(file) as lines:
                for line in lines:
                    self._read_event(line, counts)
        self._outcome.events = sum(count.total() for count in counts.values())
        return counts["RequestReceived"], counts["ResponseComplete"]

    def _read_event(self, line: bytes, counts: dict[str, Counter[Id]]) -> None:
        gap = parse_gap(line)
        if gap is not None:
            self._note_gaps([gap["annotations"]["auditring.io/reason"]])
            return
        try:
            event = json.loads(line)
            client, number = map(int, event["auditID"].split("-"))
            counts[event["stage"]][client, number] += 1
        except (ValueError, KeyError):
            self._outcome.torn += 1

    def _note_gaps(self, reasons: "Iterator[str] | list[str]") -> None:
        self._outcome.gaps = dict(Counter(self._outcome.gaps) + Counter(reasons))


def _blow(options: GunicornStormOptions) -> Outcome:
    # Below no folder that only its owner gets into.
    folder = Path(tempfile.mkdtemp(prefix="auditring-", dir="/tmp"))
    try:
        return GunicornStorm(folder, options).blow()
    finally:
        shutil.rmtree(folder)


def _variants(options: GunicornStormOptions) -> Iterator[GunicornStormOptions]:
    """Yield *options* for every kind of workers, if that is asked for."""
    if options.worker != "all":
        yield options
        return
    users = [None, "nobody"] if os.geteuid() == 0 else [None]
    for worker, preload, user in itertools.product(WORKERS, [False, True], users):
        yield replace(options, worker=worker, preload=preload, user=user)


def main() -> int:
    """Do what the arguments say."""
    options = GunicornStormOptions(**json.loads(sys.argv[1] if sys.argv[1:] else "{}"))
    is_good = True
    for variant in _variants(options):
        outcome = _blow(variant)
        print(json.dumps(asdict(outcome)), flush=True)
        is_good &= not outcome.problem
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
