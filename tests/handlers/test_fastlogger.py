"""What fast loggers log is what the standard library's do."""

import io
import logging
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from bystander import Bystander
from hypothesis import given, settings
from hypothesis import strategies as st

from auditring.handlers import WatchedFileHandler
from auditring.handlers.install import FastLogger

FORMAT = (
    "%(name)s %(levelname)-8s %(levelno)s %(filename)s %(module)s %(pathname)s "
    "%(lineno)d %(funcName)s %(process)d %(thread)d %(threadName)s %(message)s"
)
SMALL_RING = 64 * 1024


class Tree:
    """A root, a parent and a child that logs, apart from everybody else's.

    The handler stands at the root.
    """

    def __init__(self, kind: type[logging.Logger], path: Path, fmt: str) -> None:
        self.root = logging.RootLogger(logging.DEBUG)
        self.root.manager = logging.Manager(self.root)  # type: ignore[assignment]
        self.root.manager.setLoggerClass(kind)
        self.parent = self.root.manager.getLogger("app")
        self.child = self.root.manager.getLogger("app.child")
        self.path = path
        self.handler = WatchedFileHandler(path, encoding="utf-8", ring_bytes=SMALL_RING)
        self.handler.setFormatter(logging.Formatter(fmt))
        self.root.addHandler(self.handler)
        # The first record finds the way.
        self.child.critical("begins")

    def lines(self) -> str:
        self.handler.flush()
        return self.path.read_text(encoding="utf-8")


@pytest.fixture
def grow(tmp_path: Path) -> Iterator[Callable[..., Tree]]:
    """Return a function that makes a tree; its handler is closed in the end."""
    trees = []

    def make(kind: type[logging.Logger] = FastLogger, fmt: str = FORMAT) -> Tree:
        trees.append(Tree(kind, tmp_path / f"{len(trees)}.log", fmt))
        return trees[-1]

    yield make
    for tree in trees:
        tree.handler.close()


def both(grow: Callable[..., Tree], do: Callable[[Tree], object]) -> tuple[str, str]:
    """Return what comes of *do* with fast loggers and with the standard library's."""
    outcomes = []
    for kind in (FastLogger, logging.Logger):
        tree = grow(kind)
        do(tree)
        outcomes.append(tree.lines())
    return outcomes[0], outcomes[1]


VALUES = st.one_of(
    st.text(max_size=5), st.integers(), st.none(), st.floats(), st.just({"key": 1})
)
CALLS = st.fixed_dictionaries(
    {
        "method": st.sampled_from(
            ["debug", "info", "warning", "error", "critical", "exception", "log"]
        ),
        "level": st.sampled_from([0, 5, 10, 20, 25, 30, 40, 50, True]),
        "msg": st.one_of(
            st.text(max_size=10), st.sampled_from(["%s", "%d", "%(key)s", "%s %s"])
        ),
        "args": st.lists(VALUES, max_size=2).map(tuple),
        "kwargs": st.fixed_dictionaries(
            {},
            optional={
                "extra": st.sampled_from([{"user": "me"}, {"message": "no"}, {}]),
                "exc_info": st.sampled_from([True, False, ValueError("x")]),
                "stacklevel": st.integers(1, 3),
            },
        ),
    }
)
SETTINGS = st.fixed_dictionaries(
    {
        "child_level": st.sampled_from([0, 10, 30, 50]),
        "handler_level": st.sampled_from([0, 20, 40]),
        "disable": st.sampled_from([0, 20]),
        "propagate": st.booleans(),
        "is_disabled": st.booleans(),
        "filter": st.sampled_from([None, "child", "handler"]),
        "second_handler": st.sampled_from([None, "child", "parent"]),
    }
)


def set_up(tree: Tree, wanted: dict[str, Any], stream: io.StringIO) -> None:
    tree.child.setLevel(wanted["child_level"])
    tree.handler.setLevel(wanted["handler_level"])
    tree.root.manager.disable = wanted["disable"]
    tree.parent.propagate = wanted["propagate"]
    tree.child.disabled = wanted["is_disabled"]
    if wanted["filter"]:
        owner = {"child": tree.child, "handler": tree.handler}[wanted["filter"]]
        owner.addFilter(lambda record: record.levelno != logging.INFO)
    if wanted["second_handler"]:
        second = logging.StreamHandler(stream)
        second.setFormatter(logging.Formatter(FORMAT))
        getattr(tree, wanted["second_handler"]).addHandler(second)


def make_call(logger: logging.Logger, call: dict[str, Any]) -> str:
    """Make a call and return what it raises."""
    level = (call["level"],) if call["method"] == "log" else ()
    try:
        getattr(logger, call["method"])(
            *level, call["msg"], *call["args"], **call["kwargs"]
        )
    except KeyError as error:
        return repr(error)
    return ""


