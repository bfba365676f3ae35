"""The drop-in handlers in a whole program: configuration, forks, ends."""

import ast
import asyncio
import logging
import logging.handlers
import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any

import pytest
from bystander import Bystander
from programs import LAST_WORDS, kill_while_logging, log_to_the_end, run

from auditring import handlers

KINDS = ["RotatingFileHandler", "TimedRotatingFileHandler", "WatchedFileHandler"]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "app.log"


# The door.


@pytest.mark.parametrize("name", KINDS)
def test_a_handler_is_one_of_the_standard_librarys(name: str) -> None:
    kind = getattr(handlers, name)

    assert issubclass(kind, getattr(logging.handlers, name))
    assert issubclass(kind, logging.FileHandler)


@pytest.mark.parametrize("name", KINDS)
def test_the_arguments_are_the_standard_librarys_in_their_order(name: str) -> None:
    def arguments(kind: type) -> tuple[object, ...]:
        code = kind.__init__.__code__
        names = code.co_varnames[1 : code.co_argcount]
        return names, kind.__init__.__defaults__

    ours = arguments(getattr(handlers, name))

    assert ours == arguments(getattr(logging.handlers, name))


def test_importing_loads_no_third_party_module_but_orjson() -> None:
    printed = run(
        """
        import sys
        before = set(sys.modules)
        import auditring.handlers
        from pathlib import Path
        files = [getattr(sys.modules[name], "__file__", None) or ""
                 for name in set(sys.modules) - before]
        print({file.split("site-packages/")[1].split("/")[0]
               for file in files if "site-packages/" in file})
        """
    )

    assert ast.literal_eval(printed) <= {"orjson", "auditring"}


@pytest.mark.parametrize(
    "option", ["delay=True", "compress='gzip'", "max_age=9", "max_total_bytes=10**9"]
)
def test_the_first_record_loads_no_more_modules(log: Path, option: str) -> None:
    printed = run(
        f"""
        import logging, sys
        from auditring.handlers import RotatingFileHandler
        handler = RotatingFileHandler(sys.argv[1], maxBytes=10**6, {option})
        before = set(sys.modules)
        handler.handle(logging.makeLogRecord(dict(msg="x")))
        print(*set(sys.modules) - before)
        handler.close()
        """,
        log,
    )

    assert printed == "\n"


# Configuration.


def configure(log: Path, handler: dict[str, Any]) -> str:
    """Configure a program with a dictionary, log, and return what it printed."""
    config = {
        "version": 1,
        "formatters": {"plain": {"format": "%(levelname)s %(message)s"}},
        "handlers": {"file": {"filename": str(log), "formatter": "plain", **handler}},
        "root": {"handlers": ["file"], "level": "DEBUG"},
    }
    return run(
        f"""
        import logging, logging.config
        try:
            logging.config.dictConfig({config!r})
        except ValueError as error:
            print(error.__cause__)
        else:
            logging.debug("no")
            logging.info("yes")
        """
    )


@pytest.mark.parametrize(
    "options",
    [
        {"class": "auditring.handlers.RotatingFileHandler", "maxBytes": 1000},
        {"()": "auditring.handlers.RotatingFileHandler", "compress": "gzip"},
        {"class": "auditring.handlers.TimedRotatingFileHandler", "when": "midnight"},
        {"class": "auditring.handlers.WatchedFileHandler", "durability": "interval"},
    ],
)
def test_a_dictionary_configures(log: Path, options: dict[str, Any]) -> None:
    attributes = {"terminator": "!\n"}

    configure(log, {"level": "INFO", "delay": True, ".": attributes, **options})

    assert log.read_text() == "INFO yes!\n"


def test_a_wrong_option_is_named_by_the_configuration(log: Path) -> None:
    options = {"class": "auditring.handlers.RotatingFileHandler", "compress": "rar"}

    printed = configure(log, options)

    assert printed.startswith("compress: expected one of")
    assert not log.exists()


