"""The application of the README, copied into an empty folder, has a log that is right.

Served by gunicorn's kinds of workers, at every level: each request once, with who sent
it and how it ended, and the password nowhere.
"""

import http.client
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from bystander import wait_until
from shops import LIMIT_S, served

from auditring.audit.auditor import Auditor
from auditring.policy import Policy

README = (Path(__file__).parent.parent.parent / "README.md").read_text(encoding="utf-8")
PASSWORD = "open sesame"
WRONG = "letmein-8s7d6f"
BOUNDARY = "----readme"
RECEIPT = b"a receipt, which is nobody's business"
FORM = (
    f"--{BOUNDARY}\r\n"
    'Content-Disposition: form-data; name="receipt"; filename="r.txt"\r\n'
    "Content-Type: text/plain\r\n\r\n"
).encode() + (RECEIPT + f"\r\n--{BOUNDARY}--\r\n".encode())

EXPECTED = [
    ("get", "/orders", "system:anonymous", "ResponseComplete", 200),
    ("post", "/login", "system:anonymous", "ResponseComplete", 401),
    ("post", "/login", "alice", "ResponseComplete", 200),
    ("get", "/orders", "alice", "ResponseComplete", 200),
    ("delete", "/orders/1", "alice", "ResponseComplete", 204),
    ("post", "/orders/1/receipt", "alice", "ResponseComplete", 201),
    ("get", "/report", "alice", "Panic", 500),
    ("get", "/nowhere", "alice", "ResponseComplete", 404),
]
LEVELS = {
    1: {"get": "Metadata", "post": "Metadata", "delete": "Metadata"},
    2: {"get": "Metadata", "post": "Request", "delete": "Request"},
    3: {"get": "Request", "post": "Request", "delete": "Request"},
    4: dict.fromkeys(("get", "post", "delete"), "RequestResponse"),
}


def application() -> str:
    """Return the file that the README has readers make."""
    blocks = re.findall(r"^```python\n(# shop\.py\n.*?)^```$", README, re.DOTALL | re.M)
    (text,) = blocks
    assert isinstance(text, str)
    return text


class Client:
    """Somebody with a cookie."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._cookie = ""

    def send(
        self, method: str, path: str, body: bytes = b"", content_type: str = ""
    ) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, LIMIT_S)
        headers = {"Content-Type": content_type} if content_type else {}
        if self._cookie:
            headers["Cookie"] = self._cookie
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        answer.read()
        if cookie := answer.getheader("Set-Cookie"):
            self._cookie = cookie.partition(";")[0]
        connection.close()
        return answer.status

    def log_in(self, password: str) -> int:
        form = urlencode({"name": "alice", "password": password}).encode()
        kind = "application/x-www-form-urlencoded"
        return self.send("POST", "/login", form, kind)


def use(port: int) -> list[int]:
    """Send what `EXPECTED` tells; return how each was answered."""
    client = Client(port)
    return [
        client.send("GET", "/orders"),
        client.log_in(WRONG),
        client.log_in(PASSWORD),
        client.send("GET", "/orders"),
        client.send("DELETE", "/orders/1"),
        client.send(
            "POST",
            "/orders/1/receipt",
            FORM,
            f"multipart/form-data; boundary={BOUNDARY}",
        ),
        client.send("GET", "/report"),
        client.send("GET", "/nowhere"),
    ]


def lines_of(log: Path) -> Iterator[bytes]:
    if log.exists():
        yield from log.read_bytes().splitlines()


def in_short(event: dict[str, Any]) -> tuple[object, ...]:
    return (
        event["verb"],
        event["requestURI"],
        event["user"]["username"],
        event["stage"],
        event["responseStatus"]["code"],
    )


@pytest.mark.parametrize("level", [1, 2, 3, 4])
@pytest.mark.parametrize("workers", ["sync", "gthread"])
def test_the_application_of_the_readme_is_audited(
    tmp_path: Path, level: int, workers: str
) -> None:
    text = application()
    assert '"level": 2' in text
    folder = tmp_path / "empty"
    folder.mkdir()
    (folder / "shop.py").write_text(text.replace('"level": 2', f'"level": {level}'))
    command = ("gunicorn", "--bind=127.0.0.1:0", "--workers=2", f"-k{workers}")
    log = folder / "audit.log"

    output = tmp_path / "output"
    with served([*command, "shop:app"], output, folder) as port:
        codes = use(port)
        wait_until(lambda: sum(1 for _ in lines_of(log)) >= len(EXPECTED))

    events = [json.loads(line) for line in lines_of(log)]
    assert codes == [expected[-1] for expected in EXPECTED]
    assert [in_short(event) for event in events] == EXPECTED
    assert [event["level"] for event in events] == [
        LEVELS[level][verb] for verb, *_ in EXPECTED
    ]
    for secret in (PASSWORD, PASSWORD.replace(" ", "+"), WRONG, RECEIPT.decode()):
        assert secret.encode() not in log.read_bytes()
    assert "never record" not in output.read_text()


def test_the_readme_has_the_policy_without_a_configuration() -> None:
    (call,) = re.findall(r"`(Auditor\(Policy\.preset\(.*?\)\))`", README)

    places = {"Auditor": Auditor, "Policy": Policy, "LogWriter": lambda path: []}
    auditor = eval(call, places)

    assert auditor.policy.rule_set == Policy.preset("application-2").rule_set
