"""Programs whose threads are greenlets: gevent's and eventlet's.

Who else may be there: background threads that are none, a greenlet that waits for a
thread of ours and keeps all the others from running, a lock that a greenlet holds while
it doesn't run, an `on_error` that logs in a thread of ours, handlers that nobody
closes, a fork of a patched process.
"""

import importlib.util
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

LIMIT_S = 100

PATCH = {
    "gevent": "from gevent import monkey; monkey.patch_all()\n",
    "eventlet": "import eventlet; eventlet.monkey_patch()\n",
}

BEGINNING = """\
import gc, logging, logging.config, os, sys, threading, time
from pathlib import Path
from auditring import LogWriter
from auditring.handlers import RotatingFileHandler
path = sys.argv[1]
logger = logging.Logger("app")
beats = []
def beat():
    while True:
        beats.append(time.monotonic())
        time.sleep(0.01)
def longest_pause():
    return max(after - before for before, after in zip(beats, beats[1:]))
def wait_until(condition):
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)
"""


@pytest.fixture(params=sorted(PATCH))
def library(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"needs {name}")
    return name


def run(library: str, program: str, log: Path, *, says: str = "") -> str:
    """Run *program* with everything patched; return what it printed.

    On standard error there is nothing but lines of the log that tell of what *says*.
    """
    text = PATCH[library] + BEGINNING + textwrap.dedent(program)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", text, str(log)],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    lines = done.stderr.splitlines()
    assert [x for x in lines if not says or says not in x] == []
    assert done.returncode == 0
    return done.stdout


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "app.log"


def test_backups_are_compressed_while_greenlets_log(library: str, log: Path) -> None:
    program = """
        handler = RotatingFileHandler(
            path, maxBytes=20000, backupCount=50, compress="gzip"
        )
        logger.addHandler(handler)
        def work():
            for i in range(500):
                logger.info("%d %s", i, "x" * 50)
                if i % 50 == 0:
                    time.sleep(0.001)
        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        wait_until(lambda: handler.log_writer.stats().backups_compressed >= 2)
        handler.close()
        print("ended")
    """

    assert run(library, program, log) == "ended\n"


def test_dropped_handlers_are_closed(library: str, log: Path) -> None:
    program = """
        for number in range(20):
            handler = RotatingFileHandler(
                path, maxBytes=2000, backupCount=900, compress="gzip"
            )
            handler.handle(logging.makeLogRecord({"msg": "line %d" % number}))
            circle = [handler]
            circle.append(circle)
            del handler, circle
            gc.collect()
        def target_of(name):
            try:
                return os.readlink("/proc/self/fd/" + name)
            except FileNotFoundError:
                return ""
        wait_until(lambda: not [
            name for name in os.listdir("/proc/self/fd") if "app.log" in target_of(name)
        ])
        print(Path(path).read_text().count("line"))
    """

    assert run(library, program, log) == "20\n"


def test_what_a_background_thread_opened_is_closed_when_it_says_so(
    library: str, log: Path
) -> None:
    """gevent's `os.close` waits for a hub, which in such a thread runs no more."""
    program = """
        from auditring.process._nativethread import NativeThread
        from auditring.files.opened import DIRECTORY_FLAGS, opened
        directory = os.path.dirname(path)
        targets = []
        time.sleep(0)  # two threads that make their first hubs at once may hang
        def work():
            time.sleep(0.001)  # that makes the thread's hub
            with opened(directory, DIRECTORY_FLAGS) as fd:
                pass
            try:
                targets.append(os.readlink(f"/proc/self/fd/{fd}"))
            except FileNotFoundError:
                targets.append("")
        thread = NativeThread(work, "opens")
        thread.start()
        wait_until(lambda: targets)
        print(targets[0] != directory)
    """

    assert run(library, program, log) == "True\n"


def test_a_background_thread_waits_without_a_loop_of_greenlets(
    library: str, log: Path
) -> None:
    """Made at the same moment as the main thread's, gevent's hangs in one of ten."""
    program = """
        from auditring.process._nativethread import NativeThread
        from auditring.process.cooperation import pause
        from auditring.process import cooperation
        patched, slept = time.sleep, []
        def work():
            pause(0.001)
            slept.append(True)
        def sleep(seconds):
            slept.append(False)
            patched(seconds)
        cooperation.time = type(sys)("time")
        cooperation.time.sleep = sleep
        NativeThread(work, "waits").start()
        wait_until(lambda: slept)
        print(slept)
    """

    assert run(library, program, log) == "[True]\n"


def test_other_greenlets_run_while_one_closes_a_log_with_a_mill(
    library: str, log: Path
) -> None:
    program = """
        threading.Thread(target=beat, daemon=True).start()
        time.sleep(0.1)
        for number in range(20):
            log = LogWriter(path, compress="zstd", max_bytes=2000)
            for line in range(100):
                log.write(b"x" * 100)
            log.close()
            time.sleep(0)
        time.sleep(0.1)
        assert len(beats) > 10
        assert longest_pause() < 5, longest_pause()
        print("ended")
    """

    assert run(library, program, log) == "ended\n"


def test_trouble_in_the_background_may_be_logged(library: str, log: Path) -> None:
    program = """
        told = []
        def tell(error):
            logger.error("trouble: %s", error)
            told.append(error)
        handler = RotatingFileHandler(
            path, maxBytes=5000, backupCount=5, on_error=tell, space_warn_bytes=2**50
        )
        logger.addHandler(handler)
        logger.info("hello")
        wait_until(lambda: told)
        handler.close()
        print(Path(path).read_text().count("trouble: "))
    """

    assert run(library, program, log) == "1\n"