def test_a_file_configures(log: Path) -> None:
    config = log.with_suffix(".ini")
    config.write_text(
        textwrap.dedent(
            f"""\
            [loggers]
            keys=root
            [handlers]
            keys=file
            [formatters]
            keys=plain
            [logger_root]
            handlers=file
            level=INFO
            [handler_file]
            class=auditring.handlers.RotatingFileHandler
            args=({str(log)!r}, "a", 1000, 3)
            kwargs={{"compress": "zstd"}}
            formatter=plain
            [formatter_plain]
            format=%(levelname)s %(message)s
            """
        )
    )

    run(
        """
        import logging, logging.config, sys
        logging.config.fileConfig(sys.argv[1])
        logging.info("yes")
        """,
        config,
    )

    assert log.read_text() == "INFO yes\n"


def test_basic_config_takes_a_handler(log: Path) -> None:
    run(
        """
        import logging, sys
        from auditring.handlers import WatchedFileHandler
        handler = WatchedFileHandler(sys.argv[1])
        logging.basicConfig(handlers=[handler], level="INFO", format="%(message)s")
        logging.info("yes")
        """,
        log,
    )

    assert log.read_text() == "yes\n"


# Processes.


FORKING = """\
import logging, os, sys
from auditring.handlers import RotatingFileHandler

handler = RotatingFileHandler(sys.argv[1], maxBytes=2000, backupCount=1000)
logger = logging.getLogger("x")
logger.addHandler(handler)
if sys.argv[2] == "after":
    logger.warning("begin")
for number in range(3):
    if os.fork() == 0:
        for i in range(200):
            logger.warning("%d %d", number, i)
        os._exit(0)
for i in range(200):
    logger.warning("parent %d", i)
for number in range(3):
    os.wait()
"""


def all_lines(log: Path) -> list[str]:
    """Return the lines of the log and its backups, sorted."""
    paths = log.parent.glob(f"{log.name}*")
    return sorted(line for path in paths for line in path.read_text().splitlines())


@pytest.mark.parametrize("moment", ["before", "after"])
def test_forked_children_log_as_well(log: Path, moment: str) -> None:
    run(FORKING, log, moment)

    lines = all_lines(log)
    assert [line for line in lines if line != "begin"] == sorted(
        f"{who} {i}" for who in (0, 1, 2, "parent") for i in range(200)
    )


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing_passes_a_handler_on(tmp_path: Path, method: str) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        textwrap.dedent(
            """\
            import logging, multiprocessing, sys
            from auditring.handlers import RotatingFileHandler

            def work(handler, number):
                logger = logging.getLogger("x")
                logger.handlers[:] = [handler]
                for i in range(100):
                    logger.warning("%d %d", number, i)

            if __name__ == "__main__":
                context = multiprocessing.get_context(sys.argv[2])
                handler = RotatingFileHandler(sys.argv[1])
                workers = [context.Process(target=work, args=(handler, number))
                           for number in range(3)]
                for worker in workers:
                    worker.start()
                for worker in workers:
                    worker.join()
            """
        )
    )
    log = tmp_path / "app.log"

    done = subprocess.run(
        [sys.executable, program, log, method], capture_output=True, timeout=60
    )

    assert done.stderr == b""
    assert all_lines(log) == sorted(f"{n} {i}" for n in range(3) for i in range(100))


def test_a_child_of_multiprocessing_may_drop_handlers_at_its_end(log: Path) -> None:
    run(
        """
        import logging, multiprocessing, sys
        from auditring.handlers import RotatingFileHandler

        def work(path, number):
            for i in range(20):
                handler = RotatingFileHandler(path)
                record = {"msg": f"{number} {i}"}
                handler.handle(logging.makeLogRecord(record))

        context = multiprocessing.get_context("fork")
        workers = [context.Process(target=work, args=(sys.argv[1], number))
                   for number in range(10)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        """,
        log,
    )

    assert all_lines(log) == sorted(f"{n} {i}" for n in range(10) for i in range(20))


@pytest.mark.parametrize("name", KINDS)
def test_a_name_may_be_bytes(log: Path, name: str) -> None:
    handler = getattr(handlers, name)(os.fsencode(log))
    handler.handle(logging.makeLogRecord({"msg": "one"}))
    handler.close()

    assert log.read_bytes() == b"one\n"


