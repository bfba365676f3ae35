"""Behind gunicorn, with workers killed now and then, every answered request is logged.

Once each, whether the application is loaded before the workers are forked or after, and
whether they give up their rights or not.
"""

import contextlib
import grp
import http.client
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from oracle import read_log

from auditring import LogWriter

FOLDER = Path(__file__).parent
WORKERS = 2
CLIENTS = 4
REQUESTS = 120
KILL_EVERY = 60
LIMIT_S = 30

# An application that is loaded by a worker of another user may find an interpreter in
# somebody's home that it can't read: what it imports is there before.
CONFIGURATION = "import urllib.parse\nimport auditring\nimport stream\n"


class Client:
    """Sends requests one after the other, each for the next number of its stream."""

    def __init__(self, port: int, stream: int) -> None:
        self.stream = stream
        self.answered: set[int] = set()
        self.unanswered: set[int] = set()
        self.workers: set[tuple[int, ...]] = set()  # pid and user
        self._port = port

    def run(self) -> None:
        for number in range(REQUESTS):
            worker = self._ask(number)
            if worker is None:
                self.unanswered.add(number)
                continue
            self.answered.add(number)
            self.workers.add(worker)
            # The clients take turns, so that not all workers are killed at once.
            if number % KILL_EVERY == self.stream * KILL_EVERY // CLIENTS:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(worker[0], signal.SIGKILL)

    def _ask(self, number: int) -> tuple[int, ...] | None:
        """Return pid and user of the worker that answered, None if none did."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, LIMIT_S)
        try:
            connection.request("GET", f"/?stream={self.stream}&number={number}")
            response = connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()
        assert response.status == 200, (response.status, body)
        return tuple(map(int, body.split()))

    def check(self, numbers: Sequence[range]) -> None:
        """Compare with what is in the log of this client's stream."""
        counts = Counter(number for run in numbers for number in run)
        assert {counts[number] for number in self.answered} == {1}
        assert {counts[number] for number in self.unanswered} <= {0, 1}
        assert counts.keys() <= self.answered | self.unanswered


@contextlib.contextmanager
def running_gunicorn(
    folder: Path, listener: socket.socket, group: int | None, options: Sequence[str]
) -> Iterator[None]:
    """Run gunicorn; at the end it gets SIGTERM and has to end by itself."""
    configuration = folder / "configuration.py"
    configuration.write_text(CONFIGURATION)
    output = folder / "output"
    command = [
        *(sys.executable, "-m", "gunicorn", f"--bind=fd://{listener.fileno()}"),
        *(f"--config={configuration}", f"--workers={WORKERS}", *options),
        *("--graceful-timeout=10", "webapp:app"),
    ]
    with output.open("wb") as file:
        process = subprocess.Popen(
            command,
            cwd=FOLDER,
            env={
                **os.environ,
                "PYTHONPATH": f"{FOLDER}:{os.environ.get('PYTHONPATH', '')}",
                "WEBAPP_LOG": str(folder / "audit.log"),
                "WEBAPP_GROUP": "" if group is None else str(group),
            },
            pass_fds=[listener.fileno()],
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    try:
        yield
        process.terminate()
        assert process.wait(LIMIT_S) == 0
    except BaseException as error:
        error.add_note(output.read_text()[-5000:])
        raise
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def check_serving(
    folder: Path, group: int | None, options: Sequence[str], user: int
) -> None:
    """Let clients ask while workers of *user* are killed, and judge the log."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        port = listener.getsockname()[1]
        clients = [Client(port, stream) for stream in range(CLIENTS)]
        threads = [threading.Thread(target=client.run) for client in clients]
        with running_gunicorn(folder, listener, group, options):
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    LogWriter(folder / "audit.log", group=group).close()

    reading = read_log(folder / "audit.log")

    assert reading.torn == []
    assert reading.gap_reasons() <= {"abandoned-reservation"}
    for client in clients:
        assert len(client.answered) > REQUESTS // 2
        client.check(reading.streams.get(client.stream, []))
    workers = set.union(*(client.workers for client in clients))
    assert {worker[1] for worker in workers} == {user}
    assert len(workers) > WORKERS  # as some were replaced
    kills = CLIENTS * REQUESTS // KILL_EVERY
    assert sum(len(client.unanswered) for client in clients) <= 4 * kills


@pytest.mark.parametrize("preload", [(), ("--preload",)], ids=["late", "preload"])
@pytest.mark.parametrize(
    "worker",
    [("--worker-class=sync",), ("--worker-class=gthread", "--threads=4")],
    ids=["sync", "gthread"],
)
def test_every_answered_request_is_logged_once(
    tmp_path: Path, worker: tuple[str, ...], preload: tuple[str, ...]
) -> None:
    check_serving(tmp_path, None, [*worker, *preload], os.getuid())


@pytest.fixture
def shared_folder() -> Iterator[Path]:
    """Make a folder that the group of nobody may write to, below no private one."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    folder = Path(tempfile.mkdtemp(prefix="auditring-", dir="/tmp"))
    os.chown(folder, -1, pwd.getpwnam("nobody").pw_gid)
    folder.chmod(0o2770)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize("preload", [(), ("--preload",)], ids=["late", "preload"])
def test_workers_of_another_user_share_the_log_by_its_group(
    shared_folder: Path, preload: tuple[str, ...]
) -> None:
    nobody = pwd.getpwnam("nobody")
    group = nobody.pw_gid
    rights = ["--user=nobody", f"--group={grp.getgrgid(group).gr_name}"]

    check_serving(shared_folder, group, [*rights, *preload], nobody.pw_uid)

    assert (shared_folder / "audit.log").stat().st_gid == group