def test_a_child_logs_on_and_compresses(library: str, log: Path) -> None:
    program = """
        handler = RotatingFileHandler(
            path, maxBytes=2000, backupCount=900, compress="gzip"
        )
        logger.addHandler(handler)
        logger.info("of the parent")
        children = []
        for child in range(3):
            pid = os.fork()
            if not pid:
                for line in range(50):
                    logger.info("of a child %s", "x" * 50)
                handler.close()
                os._exit(0)
            children.append(pid)
        for pid in children:
            assert os.waitpid(pid, 0)[1] == 0
        logger.info("of the parent")
        handler.close()
        import gzip
        texts = [
            (gzip.open if file.suffix == ".gz" else open)(file, "rt").read()
            for file in Path(path).parent.glob("app.log*")
        ]
        print("".join(texts).count("of a child"), "".join(texts).count("of the parent"))
    """

    assert run(library, program, log) == "150 2\n"


def test_batches_are_sent_and_waited_for_without_stopping_greenlets(
    library: str, log: Path
) -> None:
    program = """
        from auditring.backends.batch import Batch, BatchSettings
        sent = []
        class Slow:
            name = "slow"
            def process(self, events):
                from auditring.process._nativethread import sleep
                sleep(0.3)
                sent.extend(events)
                return True
            def flush(self, timeout=None):
                return True
            def close(self):
                pass
            def losses(self):
                return ()
        threading.Thread(target=beat, daemon=True).start()
        batch = Batch(Slow(), BatchSettings(max_wait_s=60))
        class Outgoing:
            event, line = None, b"{}"
        for number in range(3):
            batch.process([Outgoing()])
        began = time.monotonic()
        assert batch.flush(30)
        during = [beat for beat in beats if beat > began]
        batch.close()
        print(len(sent), len(during) > 5)
    """

    assert run(library, program, log) == "3 True\n"


def test_dictconfig_is_loaded_anew_among_greenlets(library: str, log: Path) -> None:
    program = """
        handler = {
            "class": "auditring.handlers.RotatingFileHandler",
            "filename": path,
            "maxBytes": 20000,
            "backupCount": 500,
            "compress": "gzip",
        }
        config = {
            "version": 1,
            "disable_existing_loggers": False,
            "handlers": {"file": handler},
            "loggers": {"app": {"handlers": ["file"], "level": "INFO"}},
        }
        logging.config.dictConfig(config)
        written, is_over = [], []
        def work():
            while not is_over:
                logging.getLogger("app").info("%s", "x" * 50)
                time.sleep(0.001)
        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads: thread.start()
        for _ in range(20):
            logging.config.dictConfig(config)
            time.sleep(0.01)
        is_over.append(True)
        for thread in threads: thread.join()
        logging.shutdown()
        print("ended")
    """

    assert run(library, program, log) == "ended\n"


def test_greenlets_run_while_one_waits_for_room_in_its_ring(
    library: str, log: Path
) -> None:
    """The leader is another process, and stopped."""
    program = """
        import signal, subprocess
        text = (
            "import sys; from auditring import LogWriter;"
            "log = LogWriter(sys.argv[1]); log.write(b'x'); log.flush();"
            "print(log.stats().leads, flush=True); sys.stdin.read()"
        )
        leader = subprocess.Popen(
            [sys.executable, "-c", text, path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert leader.stdout.readline() == b"True\\n"
        log = LogWriter(path, ring_bytes=65536, block_timeout=0.5, on_timeout="drop")
        threading.Thread(target=beat, daemon=True).start()
        time.sleep(0.05)
        leader.send_signal(signal.SIGSTOP)
        began = time.monotonic()
        while time.monotonic() < began + 2:
            log.write(b"x" * 1000)
        during = [beat for beat in beats if beat > began]
        leader.send_signal(signal.SIGCONT)
        leader.stdin.close()
        leader.wait()
        print(len(during) > 20)
    """

    assert run(library, program, log, says="app.log: ") == "True\n"


def test_a_greenlet_waits_for_a_lock_that_a_thread_of_the_system_holds(
    library: str, log: Path
) -> None:
    program = """
        from auditring.process._cooperativelock import CooperativeLock
        from auditring.process._nativethread import NativeThread, sleep
        lock = CooperativeLock()
        def hold():
            with lock:
                holds.append(1)
                sleep(0.3)
                holds.append(2)
        holds = []
        threading.Thread(target=beat, daemon=True).start()
        NativeThread(hold, "holds").start()
        wait_until(lambda: holds)
        began = time.monotonic()
        with lock:
            print(holds, len([beat for beat in beats if beat > began]) > 3)
    """

    assert run(library, program, log) == "[1, 2] True\n"


def test_one_greenlet_waits_for_a_lock_that_another_holds(
    library: str, log: Path
) -> None:
    program = """
        from auditring.process._cooperativelock import CooperativeLock
        lock = CooperativeLock()
        steps = []
        def hold(number):
            with lock:
                steps.append(number)
                time.sleep(0.05)
                steps.append(number)
        threads = [threading.Thread(target=hold, args=[n]) for n in range(3)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        print([steps[n] == steps[n + 1] for n in (0, 2, 4)])
    """

    assert run(library, program, log) == "[True, True, True]\n"
