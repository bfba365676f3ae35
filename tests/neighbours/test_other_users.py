"""Other users at a log: nobody's line is lost, nobody waits for what isn't his.

Who may be there: a service under a user of its own, root before, beside and after it
(a command, a cron job), a ring that root left and nobody else may read, a worker that
gave up root after it opened the log, and a leader that was one of them.
"""

import os
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

SUPPORT = Path(__file__).parents[1] / "support"
LIMIT_S = 100

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

BEGIN = """\
import logging, os, sys
from pathlib import Path
from auditring import LogWriter
from auditring.handlers import RotatingFileHandler, TimedRotatingFileHandler
from members import *
from members import rings
import_all()
log = Path(sys.argv[1])

def service_writes(member, name="service", **options):
    options = {"max_bytes": 0, "adopt_settings": True, **options}
    with LogWriter(log, **options) as writer:
        writer.write(name.encode() + b" begins")
        member.say("up")
        while True:
            member.obey()
            writer.write(name.encode() + b" works")
            flushed = writer.flush(20)
            member.say(f"{flushed} {writer.stats().leads}")

def lines():
    return log.read_text().splitlines()

"""


def run(program: str, log: Path) -> str:
    """Run a program with members; return what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + textwrap.dedent(program), log],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        env={**os.environ, "PYTHONPATH": str(SUPPORT)},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def folder() -> Iterator[Path]:
    """A directory of root that all may enter: those of `tmp_path` are one user's."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        os.chmod(name, 0o755)
        yield Path(name)


@pytest.fixture
def root_log(folder: Path) -> Path:
    """A log in a directory of root that all may enter."""
    return folder / "app.log"


@pytest.fixture
def service_log(folder: Path) -> Path:
    """A log in a directory that belongs to the user of a service."""
    os.chown(folder, 65534, 65534)
    return folder / "app.log"


@needs_root
def test_root_beside_a_service_leaves_nothing_that_the_service_may_not_read(
    service_log: Path,
) -> None:
    run(
        """
        service = Member(service_writes, SERVICE)
        assert service.hear() == "up"
        command = Member(lambda member: service_writes(member, "command"))
        assert command.hear() == "up"
        assert {ring.stat().st_uid for ring in rings(log)} == {SERVICE}
        assert command.ask() == "True False"
        assert service.ask() == "True True"
        command.kill()
        assert service.ask() == "True True"
        service.kill()
        assert lines().count("command works") == 1
        assert lines().count("service works") == 2
        """,
        service_log,
    )


@needs_root
@pytest.mark.parametrize("opened", ["LogWriter(log)", "RotatingFileHandler(log)"])
def test_a_first_run_by_root_founds_the_log_for_the_service(
    service_log: Path, opened: str
) -> None:
    run(
        f"""
        def command(member):
            {opened}.close()
        assert Member(command).end() == 0
        service = Member(service_writes, SERVICE)
        assert service.hear() == "up"
        assert service.ask() == "True True"
        service.kill()
        for path in (log, *log.with_name(".app.log.ring").iterdir()):
            assert path.stat().st_uid == SERVICE, path
        """,
        service_log,
    )


@needs_root
def test_an_unreadable_ring_that_root_left_holds_nobody_up_and_root_drains_it(
    service_log: Path,
) -> None:
    run(
        """
        def command(member):
            writer = LogWriter(log)
            writer.write(b"command works")
            member.say("up")
            member.obey()
        leader = Member(lambda member: service_writes(member, "leader"), SERVICE)
        assert leader.hear() == "up"
        assert leader.ask() == "True True"
        with leader.stopped():
            left = Member(command)
            assert left.hear() == "up"
            left.kill()
            for ring in rings(log):
                os.chown(ring, 0, 0)
            leader.kill()
        service = Member(service_writes, SERVICE)
        assert service.hear() == "up"
        assert service.ask() == "True True"
        again = Member(lambda member: service_writes(member, "root"))
        assert again.hear() == "up"
        assert again.ask() == "True True"
        wait_for(lambda: "command works" in lines())
        assert service.ask() == "True False"
        again.kill()
        service.kill()
        """,
        service_log,
    )


