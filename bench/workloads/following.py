"""W10: how fast a rotated log is read, as a sidecar prints it and in a program."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict

from lines import Account, load_lines
from logfiles import stamped_files
from printing import MB, print_log
from stand import Measured, Stand
from workloads.workload import Workload

from auditring import LogWriter, follow
from auditring.follow import follow_chunks

__all__ = ["WORKLOADS"]

LOG = "audit.log"
ACCOUNT = "account.json"
SIDECAR = (sys.executable, "-m", "auditring", "sidecar")


class Following(Workload):
    """What comes out is compared with what was written, byte for byte.

    `cat` is told the files; it is the limit for what a pipe takes.
    """

    name = "W10_follow"
    title = "following a log over its backups"
    unit = "MB"
    line_bytes = 0
    baseline = "tail -F, one file"
    rivals = ("tail -F, one file",)
    limits = ("cat",)

    def contenders(self) -> list[str]:
        return [
            "auditring sidecar",
            "auditring sidecar, no cursor",
            "auditring follow",
            "auditring follow_chunks",
            "cat",
            "tail -F, one file",
        ]

    def prepare(self, stand: Stand) -> None:
        once = b"".join(load_lines())
        turns = stand.parameters.followed_bytes // len(once)
        # Several files, also of a short log.
        size = stand.parameters.followed_bytes // 5
        with LogWriter(stand.prepared / LOG, max_bytes=size) as log:
            for _ in range(turns):
                log.write_lines(once)
        (stand.prepared / "one").mkdir()
        (stand.prepared / "one" / LOG).write_bytes(once * turns)

    def count(self, stand: Stand, contender: str) -> int:
        return stand.parameters.followed_bytes // MB

    def run(self, stand: Stand, contender: str) -> Measured:
        once = b"".join(load_lines())
        size = stand.parameters.followed_bytes // len(once) * len(once)
        path = stand.prepared / LOG
        if contender in ("auditring follow", "auditring follow_chunks"):
            read = follow if contender == "auditring follow" else follow_chunks
            account, seconds = _read(lambda: read(path, wait=False), once, size)
            count = size // MB
        else:
            run = print_log(_command(stand, contender), once, size)
            assert run.account is not None
            account, seconds, count = run.account, run.seconds, run.count
        (stand.logs / ACCOUNT).write_text(json.dumps(asdict(account)))
        return Measured(count, seconds, {})

    def account(self, stand: Stand, contender: str) -> Account | None:
        note = stand.logs / ACCOUNT
        return Account(**json.loads(note.read_text())) if note.exists() else None


def _command(stand: Stand, contender: str) -> list[str]:
    path = stand.prepared / LOG
    if contender == "cat":
        return ["cat", *map(str, stamped_files(path))]
    if contender == "tail -F, one file":
        return ["tail", "-n", "+1", "-F", str(stand.prepared / "one" / LOG)]
    sidecar = [*SIDECAR, str(path), "--from-start"]
    if contender == "auditring sidecar":
        sidecar += ["--cursor", str(stand.logs / "cursor")]
    return sidecar


def _read(
    pieces: Callable[[], Iterator[tuple[bytes, object]]], once: bytes, size: int
) -> tuple[Account, float]:
    """Read all, and then once more to compare: the comparison isn't timed."""
    start = time.perf_counter()
    done = sum(len(piece) for piece, _ in pieces())
    seconds = time.perf_counter() - start
    position, is_equal = 0, True
    repeated = once * 2
    for piece, _ in pieces():
        for first in range(0, len(piece), len(once)):
            part = piece[first : first + len(once)]
            place = position % len(once)
            is_equal &= part == repeated[place : place + len(part)]
            position += len(part)
    return Account(size - done, 0, 0, in_order=is_equal), seconds


WORKLOADS = [Following()]
