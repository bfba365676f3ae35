"""A client that leaves in the middle of an answer, behind servers of every kind."""

import os
import socket
from pathlib import Path

import pytest
from bystander import wait_until
from shops import LIMIT_S, Shop, served

FOLDER = Path(__file__).parent
GUNICORN = ("gunicorn", "--bind=127.0.0.1:0")
SERVERS = {
    "uvicorn": ("uvicorn", "--host=127.0.0.1", "--port=0", "fastapi_app:app"),
    "hypercorn": ("hypercorn", "--bind=127.0.0.1:0", "fastapi_app:app"),
    "gunicorn uvicorn": (
        *GUNICORN,
        "-kuvicorn_worker.UvicornWorker",
        "fastapi_app:app",
    ),
    "gunicorn sync": (*GUNICORN, "flask_app:app"),
    "gunicorn gthread": (*GUNICORN, "--threads=4", "flask_app:app"),
    "waitress": ("waitress", "--listen=127.0.0.1:0", "flask_app:app"),
}
INCOMPLETE = "auditring.io/response-incomplete"
REQUEST = (
    b"GET /endless?kind=text/plain HTTP/1.1\r\nHost: shop\r\nX-User: rita\r\n"
    b"Audit-ID: departed\r\n\r\n"
)


@pytest.mark.parametrize("command", SERVERS.values(), ids=SERVERS)
def test_the_event_says_that_the_answer_was_not_given_whole(
    command: tuple[str, ...], tmp_path: Path
) -> None:
    log = tmp_path / "audit.log"
    variables = {
        "PYTHONPATH": f"{FOLDER}:{os.environ.get('PYTHONPATH', '')}",
        "SHOP_LOG": str(log),
    }
    with served(command, tmp_path / "output", FOLDER, variables) as port:
        shop = Shop("any", port, log)
        with socket.create_connection(("127.0.0.1", port), LIMIT_S) as connection:
            connection.sendall(REQUEST)
            got = b""
            while b"xxxx" not in got:
                got += connection.recv(4096)

        wait_until(lambda: len(shop.events_of("departed")) == 2)

    first, last = shop.events_of("departed")
    assert first["stage"] == "RequestReceived"
    assert last["stage"] == "ResponseComplete"
    assert last["user"]["username"] == "rita"
    assert last["responseStatus"]["code"] == 200
    assert INCOMPLETE in last["annotations"]
