"""An application behind the ASGI middleware answers on while its log doesn't get on.

Who may be there: a disk that is full, a leader of another process that is stopped; a
ring that is full by then; other tasks of the loop, which have to run meanwhile.
"""

import asyncio
import http.client
import os
import subprocess
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from pathlib import Path
from typing import Any

import pytest
from bystander import Bystander, wait_until
from loopback import asgi_server

from auditring.config import open_auditor
from auditring.config.auditor import ConfiguredAuditor
from auditring.middleware.asgi import AuditMiddleware

# Far more events than the smallest ring takes.
REQUESTS = 80
# The bound is 50 ms once; the program's own default waits for 5 s, and each time.
LOOP_LIMIT_S = 2.0
# In every event, whatever of a request is recorded.
LONG = "x" * 4000

Message = MutableMapping[str, Any]


class Loop:
    """An application with a task beside it, which sees how long the loop stands still.

    Attributes:
        longest_s: For how long it did.
    """

    def __init__(self) -> None:
        self.longest_s = 0.0
        self._task: asyncio.Task[None] | None = None

    async def _watch(self) -> None:
        before_s = time.monotonic()
        while True:
            await asyncio.sleep(0.001)
            now_s = time.monotonic()
            self.longest_s = max(self.longest_s, now_s - before_s)
            before_s = now_s

    async def __call__(
        self,
        scope: Message,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        if self._task is None:
            self._task = asyncio.create_task(self._watch())
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"answer"})


def ask(port: int) -> tuple[int, float]:
    """Send many requests; return how many were answered, and the longest wait."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    answered, longest_s = 0, 0.0
    for number in range(REQUESTS):
        begin_s = time.monotonic()
        connection.request("GET", f"/orders/{number}/{LONG}")
        response = connection.getresponse()
        response.read()
        answered += response.status == 200
        longest_s = max(longest_s, time.monotonic() - begin_s)
    connection.close()
    return answered, longest_s


def open_log(path: Path) -> ConfiguredAuditor:
    """Open an audit log with the smallest ring, and else as it is by default."""
    return open_auditor(
        {
            "enabled": True,
            "path": str(path),
            "maxSize": "none",
            "ringSize": "64Ki",
            "preset": "application",
            "level": 4,
        }
    )


def check(path: Path, auditor: ConfiguredAuditor, get_on: Callable[[], object]) -> None:
    """Ask an application whose log doesn't get on, and look what the loop met."""
    loop = Loop()
    try:
        with asgi_server(AuditMiddleware(loop, auditor)) as client:
            answered, longest_s = ask(client.port)
            held_up_s = loop.longest_s
        lost = sum(losses.events for losses in auditor.losses())
    finally:
        get_on()
        auditor.close()
    assert answered == REQUESTS
    assert held_up_s < LOOP_LIMIT_S
    assert longest_s < LOOP_LIMIT_S
    # The ring was full for most of them, and that is counted.
    assert lost > REQUESTS / 4
    written = path.read_text().count('"stage":"ResponseComplete"')
    assert written + lost >= REQUESTS


def test_a_stopped_leader_holds_up_no_event_loop(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    with Bystander(path, max_bytes=0) as leader:
        assert leader.leads
        auditor = open_log(path)
        leader.stop()
        check(path, auditor, leader.resume)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Yield a disk of four megabytes."""
    mounted = tmp_path / "disk"
    mounted.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(mounted)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("needs root to mount a tmpfs")
    yield mounted
    subprocess.run(["umount", "-l", str(mounted)], check=True)


def test_a_full_disk_holds_up_no_event_loop(disk: Path) -> None:
    path, hog = disk / "audit.log", disk / "hog"
    auditor = open_log(path)  # its ring needs room
    stop = threading.Event()

    def keep_full() -> None:
        with hog.open("wb", 0) as file:
            while not stop.is_set():
                try:
                    file.write(bytes(1024))
                except OSError:
                    stop.wait(0.001)

    thread = threading.Thread(target=keep_full)
    thread.start()
    wait_until(lambda: os.statvfs(disk).f_bavail == 0)

    def get_on() -> None:
        stop.set()
        thread.join()
        hog.unlink()

    check(path, auditor, get_on)
