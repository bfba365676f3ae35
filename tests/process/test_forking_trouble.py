"""Forks where something is missing, or somebody waits for somebody.

Who else may be there: a process without descriptors or /proc, a hook of somebody else
that waits for a thread that waits for the log, a thread that closes a log under
logging's lock, an `on_error` that needs what the forking thread holds, forks in several
threads at once, a thread of ours that forks itself.
"""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

LIMIT_S = 60

BEGINNING = """\
import faulthandler, gc, logging, os, resource, signal, sys, threading, time
faulthandler.dump_traceback_later(40, exit=True)
from auditring import LogWriter
from auditring.handlers import RotatingFileHandler
path = sys.argv[1]
def leave_a_child(work=lambda: None):
    pid = os.fork()
    if not pid:
        try:
            work()
        finally:
            os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
def lines():
    with open(path) as file:
        return file.read().count("line")
def wait_until(condition):
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)
"""


def run(program: str, log: Path, *, warnings: str = "error") -> str:
    """Run *program*; return what it printed."""
    text = BEGINNING + textwrap.dedent(program)
    done = subprocess.run(
        [sys.executable, "-W", warnings, "-c", text, str(log)],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.stderr == ""
    assert done.returncode == 0
    return done.stdout


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "app.log"


def test_a_process_at_its_limit_of_descriptors_forks_and_logs_on(log: Path) -> None:
    program = """
        handler = RotatingFileHandler(path, maxBytes=10**8, compress="gzip")
        logger = logging.Logger("app")
        logger.addHandler(handler)
        logger.info("line")
        handler.flush()
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
        held = []
        try:
            while True:
                held.append(os.open("/dev/null", os.O_RDONLY))
        except OSError:
            pass
        leave_a_child()
        logger.info("line")
        wait_until(lambda: handler.log_writer.flush(1))
        for fd in held:
            os.close(fd)
        for _ in range(20_000):
            logger.info("%s", "x" * 200)
        handler.close()
        print(lines())
    """

    assert run(program, log) == "2\n"


@pytest.mark.parametrize("error", ["MemoryError", "SystemExit"])
def test_a_hook_that_fails_leaves_nothing_parked(log: Path, error: str) -> None:
    """Whatever it is that fails."""
    program = f"""
        from auditring.log import lifetime
        class Fails:
            def park(self): pass
            def resume(self): raise {error}
            forget = start = resume
        fails = Fails()
        lifetime.park_at_forks(fails)
        told = []
        sys.unraisablehook = lambda info: told.append(info.exc_type)
        log = LogWriter(path, compress="gzip")
        log.write(b"line")
        leave_a_child(lambda: log.write(b"line of the child"))
        assert log.flush(30)
        print(told == [{error}], lines())
        log.rotate()
        wait_until(lambda: log.stats().backups_compressed)
        log.close()
    """

    assert run(program, log) == "True 2\n"


def test_a_hook_of_somebody_else_may_wait_for_a_thread_that_logs(log: Path) -> None:
    program = """
        lock = threading.Lock()
        os.register_at_fork(
            before=lock.acquire,
            after_in_parent=lock.release,
            after_in_child=lock.release,
        )
        # Opened after: its hook is called first, and parks what the thread waits for.
        log = LogWriter(path, ring_bytes=65536)
        is_logging = threading.Event()
        def fill():
            with lock:
                is_logging.set()
                time.sleep(0.2)
                for _ in range(3000):
                    log.write(b"line " + b"x" * 100)
                assert log.flush(30)
        thread = threading.Thread(target=fill)
        thread.start()
        is_logging.wait()
        leave_a_child()
        thread.join()
        log.close()
        print(lines())
    """

    assert run(program, log, warnings="ignore") == "3000\n"


def test_a_hook_of_somebody_else_may_wait_for_a_thread_that_closes(log: Path) -> None:
    program = """
        lock = threading.Lock()
        os.register_at_fork(
            before=lock.acquire,
            after_in_parent=lock.release,
            after_in_child=lock.release,
        )
        logs = [LogWriter(path, compress="gzip") for _ in range(2)]
        is_closing = threading.Event()
        def close():
            with lock:
                is_closing.set()
                time.sleep(0.2)
                logs[0].write(b"line")
                logs[0].close()
                assert lines() == 1
        thread = threading.Thread(target=close)
        thread.start()
        is_closing.wait()
        leave_a_child()
        thread.join()
        logs[1].close()
        print(lines())
    """

    assert run(program, log, warnings="ignore") == "1\n"


def test_logging_may_be_configured_anew_while_threads_fork(log: Path) -> None:
    program = """
        import logging.config
        handler = {
            "class": "auditring.handlers.RotatingFileHandler",
            "filename": path,
            "compress": "gzip",
        }
        config = {
            "version": 1,
            "disable_existing_loggers": False,
            "handlers": {"file": handler},
            "loggers": {"app": {"handlers": ["file"], "level": "INFO"}},
        }
        logging.config.dictConfig(config)
        is_over = threading.Event()
        written = [0, 0]
        def fork(number):
            while not is_over.is_set():
                leave_a_child()
                logging.getLogger("app").info("line")
                written[number] += 1
        threads = [threading.Thread(target=fork, args=[n]) for n in range(2)]
        for thread in threads: thread.start()
        for _ in range(30):
            logging.config.dictConfig(config)
            time.sleep(0.005)
        is_over.set()
        for thread in threads: thread.join()
        logging.shutdown()
        print(lines() == sum(written))
    """

    assert run(program, log, warnings="ignore") == "True\n"


def test_a_fork_does_not_wait_for_trouble_that_waits_for_the_one_who_forks(
    log: Path,
) -> None:
    program = """
        lock = threading.RLock()
        is_telling = threading.Event()
        def tell(error):
            is_telling.set()
            with lock:
                log.write(b"line of the trouble")
        with lock:
            log = LogWriter(path, space_warn_bytes=2**50, on_error=tell)
            is_telling.wait(30)
            began = time.monotonic()
            leave_a_child(lambda: log.write(b"line of the child"))
            assert time.monotonic() - began < 20
        wait_until(lambda: log.flush(1) and lines() >= 2)
        log.close()
        print(lines())
    """

    assert run(program, log, warnings="ignore") == "2\n"


def test_trouble_may_fork(log: Path) -> None:
    program = """
        told = []
        def tell(error):
            leave_a_child(lambda: log.write(b"line of the child"))
            log.write(b"line of the trouble")
            told.append(error)
        log = LogWriter(path, space_warn_bytes=2**50, compress="gzip", on_error=tell)
        wait_until(lambda: told)
        log.rotate()
        log.write(b"line")
        wait_until(lambda: log.stats().backups_compressed)
        log.close()
        print(lines())
    """

    assert run(program, log, warnings="ignore") == "1\n"


def test_threads_fork_at_once_beside_compression(log: Path) -> None:
    program = """
        handler = RotatingFileHandler(
            path, maxBytes=3000, backupCount=10000, compress="gzip"
        )
        logger = logging.Logger("app")
        logger.addHandler(handler)
        def work():
            for number in range(15):
                logger.info("line %s", "x" * 100)
                leave_a_child(lambda: logger.info("line of a child"))
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        handler.close()
        import glob, gzip
        found = 0
        for name in glob.glob(path + "*"):
            opener = gzip.open if name.endswith(".gz") else open
            with opener(name, "rt") as file:
                found += file.read().count("line")
        print(found)
    """

    assert run(program, log, warnings="ignore") == "120\n"


def test_a_fork_without_proc_is_no_trouble(log: Path) -> None:
    """As in a chroot; /proc is looked for by name."""
    program = """
        try:
            os.unshare(os.CLONE_NEWNS)
        except (AttributeError, OSError):
            import ctypes
            if ctypes.CDLL(None).unshare(0x20000):
                print("needs a mount namespace")
                sys.exit()
        import subprocess
        subprocess.run(["mount", "--make-rprivate", "/"], capture_output=True)
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "none", "/proc"], capture_output=True
        )
        if done.returncode:
            print("needs a mount namespace")
            sys.exit()
        log = LogWriter(path, compress="gzip")
        log.write(b"line")
        leave_a_child(lambda: log.write(b"line of the child"))
        log.write(b"line")
        assert log.flush(30)
        log.close()
        print(lines())
    """

    printed = run(program, log, warnings="ignore")

    if printed.startswith("needs"):
        pytest.skip(printed.strip())
    assert printed == "3\n"