def test_whatever_is_logged_at_the_end_is_in_the_file(log: Path) -> None:
    log_to_the_end("RotatingFileHandler", log)

    assert log.read_text().splitlines() == LAST_WORDS


def test_a_daemon_thread_may_log_to_the_end(log: Path) -> None:
    run(
        """
        import logging, sys, threading, time
        from auditring.handlers import RotatingFileHandler
        logging.getLogger("x").addHandler(RotatingFileHandler(sys.argv[1]))
        started = threading.Event()
        def work():
            for i in range(10**9):
                logging.getLogger("x").warning("%d", i)
                started.set()
        threading.Thread(target=work, daemon=True).start()
        started.wait()
        """,
        log,
    )

    lines = log.read_text().splitlines()
    assert lines == [str(i) for i in range(len(lines))]
    assert lines


def test_acknowledged_lines_survive_a_kill(log: Path) -> None:
    kill_while_logging("WatchedFileHandler", log, 1000)

    handlers.WatchedFileHandler(log).close()

    assert log.read_text() == "".join(f"{i}\n" for i in range(1000))


# Signals and event loops.


def test_a_signal_handler_may_log_at_any_moment(log: Path) -> None:
    printed = run(
        """
        import logging, signal, sys
        from auditring.handlers import RotatingFileHandler
        handler = RotatingFileHandler(sys.argv[1], maxBytes=1000, backupCount=10**6,
                                      ring_bytes=65536)
        logger = logging.getLogger("x")
        logger.addHandler(handler)
        count = 0
        def on_alarm(number, frame):
            global count
            count += 1  # first: another alarm may come in the middle of the next line
            logger.warning("alarm %d", count)
            # Not at an interval: a busy machine would do nothing but nest them.
            signal.setitimer(signal.ITIMER_REAL, 1e-4)
        signal.signal(signal.SIGALRM, on_alarm)
        signal.setitimer(signal.ITIMER_REAL, 1e-4)
        for i in range(20000):
            logger.warning("%d", i)
            if i % 1000 == 0:
                handler.maxBytes += 1  # the long way
        signal.signal(signal.SIGALRM, signal.SIG_IGN)
        print(count)
        """,
        log,
    )

    lines = all_lines(log)
    assert int(printed) > 0
    assert lines == sorted(
        [str(i) for i in range(20000)] + [f"alarm {i + 1}" for i in range(int(printed))]
    )


def test_an_event_loop_is_not_held_up_by_the_disk(log: Path) -> None:
    logger = logging.Logger("x")

    async def work(number: int) -> None:
        for i in range(10):
            logger.info("%d %d", number, i)
            await asyncio.sleep(0)

    async def work_together() -> None:
        await asyncio.gather(*(work(number) for number in range(10)))

    # The one process that writes to the file stands still.
    with Bystander(log, dialect="stdlib", ring_bytes=64 * 1024) as leader:
        handler = handlers.WatchedFileHandler(log, ring_bytes=64 * 1024)
        logger.addHandler(handler)
        leader.stop()
        asyncio.run(work_together())
        written = log.read_bytes()
        leader.resume()
    handler.close()

    assert written == b""
    assert all_lines(log) == sorted(f"{n} {i}" for n in range(10) for i in range(10))


def test_threads_may_open_and_close_while_others_log(log: Path) -> None:
    handler = handlers.RotatingFileHandler(log, ring_bytes=64 * 1024)
    logger = logging.Logger("x")
    logger.addHandler(handler)
    is_over = threading.Event()

    def disturb() -> None:
        while not is_over.is_set():
            handler.close()
            handler.maxBytes += 1
            handler.flush()

    disturber = threading.Thread(target=disturb)
    disturber.start()
    for i in range(3000):
        logger.info("%d", i)
    is_over.set()
    disturber.join()
    handler.close()

    assert log.read_text().splitlines() == [str(i) for i in range(3000)]
