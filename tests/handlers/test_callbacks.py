"""What a program does in `on_error`: it logs, closes, ends, raises.

Who else may be there: the one who closes the log meanwhile and holds the handler's lock
(`logging.shutdown`) or logging's own (`dictConfig`), a signal handler that logs, the
collector.
"""

import textwrap
from pathlib import Path

import pytest
from programs import run

BEGINNING = """\
import faulthandler, logging, logging.config, os, signal, sys, threading, time
faulthandler.dump_traceback_later(40, exit=True)
from auditring import LogWriter
from auditring.handlers import AuditHandler, RotatingFileHandler
path = sys.argv[1]
logger = logging.getLogger("app")
logger.setLevel(logging.INFO)
logger.propagate = False
told = threading.Event()
def wait_until(condition):
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)
"""


def run_program(program: str, log: Path) -> str:
    return run(BEGINNING + textwrap.dedent(program), log)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "app.log"


@pytest.mark.parametrize("kind", ["RotatingFileHandler", "AuditHandler"])
def test_trouble_is_logged_while_logging_is_shut_down(kind: str, log: Path) -> None:
    program = f"""
        def tell(error):
            told.set()
            time.sleep(0.3)  # the shutdown begins meanwhile
            logger.error("trouble: %s", error)
        handler = {kind}(path, on_error=tell, space_warn_bytes=2**50)
        logger.addHandler(handler)
        logger.info("hello")
        told.wait(30)
        began = time.monotonic()
        logging.shutdown()
        print(time.monotonic() - began < 15)
    """

    assert run_program(program, log) == "True\n"
    assert "hello" in log.read_text()


def test_trouble_is_logged_while_logging_is_configured_anew(log: Path) -> None:
    program = """
        def tell(error):
            told.set()
            time.sleep(0.3)
            logging.getLogger("another").error("trouble: %s", error)
        handler = RotatingFileHandler(path, on_error=tell, space_warn_bytes=2**50)
        logger.addHandler(handler)
        logger.info("hello")
        told.wait(30)
        logging.config.dictConfig({"version": 1})
        print("configured")
    """

    assert "configured" in run_program(program.replace("another", "app"), log)


def test_trouble_may_close_the_log(log: Path) -> None:
    program = """
        def tell(error):
            writer.close()
            told.set()
        writer = LogWriter(path, on_error=tell, space_warn_bytes=2**50, compress="gzip")
        told.wait(30)
        writer.close()
        print(writer.closed)
    """

    assert run_program(program, log) == "True\n"


def test_trouble_may_close_the_handler_while_another_thread_does(log: Path) -> None:
    program = """
        def tell(error):
            told.set()
            time.sleep(0.2)
            handler.close()
        handler = RotatingFileHandler(path, on_error=tell, space_warn_bytes=2**50)
        logger.addHandler(handler)
        logger.info("hello")
        told.wait(30)
        handler.close()
        print("closed")
    """

    assert run_program(program, log) == "closed\n"


def test_trouble_may_end_its_thread_and_does_not(log: Path) -> None:
    program = """
        def tell(error):
            told.set()
            sys.exit(3)
        writer = LogWriter(path, on_error=tell, space_warn_bytes=2**50, compress="gzip")
        told.wait(30)
        writer.write(b"line")
        writer.rotate()
        wait_until(lambda: writer.stats().backups_compressed)
        writer.close()
        print("compressed")
    """

    assert run_program(program, log) == "compressed\n"


@pytest.mark.parametrize("kind", ["RotatingFileHandler", "AuditHandler"])
def test_a_signal_handler_logs_whatever_it_interrupts(kind: str, log: Path) -> None:
    program = f"""
        import gc
        count = 0
        def log_it(number, frame):
            global count
            count += 1
            logger.info("from a signal")
        signal.signal(signal.SIGALRM, log_it)
        signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
        end = time.monotonic() + 2
        while time.monotonic() < end:
            handler = {kind}(path, max_bytes=3000, compress="gzip", max_backups=10000)
            logger.addHandler(handler)
            for _ in range(20):
                logger.info("line")
            logger.removeHandler(handler)
            handler.close()
        signal.setitimer(signal.ITIMER_REAL, 0)
        print(count > 10)
    """
    if kind == "RotatingFileHandler":
        program = program.replace("max_bytes", "maxBytes").replace(
            "max_backups", "backupCount"
        )

    assert run_program(program, log) == "True\n"


def test_a_handlers_lock_is_free_while_it_is_closed(log: Path) -> None:
    """The leader is another process, and stopped: its file takes nothing any more."""
    program = """
        import subprocess
        text = (
            "import sys; from auditring import LogWriter;"
            "log = LogWriter(sys.argv[1], dialect='stdlib'); log.write(b'x');"
            "log.flush(); print(log.stats().leads, flush=True); sys.stdin.read()"
        )
        leader = subprocess.Popen(
            [sys.executable, "-c", text, path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        with leader:
            assert leader.stdout.readline() == b"True\\n"
            handler = RotatingFileHandler(path)
            handler.handle(logging.makeLogRecord({"msg": "line"}))
            leader.send_signal(signal.SIGSTOP)
            closing = threading.Thread(target=handler.close)
            closing.start()
            wait_until(lambda: handler.log_writer is None)
            is_free = handler.lock.acquire(timeout=5)
            print(is_free, closing.is_alive())
            handler.lock.release()
            leader.send_signal(signal.SIGCONT)
            leader.stdin.close()
            closing.join()
    """

    assert run_program(program, log) == "True True\n"
