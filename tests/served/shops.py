"""Shops that real servers serve, in processes of their own."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from auditring import follow

__all__ = ["LIMIT_S", "SHOPS", "Shop", "open_shop", "served"]

LIMIT_S: Final = 60.0
_FOLDER = Path(__file__).parent
_NO_VARIABLES: Final[Mapping[str, str]] = {}
_ADDRESS = re.compile(r"http://127\.0\.0\.1:([1-9]\d*)")

_GUNICORN = ("gunicorn", "--bind=127.0.0.1:0", "--workers=2", "--keep-alive=60")
_UVICORN = ("uvicorn", "--host=127.0.0.1", "--port=0", "--lifespan=off")

SHOPS = {
    "fastapi": (*_UVICORN, "--workers=2", "fastapi_app:app"),
    "flask": (*_GUNICORN, "--threads=4", "flask_app:app"),
    "django": (*_GUNICORN, "django_app:app"),
    "django-asgi": (*_UVICORN, "django_app:asgi_app"),
}


@dataclass(frozen=True)
class Shop:
    """A shop that is open.

    Attributes:
        name: Of `SHOPS`.
        port: Where it is on 127.0.0.1.
        log: Where its audit log is.
    """

    name: str
    port: int
    log: Path

    def events(self) -> list[dict[str, Any]]:
        """Return the events in the log by now."""
        return [json.loads(line) for line, _ in follow(self.log, wait=False)]

    def events_of(self, audit_id: str) -> list[dict[str, Any]]:
        """Return the events of one request by now."""
        return [event for event in self.events() if event["auditID"] == audit_id]


@contextlib.contextmanager
def open_shop(name: str, folder: Path) -> Iterator[Shop]:
    """Serve a shop; at the end the server gets SIGTERM and has to end by itself."""
    log = folder / "audit.log"
    variables = {
        "PYTHONPATH": f"{_FOLDER}:{os.environ.get('PYTHONPATH', '')}",
        "SHOP_LOG": str(log),
    }
    with served(SHOPS[name], folder / "output", _FOLDER, variables) as port:
        yield Shop(name, port, log)


@contextlib.contextmanager
def served(
    command: Sequence[str],
    output: Path,
    folder: Path,
    variables: Mapping[str, str] = _NO_VARIABLES,
) -> Iterator[int]:
    """Run a server in a folder, and return its port; it ends as `open_shop`'s does."""
    with output.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=folder,
            env={**os.environ, **variables},
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    try:
        yield _wait_for_port(process, output)
        process.terminate()
        assert process.wait(LIMIT_S) in (0, -signal.SIGTERM)
    except BaseException as error:
        error.add_note(output.read_text()[-5000:])
        raise
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait_for_port(process: "subprocess.Popen[bytes]", output: Path) -> int:
    """Wait until the server takes connections, and return its port."""
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline and process.poll() is None:
        address = _ADDRESS.search(output.read_text())
        if address is not None:
            port = int(address[1])
            with (
                contextlib.suppress(ConnectionRefusedError),
                socket.create_connection(("127.0.0.1", port)),
            ):
                return port
        time.sleep(0.01)
    raise AssertionError("the server didn't start")
