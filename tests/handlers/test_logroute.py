"""A call of a fast logger goes where the standard library's would, whatever changes."""

import gc
import io
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auditring.handlers import WatchedFileHandler
from auditring.handlers.install import FastLogger

FORMAT = "%(name)s %(levelname)s %(message)s"
LEVELS = [logging.DEBUG, logging.INFO, 25, logging.ERROR, 1000]
# More than the routes that are remembered.
LOGGER_COUNT = 700
NAMES = ("app", "app.child", "")


class Program:
    """A root, a parent and a child, and handlers that come and go.

    The first two handlers write files, the last one is the standard library's.
    """

    def __init__(self, kind: type[logging.Logger], folder: Path) -> None:
        self.root = logging.RootLogger(logging.DEBUG)
        manager = logging.Manager(self.root)
        self.root.manager = manager  # type: ignore[assignment]
        manager.setLoggerClass(kind)
        loggers = {name: manager.getLogger(name) for name in NAMES if name}
        self.loggers = {**loggers, "": self.root}
        self.stream = io.StringIO()
        self.paths = [folder / f"{kind.__name__}.{number}" for number in range(2)]
        for path in self.paths:
            path.unlink(missing_ok=True)
        self.handlers: list[logging.Handler] = [
            *[WatchedFileHandler(path) for path in self.paths],
            logging.StreamHandler(self.stream),
        ]
        for handler in self.handlers:
            handler.setFormatter(logging.Formatter(FORMAT))
        self.root.addHandler(self.handlers[0])

    def outcome(self) -> list[str]:
        for handler in self.handlers:
            handler.flush()
        texts = [path.read_text() if path.exists() else "" for path in self.paths]
        return [*texts, self.stream.getvalue()]

    def close(self) -> None:
        for handler in self.handlers:
            handler.close()


