"""Django REST framework finds out the user in the view, behind every kind of server."""

import http.client
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from bystander import wait_until
from shops import LIMIT_S, served

FOLDER = Path(__file__).parent
GUNICORN = ("gunicorn", "--bind=127.0.0.1:0", "--workers=2")
UVICORN_WORKER = "-kuvicorn_worker.UvicornWorker"
SERVERS = {
    "gunicorn sync": (*GUNICORN, "rest_app:app"),
    "gunicorn gthread": (*GUNICORN, "--threads=4", "rest_app:app"),
    "gunicorn uvicorn": (
        *GUNICORN,
        "-kuvicorn_worker.UvicornWorker",
        "rest_app:asgi_app",
    ),
    "uvicorn": ("uvicorn", "--host=127.0.0.1", "--port=0", "rest_app:asgi_app"),
    "hypercorn": ("hypercorn", "--bind=127.0.0.1:0", "rest_app:asgi_app"),
    "waitress": ("waitress", "--listen=127.0.0.1:0", "rest_app:app"),
}
DORA = {"username": "dora", "uid": "1", "groups": ["staff", "system:authenticated"]}
ANONYMOUS = {"username": "system:anonymous", "groups": ["system:unauthenticated"]}
ORDER = b'{"item": "tea"}'


@pytest.fixture
def variables(tmp_path: Path) -> dict[str, str]:
    return {
        "REST_DATABASE": str(tmp_path / "users.sqlite"),
        "REST_LOG": str(tmp_path / "audit.log"),
        "PYTHONPATH": f"{FOLDER}:{os.environ.get('PYTHONPATH', '')}",
    }


def make_token(variables: dict[str, str]) -> str:
    return subprocess.run(
        [sys.executable, FOLDER / "rest_app.py"],
        env={**os.environ, **variables, "REST_LOG": variables["REST_LOG"] + ".unused"},
        check=True,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    ).stdout.strip()


def send(port: int, method: str, token: str = "", body: bytes = b"") -> int:
    headers = {"Content-Type": "application/json"} if body else {}
    if token:
        headers["Authorization"] = f"Token {token}"
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT_S)
    connection.request(method, "/orders", body, headers)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


@pytest.mark.parametrize("command", SERVERS.values(), ids=SERVERS)
def test_the_owner_of_a_token_is_named(
    tmp_path: Path, variables: dict[str, str], command: tuple[str, ...]
) -> None:
    token = make_token(variables)
    log = Path(variables["REST_LOG"])

    def lines() -> list[bytes]:
        return log.read_bytes().splitlines() if log.exists() else []

    with served(command, tmp_path / "output", tmp_path, variables) as port:
        codes = [
            send(port, "GET", token),
            send(port, "POST", token, ORDER),
            send(port, "DELETE", token),
            send(port, "GET", "wrong"),
            send(port, "GET"),
        ]
        wait_until(lambda: len(lines()) >= len(codes))

    events: list[dict[str, Any]] = [json.loads(line) for line in lines()]
    assert codes == [200, 201, 500, 401, 401]
    assert [event["responseStatus"]["code"] for event in events] == codes
    assert [event["stage"] for event in events].count("Panic") == 1
    assert [event["user"] for event in events] == [DORA] * 3 + [ANONYMOUS] * 2
    assert not any("annotations" in event for event in events)
    assert token.encode() not in log.read_bytes()