@settings(deadline=None, max_examples=150)
@given(st.lists(CALLS, min_size=1, max_size=6), SETTINGS)
def test_whatever_is_called_the_same_is_logged(
    calls: list[dict[str, Any]], wanted: dict[str, Any]
) -> None:
    outcomes = []
    for kind in (FastLogger, logging.Logger):
        stream = io.StringIO()
        with (
            tempfile.TemporaryDirectory() as directory,
            mock.patch.object(sys, "stderr", io.StringIO()),
        ):
            tree = Tree(kind, Path(directory, "app.log"), FORMAT)
            set_up(tree, wanted, stream)
            raised = [make_call(tree.child, call) for call in calls]
            outcomes.append((raised, tree.lines(), stream.getvalue()))
            tree.handler.close()

    assert outcomes[0] == outcomes[1]


def caller(log: Callable[..., object], **kwargs: object) -> None:
    log("here", **kwargs)


@pytest.mark.parametrize("kwargs", [{}, {"stacklevel": 2}, {"stack_info": True}])
def test_the_caller_is_found(
    grow: Callable[..., Tree], kwargs: dict[str, object]
) -> None:
    ours, theirs = both(grow, lambda tree: caller(tree.child.info, **kwargs))

    assert ours == theirs
    assert "test_fastlogger" in ours


def test_an_adapter_is_not_the_caller(grow: Callable[..., Tree]) -> None:
    def log(tree: Tree) -> None:
        caller(logging.LoggerAdapter(tree.child, {}).info)
        caller(logging.LoggerAdapter(tree.child, {"user": "me"}).info)

    ours, theirs = both(grow, log)

    assert ours == theirs
    assert " caller " in ours


def test_a_caller_at_the_end_of_the_stack_is_found(grow: Callable[..., Tree]) -> None:
    program = compile("log('here')", "<made up>", "exec")
    ours, theirs = both(grow, lambda tree: exec(program, {"log": tree.child.info}))

    assert ours == theirs
    assert "<made up>" in ours


def test_nobody_looks_for_callers_where_logging_was_told_not_to(
    grow: Callable[..., Tree], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging, "_srcfile", None)

    ours, theirs = both(grow, lambda tree: caller(tree.child.info))

    assert ours == theirs
    assert "(unknown function)" in ours


@pytest.mark.parametrize("flag", ["logThreads", "logProcesses"])
def test_what_logging_was_told_to_leave_out_is_left_out(
    grow: Callable[..., Tree], monkeypatch: pytest.MonkeyPatch, flag: str
) -> None:
    monkeypatch.setattr(logging, flag, False)
    fmt = "%(process)s %(thread)s %(threadName)s"

    lines = []
    for kind in (FastLogger, logging.Logger):
        tree = grow(kind, fmt)
        tree.child.info("x")
        lines.append(tree.lines())

    assert lines[0] == lines[1]
    assert "None" in lines[0]


def test_the_time_is_now(grow: Callable[..., Tree]) -> None:
    tree = grow(fmt="%(created)f %(msecs)03d %(asctime)s")
    before = time.time()

    tree.child.info("x")

    created, msecs, *text = tree.lines().splitlines()[-1].split()
    assert before - 1e-5 <= float(created) <= time.time() + 1e-5
    fraction_ms = float(created) % 1 * 1000
    assert fraction_ms - 1.01 <= float(msecs) <= fraction_ms + 0.01
    seconds = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(float(created)))
    assert " ".join(text) == f"{seconds},{msecs}"


# Where a record is needed, there is one.