@needs_root
def test_the_owner_of_a_ring_that_the_leader_may_not_open_leads_instead(
    service_log: Path,
) -> None:
    run(
        """
        command = Member(lambda member: service_writes(member, "command"))
        assert command.hear() == "up"
        for ring in rings(log):
            os.chown(ring, 0, 0)
        service = Member(service_writes, SERVICE)
        assert service.hear() == "up"
        assert command.ask() == "True True"
        assert service.ask() == "True False"
        command.kill()
        service.kill()
        """,
        service_log,
    )


@needs_root
def test_a_worker_that_gave_up_root_leaves_the_lead_to_the_master(
    root_log: Path,
) -> None:
    run(
        """
        handler = RotatingFileHandler(log, maxBytes=10**9, backupCount=3)
        logger = logging.Logger("app")
        logger.addHandler(handler)
        logger.info("master begins")
        def work(member):
            logger.info("worker begins")
            become(SERVICE)
            member.say("up")
            while True:
                member.obey()
                logger.info("worker works")
                handler.flush()
                member.say("flushed")
        workers = [Member(work) for _ in range(3)]
        for worker in workers:
            assert worker.hear() == "up"
        for _ in range(3):
            with handler.lock:
                handler.close()
                handler.stream = handler._open()
            logger.info("master works")
            for worker in workers:
                assert worker.ask() == "flushed"
        for worker in workers:
            worker.kill()
        handler.close()
        assert lines().count("worker works") == 9
        assert lines().count("master works") == 3
        """,
        root_log,
    )


@needs_root
@pytest.mark.parametrize("kind", ["LogWriter", "RotatingFileHandler"])
def test_a_child_that_gave_up_root_before_it_wrote_goes_on_whatever_is_rotated(
    root_log: Path, kind: str
) -> None:
    run(
        f"""
        opened = {kind}(log)
        write = getattr(opened, "write", None) or (
            lambda line: opened.handle(logging.makeLogRecord({{"msg": line.decode()}}))
        )
        write(b"root begins")
        opened.flush()
        def work(member):
            become(SERVICE)
            for number in range(3):
                write(b"service %d" % number)
            opened.flush()
            member.say("wrote")
            member.obey()
            write(b"after the rotation")
            opened.flush()
            member.say("wrote on")
            member.obey()
        service = Member(work)
        assert service.hear() == "wrote"
        wanted = ["root begins", "service 0", "service 1", "service 2"]
        assert lines() == wanted
        write(b"root works")
        opened.flush()
        assert lines() == [*wanted, "root works"]
        log.rename(log.with_name("app.log.1"))
        assert service.ask() == "wrote on"
        service.kill()
        opened.close()
        written = log.read_text() + log.with_name("app.log.1").read_text()
        assert written.count("after the rotation") == 1
        """,
        root_log,
    )


@needs_root
@pytest.mark.parametrize("call", ["write(b'line')", "flush()", "flush(20)", "sync()"])
def test_a_child_that_may_not_enter_the_new_directory_is_told_at_once(
    root_log: Path, call: str
) -> None:
    """It has no ring in the log that was moved away, and none in the present one."""
    run(
        f"""
        folder = log.parent / "logs"
        folder.mkdir()
        log = folder / "app.log"
        writer = LogWriter(log)
        writer.write(b"before")
        writer.flush()
        folder.rename(folder.with_name("moved"))
        folder.mkdir()
        other = Member(lambda member: service_writes(member, "root"))
        assert other.hear() == "up"
        become(SERVICE)
        writer.write(b"into the ring of the past")
        writer.flush(0)  # which looks where the log is now
        def work(member):
            try:
                writer.{call}
            except PermissionError as error:
                member.say(f"refused {{error.filename}}")
            member.obey()
            writer.close(20)
            member.say("closed")
            member.obey()
        child = Member(work)
        assert child.hear() == f"refused {{log}}"
        assert child.ask() == "closed"
        """,
        root_log,
    )


