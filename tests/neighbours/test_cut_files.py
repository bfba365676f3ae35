"""Files of a log that somebody cuts while they are mapped kill nobody, and hang nobody.

Who may be there: a cleaner that empties every file it finds; the leader and another
writer, either of which may touch a page first; a fault handler that was there before,
or that comes after the log was opened; a child that was forked with the log open.
"""

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

LIMIT_S = 120

CUT = """\
import glob, os, sys, time
from auditring import LogWriter

def cut(pattern):
    for name in glob.glob(pattern):
        os.truncate(name, 0)

def open_log():
    return LogWriter(sys.argv[1], ring_bytes=65536, block_timeout=60)

def write(log, name, count=200):
    for i in range(count):
        try:
            log.write(b'{"who":"%s","n":%d,"fill":"%s"}' % (name, i, b"x" * 150))
        except OSError:
            pass

def until(condition):
    end = time.monotonic() + 60
    while not condition():
        if time.monotonic() > end:
            sys.exit("nothing came of it")
        time.sleep(0.01)

def has_gap():
    return b'"verb":"gap"' in open(sys.argv[1], "rb").read()

rings = os.path.dirname(sys.argv[1]) + "/.a.log.ring/"
"""


def run(body: str, tmp_path: Path, *flags: str) -> list[bytes]:
    """Run it in a process of its own; return the lines of the log."""
    log = tmp_path / "a.log"
    done = subprocess.run(
        [sys.executable, *flags, "-c", CUT + textwrap.dedent(body), log],
        capture_output=True,
        timeout=LIMIT_S,
    )
    assert done.returncode == 0, done
    return log.read_bytes().splitlines()


def gaps(lines: list[bytes]) -> dict[str, int]:
    found: dict[str, int] = {}
    for line in lines:
        event = json.loads(line)
        if event.get("verb") == "gap":
            notes = event["annotations"]
            reason = notes["auditring.io/reason"]
            found[reason] = found.get(reason, 0) + int(notes["auditring.io/count"])
    return found


def count(lines: list[bytes], who: bytes) -> int:
    return sum(b'{"who":"%s"' % who in line for line in lines)


@pytest.mark.parametrize("flags", [(), ("-X", "faulthandler")])
def test_a_ring_that_is_cut_is_left_and_its_loss_told(
    tmp_path: Path, flags: tuple[str, ...]
) -> None:
    lines = run(
        """
        log = open_log()
        write(log, b"before")
        log.flush(60)
        cut(rings + "ring.*")
        write(log, b"meanwhile")
        until(has_gap)
        write(log, b"after")
        assert log.flush(60)
        log.close(60)
        """,
        tmp_path,
        *flags,
    )

    assert count(lines, b"before") == count(lines, b"after") == 200
    assert gaps(lines)["lost-ring"] == 1


def test_a_fault_handler_that_comes_later_kills_nobody(tmp_path: Path) -> None:
    lines = run(
        """
        import faulthandler
        log = open_log()
        faulthandler.enable(open(os.devnull, "w"))
        cut(rings + "ring.*")
        write(log, b"meanwhile")
        until(has_gap)
        write(log, b"after")
        log.close(60)
        """,
        tmp_path,
    )

    assert count(lines, b"after") == 200


def test_the_ring_of_another_process_is_told_by_the_leader(tmp_path: Path) -> None:
    lines = run(
        """
        log = open_log()
        ready, go = os.pipe(), os.pipe()
        child = os.fork()
        if child == 0:
            write(log, b"child")
            log.flush(60)
            os.write(ready[1], b"x")
            os.read(go[0], 1)
            write(log, b"later")
            log.close(60)
            os._exit(0)
        os.read(ready[0], 1)
        cut(rings + "ring.1.*")
        until(has_gap)
        os.write(go[1], b"x")
        assert os.waitpid(child, 0)[1] == 0
        write(log, b"parent")
        log.close(60)
        """,
        tmp_path,
    )

    assert count(lines, b"child") == count(lines, b"later") == 200
    assert count(lines, b"parent") == 200
    assert gaps(lines) == {"lost-ring": 1}


@pytest.mark.parametrize("what", ["ctl", "lock", "*"])
def test_nobody_dies_or_hangs_whatever_is_cut(tmp_path: Path, what: str) -> None:
    lines = run(
        f"""
        log = open_log()
        write(log, b"before")
        log.flush(60)
        cut(rings + {what!r})
        write(log, b"meanwhile")
        begin = time.monotonic()
        try:
            log.flush(5)
        except OSError:
            pass
        try:
            log.close(5)
        except OSError:
            pass
        assert time.monotonic() - begin < 60
        log = open_log()
        write(log, b"after")
        log.close(60)
        """,
        tmp_path,
    )

    assert count(lines, b"before") == count(lines, b"after") == 200


def test_a_live_file_that_is_cut_is_told(tmp_path: Path) -> None:
    lines = run(
        """
        log = open_log()
        write(log, b"before")
        log.flush(60)
        cut(sys.argv[1])
        write(log, b"after")
        until(has_gap)
        log.close(60)
        """,
        tmp_path,
    )

    assert count(lines, b"after") == 200
    assert gaps(lines) == {"live-file-cut": 200}


def test_a_write_that_waits_for_the_disk_ends_when_its_ring_is_cut(
    tmp_path: Path,
) -> None:
    lines = run(
        """
        import signal, threading
        from auditring import LogWriter
        leader = os.fork()
        if leader == 0:
            log = open_log()
            log.write(b'{"who":"leader"}')
            log.flush()
            open(sys.argv[1] + ".led", "w").close()
            while True:
                time.sleep(1)
        until(lambda: os.path.exists(sys.argv[1] + ".led"))
        old = set(glob.glob(rings + "ring.*"))
        log = LogWriter(sys.argv[1], ring_bytes=65536, durability="sync")
        os.kill(leader, signal.SIGSTOP)
        os.waitpid(leader, os.WUNTRACED)
        ends = []

        def wait():
            try:
                log.write(b'{"who":"sync"}')
            except OSError as error:
                ends.append(error)

        thread = threading.Thread(target=wait, daemon=True)
        thread.start()

        def new():
            return set(glob.glob(rings + "ring.*")) - old

        until(lambda: any(b'"sync"' in open(name, "rb").read() for name in new()))
        for name in new():
            os.truncate(name, 0)
        until(lambda: ends)
        assert ends[0].errno == 5 and "cut" in str(ends[0]), ends
        os.kill(leader, signal.SIGKILL)
        os.waitpid(leader, 0)
        log.flush()
        log.close()
        """,
        tmp_path,
    )
    assert count(lines, b"leader") == 1