def records_of(tree: Tree, do: Callable[[], object]) -> list[logging.LogRecord]:
    """Return the records that are made while *do* runs."""
    made: list[logging.LogRecord] = []
    usual = logging.LogRecord.__init__

    def note(record: logging.LogRecord, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        made.append(record)
        usual(record, *args, **kwargs)

    with mock.patch.object(logging.LogRecord, "__init__", note):
        do()
    return made


def test_a_patched_record_is_made(grow: Callable[..., Tree]) -> None:
    tree = grow()

    assert len(records_of(tree, lambda: tree.child.info("x"))) == 1


def test_a_record_factory_is_honoured(grow: Callable[..., Tree]) -> None:
    tree = grow(fmt="%(message)s!")

    def factory(*args: Any, **kwargs: Any) -> logging.LogRecord:  # noqa: ANN401
        record = logging.LogRecord(*args, **kwargs)
        record.msg = "made"
        return record

    before = logging.getLogRecordFactory()
    logging.setLogRecordFactory(factory)
    try:
        tree.child.info("x")
    finally:
        logging.setLogRecordFactory(before)
    tree.child.info("y")

    assert tree.lines() == "begins!\nmade!\ny!\n"


class Own(FastLogger):
    """A class of a test's own, to be patched by it."""


@pytest.mark.parametrize("name", ["handle", "callHandlers", "_log"])
@pytest.mark.parametrize("where", ["class", "logger"])
def test_a_patched_logger_is_noticed(
    grow: Callable[..., Tree], name: str, where: str
) -> None:
    tree = grow(Own)
    tree.child.info("one")

    owner = Own if where == "class" else tree.child
    with mock.patch.object(owner, name) as patched:
        tree.child.info("two")

    patched.assert_called_once()
    tree.child.info("three")
    assert "two" not in tree.lines()
    assert "three" in tree.lines()


class Prefixing(FastLogger):
    """Overrides what every call goes through."""

    def makeRecord(self, *args: Any, **kwargs: Any) -> logging.LogRecord:  # noqa: ANN401
        record = super().makeRecord(*args, **kwargs)
        record.msg = f"prefix {record.msg}"
        return record


def test_a_subclass_may_override_what_it_likes(grow: Callable[..., Tree]) -> None:
    tree = grow(Prefixing, "%(message)s")

    tree.child.info("x")

    assert tree.lines() == "prefix begins\nprefix x\n"


def test_a_broken_call_is_reported_with_its_stack(
    grow: Callable[..., Tree], capsys: pytest.CaptureFixture[str]
) -> None:
    tree = grow()

    tree.child.info("%d", "x")

    error = capsys.readouterr().err
    assert error.count("--- Logging error ---") == 1
    assert "test_a_broken_call_is_reported_with_its_stack" in error


def test_a_full_ring_is_reported_with_the_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = {"dialect": "stdlib", "ring_bytes": SMALL_RING}

    with Bystander(tmp_path / "app.log", **options) as leader:
        # Behind the leader: root's handlers open their log when they are made.
        handler = WatchedFileHandler(
            tmp_path / "app.log", ring_bytes=SMALL_RING, on_full="raise"
        )
        logger = FastLogger("app")
        logger.addHandler(handler)
        leader.stop()
        for number in range(100):
            logger.info("%d %s", number, "x" * 1000)
        leader.resume()
    handler.close()

    error = capsys.readouterr().err
    assert "RingFullError" in error
    assert "Message: '%d %s'" in error
    assert "Arguments: (99," in error


@pytest.mark.parametrize("raises", [True, False])
def test_a_level_is_a_number(
    grow: Callable[..., Tree], monkeypatch: pytest.MonkeyPatch, raises: bool
) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", raises)
    tree = grow()

    if raises:
        with pytest.raises(TypeError, match="level must be an integer"):
            tree.child.log("INFO", "x")  # type: ignore[arg-type]
    else:
        tree.child.log("INFO", "x")  # type: ignore[arg-type]


def test_a_logger_without_handlers_has_the_last_resort(
    capsys: pytest.CaptureFixture[str],
) -> None:
    FastLogger("lonely").warning("help")

    assert capsys.readouterr().err == "help\n"


def test_levels_are_looked_up_once_and_again_when_they_change(
    grow: Callable[..., Tree],
) -> None:
    tree = grow(fmt="%(message)s")

    tree.child.debug("one")
    tree.parent.setLevel(logging.INFO)
    tree.child.debug("two")
    tree.parent.setLevel(logging.DEBUG)
    tree.child.debug("three")
    tree.root.manager.disable = logging.CRITICAL
    tree.child.manager._clear_cache()  # type: ignore[attr-defined]
    tree.child.critical("four")

    assert tree.lines() == "begins\none\nthree\n"


INSTALLING = """\
import logging, sys
from auditring.handlers import WatchedFileHandler, install

before = logging.getLogger("before")
own = type("Own", (logging.Logger,), {})("own")
logging.Logger.manager.loggerDict["own"] = own
own.parent = logging.root
handler = WatchedFileHandler(sys.argv[1])
logging.basicConfig(handlers=[handler], level="INFO", format="%(name)s %(message)s")
install()
install()
for logger in (before, logging.getLogger("after"), logging.getLogger(), own):
    logger.info("hello %s", "you")
    print(type(logger).__name__, isinstance(logger, logging.Logger))
logging.info("bye")
assert logging.getLogger("before") is before
assert isinstance(logging.getLogger(), logging.RootLogger)
"""


def test_installing_makes_all_loggers_fast(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", INSTALLING, tmp_path / "app.log"],
        capture_output=True,
        text=True,
        timeout=30,
    )

    assert done.stderr == ""
    assert done.stdout.split() == [
        *("FastLogger", "True"),
        *("FastLogger", "True"),
        *("FastRootLogger", "True"),
        *("Own", "True"),
    ]
    assert (tmp_path / "app.log").read_text() == (
        "before hello you\nafter hello you\nroot hello you\nown hello you\nroot bye\n"
    )


def test_installing_keeps_a_logger_class_that_somebody_set(tmp_path: Path) -> None:
    program = (
        "import logging; from auditring.handlers import install\n"
        "class Own(logging.Logger): pass\n"
        "logging.setLoggerClass(Own); install()\n"
        "print(type(logging.getLogger('x')).__name__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30
    )

    assert (done.stdout, done.stderr) == ("Own\n", "")