@needs_root
def test_who_alone_has_no_right_to_lead_is_told_and_not_kept_waiting(
    root_log: Path,
) -> None:
    run(
        """
        def work(member):
            writer = LogWriter(log, ring_bytes=65_536)
            writer.write(b"root begins")
            writer.flush()
            become(SERVICE)
            member.say("up")
            member.obey()
            written = 0
            try:
                while True:
                    writer.write(b"line %d " % written + b"x" * 1000)
                    written += 1
            except PermissionError as error:
                member.say(f"{written} {error.filename}")
            member.obey()
            try:
                writer.flush()
            except PermissionError as error:
                member.say(f"{error.strerror}")
            member.obey()
        service = Member(work)
        assert service.hear() == "up"
        log.rename(log.with_name("app.log.1"))
        written, name = service.ask().split()
        assert int(written) > 10 and name == str(log)
        assert service.ask() == "Permission denied"
        service.kill()
        with LogWriter(log) as writer:
            writer.write(b"root ends")
        kept = [line.split()[1] for line in lines() if line.startswith("line")]
        assert kept == [str(number) for number in range(int(written))]
        """,
        root_log,
    )


@needs_root
@pytest.mark.parametrize("kind", ["RotatingFileHandler", "TimedRotatingFileHandler"])
def test_a_child_of_a_handler_that_wrote_nothing_goes_on_in_what_it_inherited(
    root_log: Path, kind: str
) -> None:
    # Of a group's: root's alone is made for children at once.
    root_log.parent.chmod(0o775)
    said = run(
        f"""\
        if {kind!r}.startswith("Timed"):
            handler = TimedRotatingFileHandler(log, "S", on_error=print)
        else:
            handler = RotatingFileHandler(log, "a", 1000, 3, on_error=print)
        logger = logging.Logger("app")
        logger.addHandler(handler)
        def work(member):
            import time
            for number in range(120):
                logger.info("line %d of many", number)
                time.sleep(0.01)
        assert Member(work, SERVICE).end() == 0
        assert lines() == [f"line {{number}} of many" for number in range(120)]
        """,
        root_log,
    )
    assert said.count("only others roll the file over") == 1
    assert [file.name for file in root_log.parent.iterdir()] == ["app.log"]


@needs_root
@pytest.mark.parametrize("kind", ["RotatingFileHandler", "TimedRotatingFileHandler"])
def test_a_child_of_a_handler_that_wrote_nothing_loses_no_line(
    root_log: Path, kind: str
) -> None:
    run(
        f"""\
        if {kind!r}.startswith("Timed"):
            handler = TimedRotatingFileHandler(log, "S", on_error=print)
        else:
            handler = RotatingFileHandler(log, "a", 1000, 1000, on_error=print)
        logger = logging.Logger("app")
        logger.addHandler(handler)
        def work(member):
            import time
            for number in range(150):
                logger.info("line %d of many", number)
                time.sleep(0.02)
        workers = [Member(work, SERVICE) for _ in range(3)]
        for worker in workers:
            assert worker.end() == 0
        handler.close()
        files = [file for file in log.parent.iterdir() if file.is_file()]
        # A timed handler's rollovers are those of who logs, who may not make them.
        assert len(files) > 2 or {kind!r}.startswith("Timed")
        text = "".join(file.read_text() for file in files)
        for number in range(150):
            assert text.count(f"line {{number}} of many") == 3
        """,
        root_log,
    )


@needs_root
def test_members_of_a_group_find_the_log_made_by_a_handler_that_wrote_nothing(
    root_log: Path,
) -> None:
    run(
        """\
        handler = RotatingFileHandler(log, "a", 2000, 100, group=SERVICE)
        assert log.stat().st_gid == SERVICE
        assert log.stat().st_mode & 0o060 == 0o060
        logger = logging.Logger("app")
        logger.addHandler(handler)
        def work(member):
            for number in range(200):
                logger.info("line %d of many", number)
            handler.close()
        assert Member(work, SERVICE).end() == 0
        handler.close()
        found = [file for file in log.parent.glob("app.log*")]
        assert len(found) > 1
        text = "".join(file.read_text() for file in found)
        assert text.count("of many") == 200
        """,
        root_log,
    )
