"""Somebody who may write to a log's shared files fills them with rubbish, all the time.

Who is there: a leader and other writers, of another user than the one who scribbles
where we are root; then somebody who recovers the log while it is scribbled on. Lines
may be lost, and calls may fail. Nobody dies of a signal, no call takes for ever, and
every line in the files is one that somebody wrote, or an event of ours.

Called with seconds and a seed, it runs that long and says what it found.
"""

import contextlib
import functools
import json
import mmap
import os
import random
import re
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from auditring import LogWriter
from auditring.cli.recover import recover

__all__ = ["trial"]

NOBODY = 65534
WRITERS = 3
CALL_LIMIT_S = 60.0
LINE = re.compile(rb"W \d \d+ (?:abcdefgh)*")


def child(act: Callable[[], None]) -> int:
    """Start a process that does it; 0 is its exit status when all is well."""
    pid = os.fork()
    if pid == 0:
        status = 3
        try:
            act()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    return pid


def write(path: Path, who: int, until_s: float) -> None:
    """Write until the time is up; every call within its limit."""
    signal.alarm(int(until_s - time.monotonic() + CALL_LIMIT_S))
    group = {"group": NOBODY} if os.geteuid() == 0 else {}
    options: dict[str, Any] = {
        "ring_bytes": 65536,
        "max_bytes": 0,
        "on_full": "drop",
        **group,
    }
    log = None
    while log is None and time.monotonic() < until_s:
        with contextlib.suppress(OSError):
            log = LogWriter(path, **options)
    if log is None:
        return
    number = 0
    while time.monotonic() < until_s:
        number += 1
        with contextlib.suppress(OSError):
            log.write(b"W %d %d %s" % (who, number, b"abcdefgh" * (number % 90)))
        if number % 500 == 0:
            with contextlib.suppress(OSError):
                log.flush(0.05)
                log.stats()
    with contextlib.suppress(OSError):
        log.close(2)


def rubbish(chance: random.Random, size: int) -> bytes:
    """Return what one scribble writes."""
    kind = chance.randrange(5)
    if kind == 0:
        return b"\xff" * size
    if kind == 1:
        return b"\xff\xff\xff\x7f" * (size // 4)
    if kind == 2:
        return bytes(size)
    if kind == 3:
        return chance.randrange(1 << 20).to_bytes(8, "little") * (size // 8)
    return chance.randbytes(size)


def scribble(state: Path, seed: int) -> None:
    """Fill words, pages and whole files with rubbish, until killed."""
    chance = random.Random(seed)
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    while True:
        for name in [state / "ctl", *state.glob("ring.*")]:
            with contextlib.suppress(OSError, ValueError), open(name, "r+b") as file:
                spoil(mmap.mmap(file.fileno(), 0), chance)


def spoil(data: mmap.mmap, chance: random.Random) -> None:
    for _ in range(50):
        size = chance.choice([8, 8, 8, 64, 4096])
        # As often the first page as all others: there stand the cursors.
        limit = len(data) if chance.random() < 0.5 else 4096 + size
        at = chance.randrange(max(1, (min(limit, len(data)) - size) // 8)) * 8
        data[at : at + size] = rubbish(chance, size)
    data.close()


def endings(pids: list[int]) -> list[int]:
    return [os.waitpid(pid, 0)[1] for pid in pids]


def odd_lines(directory: Path) -> list[bytes]:
    """Return the lines that nobody wrote."""
    odd = []
    for path in directory.glob("a*"):
        for line in path.read_bytes().splitlines():
            if not LINE.fullmatch(line) and not is_event(line):
                odd.append(line[:200])
    return odd


def is_event(line: bytes) -> bool:
    try:
        return bool(json.loads(line)["verb"] == "gap")
    except (ValueError, KeyError, TypeError):
        return False


def recover_once(path: Path) -> None:
    signal.alarm(int(CALL_LIMIT_S))
    with contextlib.suppress(OSError):
        recover(path)


def trial(seconds: float, seed: int) -> dict[str, list[Any]]:
    """Run once; say how the processes ended, and which lines are odd."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        if os.geteuid() == 0:
            os.chown(directory, 0, NOBODY)
        directory.chmod(0o770)
        path = directory / "a.log"
        state = directory / ".a.log.ring"
        until_s = time.monotonic() + seconds
        writers = [
            child(functools.partial(write, path, who, until_s))
            for who in range(WRITERS)
        ]
        while not (state / "ctl").exists() and time.monotonic() < until_s:
            time.sleep(0.01)
        scribbler = child(lambda: scribble(state, seed))
        ended = endings(writers)
        ended += endings([child(lambda: recover_once(path))])
        os.kill(scribbler, signal.SIGKILL)
        endings([scribbler])
        ended += endings([child(lambda: recover_once(path))])
        return {"endings": ended, "odd": odd_lines(directory)[:5]}


if __name__ == "__main__":
    result = trial(float(sys.argv[1]), int(sys.argv[2]))
    print(json.dumps(result, default=repr))
    sys.exit(bool(any(result["endings"]) or result["odd"]))
