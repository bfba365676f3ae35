"""gunicorn that root starts and whose workers are another user, with all our ways in.

Who may be there: a master that stays root, has the log open (with --preload) or not and
leads; workers that open the log as themselves, or were forked with it and gave up root;
a reload, which ends them and forks others; rotations all the while; a restart by root,
a command of the service's user, a recovery.
"""

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from bystander import wait_until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

SUPPORT = Path(__file__).parents[1] / "support"
SERVICE = 65534
LIMIT_S = 60
REQUESTS = 150

APPLICATION = """\
import logging, os
from auditring.config import open_auditor
from auditring.handlers import AuditHandler, RotatingFileHandler
from auditring.middleware.wsgi import AuditMiddleware

folder, group = os.environ["FOLDER"], os.environ["GROUP"]
options = {"group": int(group)} if group else {}
size = int(os.environ["SIZE"])
logger = logging.Logger("app")
logger.addHandler(
    RotatingFileHandler(folder + "/app.log", "a", 10_000, 1000, **options)
)
logger.addHandler(AuditHandler(folder + "/records.log", max_bytes=size, **options))
auditor = open_auditor(
    {
        "enabled": True,
        "path": folder + "/audit.log",
        "maxSize": f"{size >> 10}Ki",
        "preset": "application",
        "level": 1,
        **options,
    }
)

def answer(environ, start_response):
    logger.info("asked %s.", environ["PATH_INFO"])
    start_response("200 OK", [("Content-Length", "0"), ("X-Uid", str(os.geteuid()))])
    return []

application = AuditMiddleware(answer, auditor)
"""

# A worker may have no right to read the interpreter's files: root imports them before.
SETTINGS = """\
import sys
sys.path[:0] = [{folder!r}, {tests!r}]
import hashlib, importlib.readers, importlib.resources
from members import import_all
import_all()
import auditring.middleware.wsgi
bind = "unix:{folder}/socket"
workers = 2
worker_class = {worker_class!r}
threads = {threads}
control_socket_disable = True
preload_app = {preloads}
user = group = {user}
graceful_timeout = 10
"""


class Server:
    """A gunicorn of root."""

    def __init__(
        self, folder: Path, *, worker_class: str, preloads: bool, group: str, size: int
    ) -> None:
        self._socket = folder / "socket"
        (folder / "application.py").write_text(APPLICATION)
        settings = folder / "settings.py"
        settings.write_text(
            SETTINGS.format(
                folder=str(folder),
                tests=str(SUPPORT),
                worker_class=worker_class,
                threads=1 if worker_class == "sync" else 4,
                preloads=preloads,
                user=SERVICE,
            )
        )
        self._said = (folder / "said").open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "-c", settings, "application"],
            stdout=self._said,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env={
                **os.environ,
                "FOLDER": str(folder / "log"),
                "GROUP": group,
                "SIZE": str(size),
            },
        )

    def answers(self, path: str) -> bool:
        """Tell whether a request is answered, by a worker that isn't root."""
        connection = http.client.HTTPConnection("localhost", timeout=LIMIT_S)
        connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.sock.settimeout(LIMIT_S)
        try:
            connection.sock.connect(str(self._socket))
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status == 200 and response.headers["X-Uid"] == str(SERVICE)
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def ask(self, name: str) -> list[str]:
        """Send many requests at a time; return the paths that were answered."""
        answered: list[str] = []

        def send(client: int) -> None:
            for number in range(REQUESTS):
                path = f"/{name}.{client}.{number}."
                if self.answers(path):
                    answered.append(path)

        threads = [threading.Thread(target=send, args=(client,)) for client in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return answered

    def stop(self) -> float:
        """End it as systemd does; return how long that took."""
        begin = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(LIMIT_S)
        self._said.close()
        return time.monotonic() - begin


@pytest.fixture
def folder() -> Iterator[Path]:
    """A directory that everybody may enter, with one for the log."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        os.chmod(name, 0o755)
        (Path(name) / "log").mkdir()
        yield Path(name)


def paths_in(log: Path) -> list[str]:
    """Return what was requested, as a log and its backups have it."""
    files = [file for file in log.parent.iterdir() if file.name.startswith(log.stem)]
    text = "".join(file.read_text() for file in files if file.is_file())
    return re.findall(r"/\w+\.\d+\.\d+\.", text)


AS_SERVICE = """\
import os, sys
sys.path.insert(0, sys.argv[1])
from members import become, import_all
import_all()
from auditring import LogWriter
become(65534)
for path in sys.argv[2:]:
    with LogWriter(path, adopt_settings=True) as log:
        log.write(b"/service.0.0.")
        assert log.flush(20)
"""


def check(folder: Path, answered: list[str]) -> None:
    """Look for each request, once in each log, and for what a recovery finds."""
    log = folder / "log"
    for name in ("app.log", "audit.log", "records.log"):
        found = paths_in(log / name)
        missing = set(answered) - set(found)
        assert not missing, (name, len(missing), (folder / "said").read_text())
        if name != "records.log":
            # A record has its text twice, in the message and in what it was made of.
            assert len(found) == len(set(found)), name
        is_rotated = len(list(log.glob(f"{Path(name).stem}*.log*"))) > 1
        assert is_rotated, name
        done = subprocess.run(
            [sys.executable, "-m", "auditring", "recover", log / name],
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
        )
        assert (done.returncode, done.stderr) == (0, ""), done.stdout
        assert '"verb":"gap"' not in (log / name).read_text()


@pytest.mark.parametrize("worker_class", ["sync", "gthread"])
@pytest.mark.parametrize(
    ("preloads", "owner", "group"),
    [
        (False, SERVICE, ""),
        (True, SERVICE, ""),
        (True, 0, str(SERVICE)),
        (True, 0, ""),
    ],
    ids=[
        "not preloaded",
        "preloaded",
        "preloaded, root's directory, group",
        "preloaded, root's directory",
    ],
)
def test_every_request_of_workers_of_another_user_is_in_every_log(
    folder: Path,
    worker_class: str,
    preloads: bool,
    owner: int,
    group: str,
) -> None:
    os.chown(folder / "log", owner, owner)
    answered = []
    for run in ("first", "second"):
        server = Server(
            folder,
            worker_class=worker_class,
            preloads=preloads,
            group=group,
            size=2**16,
        )
        try:
            wait_until(lambda server=server: server.answers("/up"))
            answered += server.ask(run)
            server.process.send_signal(signal.SIGHUP)
            answered += server.ask(f"{run}reloaded")
        finally:
            took_s = server.stop()
        assert took_s < 20, (folder / "said").read_text()
    assert len(answered) > 4 * REQUESTS
    check(folder, answered)
    logs = [folder / "log" / name for name in ("app.log", "audit.log")]
    if owner == SERVICE:
        subprocess.run(
            [sys.executable, "-c", AS_SERVICE, SUPPORT, *logs],
            check=True,
            timeout=LIMIT_S,
        )
    check(folder, answered)