class Odd(logging.Filter):
    """Lets no even number pass."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.getMessage().endswith(("1", "3", "5", "7", "9"))


ODD = Odd()


def log(program: Program, name: str, which: int, number: int) -> None:
    program.loggers[name].log(LEVELS[which % 5], "number %d", number)


def inform(program: Program, name: str, which: int, number: int) -> None:
    program.loggers[name].info("number %d", number)


def add_handler(program: Program, name: str, which: int, number: int) -> None:
    program.loggers[name].addHandler(program.handlers[which % 3])


def remove_handler(program: Program, name: str, which: int, number: int) -> None:
    program.loggers[name].removeHandler(program.handlers[which % 3])


def put_in_place(program: Program, name: str, which: int, number: int) -> None:
    handlers = program.loggers[name].handlers
    if handlers:
        handlers[number % len(handlers)] = program.handlers[which % 3]


def give_another_list(program: Program, name: str, which: int, number: int) -> None:
    program.loggers[name].handlers = [program.handlers[which % 3]]


def set_handler_level(program: Program, name: str, which: int, number: int) -> None:
    program.handlers[which % 3].setLevel(LEVELS[number % 5])


def set_logger_level(program: Program, name: str, which: int, number: int) -> None:
    program.loggers[name].setLevel(LEVELS[which % 5])


def turn_propagation(program: Program, name: str, which: int, number: int) -> None:
    program.loggers[name].propagate = bool(which % 2)


def turn_off(program: Program, name: str, which: int, number: int) -> None:
    program.loggers[name].disabled = bool(which % 2)


def filter_calls(program: Program, name: str, which: int, number: int) -> None:
    program.loggers[name].filters = [ODD] if which % 2 else []


def filter_calls_in_place(program: Program, name: str, which: int, number: int) -> None:
    program.loggers[name].addFilter(ODD)


def filter_records(program: Program, name: str, which: int, number: int) -> None:
    program.handlers[which % 3].addFilter(ODD)


def rename_level(program: Program, name: str, which: int, number: int) -> None:
    logging.addLevelName(logging.INFO, f"LEVEL{number % 3}")


def give_another_parent(program: Program, name: str, which: int, number: int) -> None:
    program.loggers["app.child"].parent = program.loggers["app" if which % 2 else ""]


def rename(program: Program, name: str, which: int, number: int) -> None:
    program.loggers[name].name = f"renamed{which}"


CHANGES: list[Callable[[Program, str, int, int], None]] = [
    add_handler,
    remove_handler,
    put_in_place,
    give_another_list,
    set_handler_level,
    set_logger_level,
    turn_propagation,
    turn_off,
    filter_calls,
    filter_calls_in_place,
    filter_records,
    rename_level,
    give_another_parent,
    rename,
]
STEPS = st.tuples(
    st.one_of(st.sampled_from([log, inform]), st.sampled_from(CHANGES)),
    st.sampled_from(NAMES),
    st.integers(0, 5),
    st.integers(0, 9),
)


@contextmanager
def usual_level_names() -> Iterator[None]:
    try:
        yield
    finally:
        logging.addLevelName(logging.INFO, "INFO")


def outcome_of(
    kind: type[logging.Logger], folder: Path, script: list[Any]
) -> list[str]:
    program = Program(kind, folder)
    try:
        with usual_level_names():
            for step, name, which, number in script:
                step(program, name, which, number)
                # Whatever a step changes, the very next call is to see it.
                for logger in program.loggers.values():
                    logger.info("after it: %d", number)
        return program.outcome()
    finally:
        program.close()


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(script=st.lists(STEPS, max_size=25))
def test_whatever_changes_a_call_knows(tmp_path: Path, script: list[Any]) -> None:
    fast = outcome_of(FastLogger, tmp_path, script)

    assert fast == outcome_of(logging.Logger, tmp_path, script)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", NAMES)
def test_each_change_is_known_to_the_next_call(
    tmp_path: Path, change: Callable[[Program, str, int, int], None], name: str
) -> None:
    script = [
        (change, name, which, number) for which in range(3) for number in range(4)
    ]

    fast = outcome_of(FastLogger, tmp_path, script)

    assert fast == outcome_of(logging.Logger, tmp_path, script)


@pytest.fixture
def handlers(tmp_path: Path) -> Iterator[list[WatchedFileHandler]]:
    """Three handlers that write the bare messages."""
    made = [WatchedFileHandler(tmp_path / f"{number}.log") for number in range(3)]
    yield made
    for handler in made:
        handler.close()


def lines_of(handler: WatchedFileHandler) -> list[str]:
    handler.flush()
    path = Path(handler.baseFilename)
    return path.read_text().splitlines() if path.exists() else []


def test_a_logger_at_the_address_of_another_goes_its_own_way(
    handlers: list[WatchedFileHandler],
) -> None:
    for number in range(3000):
        logger = FastLogger("short-lived", logging.INFO)
        logger.addHandler(handlers[number % 3])
        logger.info("%d", number)
        logger.info("%d again", number)
        del logger

    for rest in range(3):
        expected = [
            line
            for number in range(rest, 3000, 3)
            for line in (f"{number}", f"{number} again")
        ]
        assert lines_of(handlers[rest]) == expected


def test_a_handler_at_the_address_of_another_is_not_taken_for_it(
    tmp_path: Path,
) -> None:
    logger = FastLogger("lasting", logging.INFO)

    for number in range(50):
        handler = WatchedFileHandler(tmp_path / f"{number}.log")
        # In place: nothing of the logger itself changes.
        logger.handlers[:] = [handler]
        logger.info("%d", number)
        logger.info("%d again", number)
        handler.close()
        logger.handlers.clear()
        del handler

    for number in range(50):
        text = (tmp_path / f"{number}.log").read_text()
        assert text == f"{number}\n{number} again\n"


def test_more_loggers_than_are_remembered_go_their_own_ways(
    handlers: list[WatchedFileHandler],
) -> None:
    loggers = [FastLogger(f"{number}", logging.INFO) for number in range(LOGGER_COUNT)]
    for number, logger in enumerate(loggers):
        logger.addHandler(handlers[number % 3])

    for _ in range(3):
        for number, logger in enumerate(loggers):
            logger.info("%d", number)

    for rest in range(3):
        expected = [f"{number}" for number in range(rest, LOGGER_COUNT, 3)] * 3
        assert lines_of(handlers[rest]) == expected


def test_a_handler_that_was_used_again_keeps_its_new_level(tmp_path: Path) -> None:
    program = Program(FastLogger, tmp_path)
    logger, handler = program.root, program.handlers[0]
    logger.info("below")
    handler.setLevel(logging.ERROR)
    logger.error("above")
    logger.info("too low")
    program.close()

    text = program.paths[0].read_text()
    assert text == "root INFO below\nroot ERROR above\n"


class Farewell:
    """Logs by another logger when it is collected."""

    def __init__(self, logger: logging.Logger, number: int) -> None:
        self.itself = self
        self.logger = logger
        self.number = number

    def __del__(self) -> None:
        self.logger.info("%d is gone", self.number)


def pairs_in_one_place(loggers: list[logging.Logger]) -> list[list[logging.Logger]]:
    """Return pairs of which only one at a time can be remembered."""
    places: dict[int, list[logging.Logger]] = {}
    for logger in loggers:
        places.setdefault(id(logger) // 16 % 512, []).append(logger)
    return [place[:2] for place in places.values() if len(place) > 1]


@pytest.mark.parametrize("is_kind_new", [False, True])
def test_finalizers_may_log_while_a_way_is_found_out(
    handlers: list[WatchedFileHandler], *, is_kind_new: bool
) -> None:
    loggers: list[logging.Logger] = []
    for number in range(LOGGER_COUNT):
        # Of a new class it has to be found out, too, what it overrides.
        kind = type("Own", (FastLogger,), {}) if is_kind_new else FastLogger
        loggers.append(kind(f"{number}", logging.INFO))
        loggers[-1].isEnabledFor(logging.INFO)
        # Finding out makes the dictionary of a parent that nobody looked into yet.
        loggers[-1].parent = FastLogger(f"parent {number}")
        loggers[-1].parent.addHandler(handlers[number % 3])
    for handler in handlers:
        handler.handle(logging.makeLogRecord({"msg": "begins"}))
    expected: list[Counter[str]] = [Counter({"begins": 1}) for _ in handlers]
    held: list[dict[str, int]] = []
    thresholds = gc.get_threshold()
    gc.disable()
    gc.freeze()  # each collection would look at all that other tests left
    try:
        for number, (one, other) in enumerate(pairs_in_one_place(loggers)):
            # None is left over to be used again: a new one is an object more.
            held += [{} for _ in range(100)]
            gc.collect()
            Farewell(other, number)
            # One of the next few objects is one too many, each in its turn.
            gc.set_threshold(gc.get_count()[0] + number % 16)
            gc.enable()
            one.info("%d", number)
            gc.disable()
            gc.collect()
            expected[int(one.name) % 3][f"{number}"] += 1
            expected[int(other.name) % 3][f"{number} is gone"] += 1
    finally:
        gc.unfreeze()
        gc.set_threshold(*thresholds)
        gc.enable()

    # Each of the 16 turns twice; where loggers lie is the interpreter's affair.
    assert sum(counts.total() for counts in expected) > 2 * 2 * 16
    for counts, handler in zip(expected, handlers, strict=True):
        assert Counter(lines_of(handler)) == counts
