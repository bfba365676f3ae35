import contextlib
import copy
import gzip
import json
import logging
import logging.config
import logging.handlers
import os
import pickle
import queue
import re
import socketserver
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from bystander import Bystander, wait_until
from eventlog import Json, policy_of
from programs import LAST_WORDS, kill_while_logging, log_to_the_end, run

from auditring import LogWriter
from auditring.audit.auditor import Auditor
from auditring.backends.backend import KeptEvent
from auditring.backends.handler import HandlerBackend
from auditring.encode import json_line
from auditring.errors import PolicyError
from auditring.event import Event, UserInfo
from auditring.handlers import AuditHandler
from auditring.handlers.install import FastLogger
from auditring.policy import Policy
from auditring.records.event import FIELD_NAMES
from auditring.redact import Redactor
from auditring.request.attributes import Attributes

Opener = Callable[..., AuditHandler]
PREFIX = "log.auditring.io/"
PAGE = (
    Path(__file__).parents[2] / "docs" / "reference" / "audit-handler.md"
).read_text(encoding="utf-8")
ATTRIBUTES = Attributes.from_request(
    "GET", "/api/v1/namespaces/shop/configmaps/prices", user=UserInfo("alice")
)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "audit.log"


@pytest.fixture
def opener(log: Path) -> Iterator[Opener]:
    """Make handlers of the log, and close them at the end."""
    with contextlib.ExitStack() as stack:

        def make(
            kind: type[AuditHandler] = AuditHandler,
            **options: Any,  # noqa: ANN401 - whatever the handler takes
        ) -> AuditHandler:
            handler = kind(log, **options)
            stack.callback(handler.close)
            return handler

        yield make


def logger_of(
    *handlers: logging.Handler, kind: type[logging.Logger] = logging.Logger
) -> logging.Logger:
    logger = kind("shop.orders")
    for handler in handlers:
        logger.addHandler(handler)
    return logger


def events_in(log: Path) -> list[Json]:
    return [json.loads(line) for line in log.read_bytes().splitlines()]


def messages_in(log: Path) -> list[str]:
    return [event["annotations"][PREFIX + "message"] for event in events_in(log)]


# Records.


@pytest.mark.parametrize("kind", [logging.Logger, FastLogger])
def test_a_record_is_one_event(
    log: Path, opener: Opener, kind: type[logging.Logger]
) -> None:
    handler = opener()
    logger = logger_of(handler, kind=kind)

    logger.info("sold %d", 3, extra={"user": "alice", "order": 17})
    handler.flush()

    (event,) = events_in(log)
    assert event["user"] == {"username": "alice"}
    assert event["annotations"] == {
        PREFIX + "logger": "shop.orders",
        PREFIX + "level": "INFO",
        PREFIX + "message": "sold 3",
        "order": "17",
    }


def test_an_exception_has_its_traceback(log: Path, opener: Opener) -> None:
    handler = opener()
    try:
        raise KeyError("shelf")
    except KeyError:
        logger_of(handler).exception("failed", stack_info=True)
    handler.flush()

    (event,) = events_in(log)
    assert event["responseStatus"]["reason"] == "KeyError"
    assert event["annotations"][PREFIX + "message"] == "failed"
    assert event["annotations"][PREFIX + "traceback"].startswith("Traceback (most")
    assert event["annotations"][PREFIX + "stack"].startswith("Stack (most")


def test_a_formatter_makes_the_message(log: Path, opener: Opener) -> None:
    handler = opener()
    handler.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
    try:
        raise KeyError("shelf")
    except KeyError:
        logger_of(handler).exception("failed")
    handler.flush()

    (event,) = events_in(log)
    assert event["annotations"][PREFIX + "message"].startswith("ERROR: failed\nTraceb")
    assert PREFIX + "traceback" not in event["annotations"]


def test_a_policy_keeps_records_out(log: Path, opener: Opener) -> None:
    group = "log.auditring.io"
    handler = opener(
        policy={
            "rules": [
                {
                    "level": "None",
                    "resources": [{"group": group, "resources": ["loggers/debug"]}],
                },
                {"level": "Request", "users": ["alice"]},
                {"level": "Metadata"},
            ]
        }
    )
    logger = logger_of(handler)
    fields = {"request_object": {"a": 1}}

    logger.debug("quiet")
    logger.info("by alice", extra={"user": "alice", **fields})
    logger.info("by bob", extra={"user": "bob", **fields})
    handler.flush()

    assert messages_in(log) == ["by alice", "by bob"]
    assert [event["level"] for event in events_in(log)] == ["Request", "Metadata"]
    assert [event.get("requestObject") for event in events_in(log)] == [{"a": 1}, None]


def test_a_message_that_nobody_wants_is_not_made(opener: Opener) -> None:
    class Costly:
        def __str__(self) -> str:
            raise AssertionError("nobody asked")

    handler = opener(policy=policy_of("None"))

    logger_of(handler).info("%s", Costly())

    assert next(iter(handler.losses())).events == 0


def test_a_policy_that_omits_the_stage_records_nothing(
    log: Path, opener: Opener
) -> None:
    handler = opener(policy=policy_of(omitStages=["ResponseComplete"]))

    logger_of(handler).info("hello")
    handler.flush()

    assert events_in(log) == []


@pytest.mark.parametrize("preset", [1, 2, 3, 4, "gce", "loft-strict"])
def test_a_preset_is_a_policy(log: Path, opener: Opener, preset: int | str) -> None:
    handler = opener(policy=preset)

    logger_of(handler).info("hello")
    handler.flush()

    assert messages_in(log) == ["hello"]


@pytest.mark.parametrize("form", ["path", "string", "dict", "object"])
def test_a_policy_may_be_given_in_many_forms(
    tmp_path: Path, log: Path, opener: Opener, form: str
) -> None:
    policy = {"rules": [{"level": "Metadata", "users": ["alice"]}]}
    path = tmp_path / "policy.yaml"
    path.write_text(json.dumps(policy))
    forms = {
        "path": path,
        "string": str(path),
        "dict": policy,
        "object": Policy.from_file(path),
    }

    handler = opener(policy=forms[form])
    for user in ("alice", "bob"):
        logger_of(handler).info("hello", extra={"user": user})
    handler.flush()

    assert [event["user"]["username"] for event in events_in(log)] == ["alice"]


def test_a_policy_may_be_exchanged(log: Path, opener: Opener) -> None:
    handler = opener(policy=policy_of("None"))
    logger = logger_of(handler)

    logger.info("before")
    handler.policy = 1
    logger.info("after")
    handler.flush()

    assert messages_in(log) == ["after"]


def test_secrets_are_masked(log: Path, opener: Opener) -> None:
    handler = opener(redactor=Redactor())
    logger = logger_of(handler)
    secret = {"resource": "secrets", "name": "card"}

    logger.info("in", extra={"password": "Tr0ub4dor", "user": "alice"})
    logger.info("with password=Tr0ub4dor of %s", "bob")
    logger.info("it is Tr0ub4dor", extra={"object_ref": secret})
    handler.flush()

    assert b"Tr0ub4dor" not in log.read_bytes()
    named, told, quoted = events_in(log)
    assert named["user"] == {"username": "alice"}
    assert told["annotations"][PREFIX + "message"].endswith(" of bob")
    assert quoted["annotations"][PREFIX + "logger"] == "shop.orders"


@pytest.mark.parametrize("limit", [None, 16_384])
def test_a_huge_field_is_shortened(
    log: Path, opener: Opener, limit: int | None
) -> None:
    handler = opener(max_event_bytes=limit, ring_bytes=64 * 1024)

    logger_of(handler).info("big", extra={"field": "x" * 10**6, "user": "alice"})
    handler.flush()

    (event,) = events_in(log)
    assert len(log.read_bytes()) <= (limit or 32 * 1024)
    assert event["user"] == {"username": "alice"}
    assert event["annotations"]["auditring.io/shortened"] == "annotations"


# Documentation.


@pytest.mark.parametrize("text", [PAGE, AuditHandler.__doc__], ids=["page", "class"])
def test_every_field_is_documented(text: str) -> None:
    documented = set(re.findall(r"`+(\w+)`+", text))

    assert set(FIELD_NAMES) <= documented
    annotations = ("logger", "level", "message", "traceback", "stack", "trace-id")
    assert all(PREFIX + name in text for name in (*annotations, "span-id"))


def test_the_example_of_the_page_runs(tmp_path: Path) -> None:
    (example,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)

    subprocess.run(
        [sys.executable, "-c", example], cwd=tmp_path, check=True, timeout=60
    )

    (event,) = events_in(tmp_path / "audit.log")
    assert event["objectRef"]["name"] == "17"
    assert event["responseStatus"]["code"] == 200
    assert event["annotations"]["reason"] == "out of tea"


def test_the_policy_of_the_page_does_what_it_says(log: Path, opener: Opener) -> None:
    (policy,) = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    handler = opener(policy=Policy.from_yaml(policy, strict=True))

    for name in ("shop", "django", "django.db", "urllib3.connectionpool", "urllib3"):
        logger = logging.Logger(name)
        logger.addHandler(handler)
        logger.debug("quiet")
        logger.info(name)
    handler.flush()

    assert messages_in(log) == ["shop", "urllib3"]


# Trouble.


class Rude:
    def __str__(self) -> str:
        raise ZeroDivisionError

    __repr__ = __str__


class Broken(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        raise ZeroDivisionError


def lose_by_arguments(handler: AuditHandler) -> None:
    logger_of(handler).info("%d", "x")


def lose_by_text(handler: AuditHandler) -> None:
    logger_of(handler).info(Rude())


def lose_by_formatter(handler: AuditHandler) -> None:
    handler.setFormatter(Broken())
    logger_of(handler).info("x")
    handler.setFormatter(None)


def lose_by_exception_that_is_none(handler: AuditHandler) -> None:
    record = logging.makeLogRecord({"exc_info": "odd"})
    handler.handle(record)


@pytest.mark.parametrize(
    "lose",
    [
        lose_by_arguments,
        lose_by_text,
        lose_by_formatter,
        lose_by_exception_that_is_none,
    ],
)
def test_what_cannot_be_written_is_reported_and_counted(
    log: Path,
    opener: Opener,
    capsys: pytest.CaptureFixture[str],
    lose: Callable[[AuditHandler], None],
) -> None:
    lost: list[str] = []
    handler = opener(on_loss=lambda plugin, error, events: lost.append(plugin))

    lose(handler)
    logger_of(handler).info("after")
    handler.flush()

    assert messages_in(log) == ["after"]
    assert [losses.events for losses in handler.losses()] == [1]
    assert lost == ["log"]
    error = capsys.readouterr().err
    assert error.count("--- Logging error ---") == 1
    assert lose.__name__ in error


def test_a_formatter_that_runs_too_deep_is_told_to_who_logs(opener: Opener) -> None:
    class Deep(logging.Formatter):
        def format(self, record: logging.LogRecord) -> str:
            raise RecursionError("deep")

    handler = opener()
    handler.setFormatter(Deep())

    with pytest.raises(RecursionError, match="deep"):
        logger_of(handler).info("x")

    assert [losses.events for losses in handler.losses()] == [1]


def test_errors_are_silent_where_they_shall_be(
    opener: Opener,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)
    handler = opener()
    capsys.readouterr()

    lose_by_arguments(handler)

    assert capsys.readouterr().err == ""
    assert [losses.events for losses in handler.losses()] == [1]


def test_odd_fields_cost_nothing(log: Path, opener: Opener) -> None:
    handler = opener()
    cyclic: list[object] = []
    cyclic.append(cyclic)
    record = logging.makeLogRecord(
        {"msg": "\ud800", "nan": float("nan"), "rude": Rude()}
    )
    vars(record).update({1: "x", "cyclic": cyclic, "\udfff": {Rude: 1}})

    handler.handle(record)
    handler.flush()

    (event,) = events_in(log)
    assert event["annotations"][PREFIX + "message"] == "?"
    assert event["annotations"]["1"] == "x"
    assert handler.coerced_values > 3


def test_a_full_ring_drops_where_it_shall_and_counts(log: Path, opener: Opener) -> None:
    with Bystander(log, ring_bytes=64 * 1024) as leader:
        handler = opener(ring_bytes=64 * 1024, on_full="drop")
        leader.stop()
        logger = logger_of(handler)
        for _ in range(300):
            logger.info("x" * 1000)
        leader.resume()

    (losses,) = handler.losses()
    assert losses.events > 0
    assert handler.flush()
    records = [event for event in events_in(log) if "annotations" in event]
    written = [event for event in records if PREFIX + "message" in event["annotations"]]
    assert len(written) == 300 - losses.events


def test_a_full_ring_is_reported_where_it_shall(
    log: Path, opener: Opener, capsys: pytest.CaptureFixture[str]
) -> None:
    with Bystander(log, ring_bytes=64 * 1024) as leader:
        handler = opener(ring_bytes=64 * 1024, on_full="raise")
        leader.stop()
        for _ in range(300):
            logger_of(handler).info("x" * 1000)
        leader.resume()

    (losses,) = handler.losses()
    assert losses.events == capsys.readouterr().err.count("RingFullError:") > 0


# Options.


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"policy": 5}, ValueError, "policy: no preset 5"),
        ({"policy": True}, TypeError, "policy: expected a policy, preset or path"),
        ({"policy": 1.5}, TypeError, "policy: expected a policy, preset or path"),
        ({"policy": {"rules": [{1: 2}]}}, TypeError, "policy: "),
        ({"policy": {"rules": "x"}}, PolicyError, "rules"),
        ({"policy": "missing.yaml"}, FileNotFoundError, "missing.yaml"),
        ({"max_event_bytes": 1}, ValueError, "max_event_bytes: expected at least"),
        ({"max_event_bytes": "x"}, TypeError, "max_event_bytes: expected an integer"),
        ({"redactor": "x"}, TypeError, "redactor: got 'x'"),
        ({"on_loss": "x"}, TypeError, "on_loss: got 'x'"),
        ({"audit_mode": "batch"}, ValueError, "audit_mode: expected 'blocking'"),
        ({"compress": "zip"}, ValueError, "compress: expected one of"),
        ({"max_bytes": -1}, ValueError, "max_bytes: "),
        ({"max_bytes": 1, "maxBytes": 1}, TypeError, "max_bytes: given twice"),
        ({"filename": "x"}, TypeError, "path: given twice"),
        ({"backupcount": 1}, TypeError, "unexpected keyword argument 'backupcount'"),
    ],
)
def test_a_wrong_option_is_named_before_anything_is_made(
    log: Path, options: dict[str, Any], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        AuditHandler(log, **options)

    assert list(log.parent.iterdir()) == []


@pytest.mark.parametrize(
    ("path", "text"),
    [("", "missing the argument 'path'"), (7, "path: expected a str or PathLike")],
)
def test_a_wrong_path_is_named(path: Any, text: str) -> None:  # noqa: ANN401
    with pytest.raises(TypeError, match=text):
        AuditHandler(path)


def test_a_target_that_is_no_file_is_refused() -> None:
    with pytest.raises(OSError, match="not a regular file"):
        AuditHandler("/dev/null")


def test_a_delayed_handler_makes_nothing_before_the_first_event(
    log: Path, opener: Opener
) -> None:
    handler = opener(delay=True, policy=policy_of(users=["alice"]))
    logger = logger_of(handler)

    logger.info("quiet")
    handler.flush()
    made = list(log.parent.iterdir())
    logger.info("hello", extra={"user": "alice"})
    handler.flush()

    assert made == []
    assert messages_in(log) == ["hello"]


def test_the_log_is_rotated_and_compressed(log: Path, opener: Opener) -> None:
    handler = opener(maxBytes=2000, compress="gzip")

    for number in range(20):
        logger_of(handler).info("%d", number)
    handler.close()

    backups = sorted(log.parent.glob("audit-*.log*"))
    assert len(backups) > 1
    text = b"".join(
        gzip.decompress(path.read_bytes())
        if path.suffix == ".gz"
        else path.read_bytes()
        for path in [*backups, log]
    )
    numbers = [
        json.loads(line)["annotations"][PREFIX + "message"]
        for line in text.splitlines()
    ]
    assert numbers == [str(number) for number in range(20)]


def test_the_standard_librarys_backup_names_may_be_chosen(
    log: Path, opener: Opener
) -> None:
    handler = opener(max_bytes=1000, max_backups=3, dialect="stdlib")

    for number in range(20):
        logger_of(handler).info("%d", number)
    handler.close()

    names = sorted(path.name for path in log.parent.glob("audit.log*"))
    assert names == ["audit.log", "audit.log.1", "audit.log.2", "audit.log.3"]


def test_standard_output_can_be_logged_to() -> None:
    printed = run(
        """
        import logging
        from auditring.handlers import AuditHandler
        logging.getLogger("x").addHandler(AuditHandler("-"))
        logging.getLogger("x").warning("hello")
        """
    )

    assert json.loads(printed)["annotations"][PREFIX + "message"] == "hello"


@pytest.fixture
def logging_as_before() -> Iterator[None]:
    """Take away what a configuration leaves behind."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    for handler in set(root.handlers) - set(handlers):
        handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.usefixtures("logging_as_before")
def test_a_dictionary_configures(log: Path) -> None:
    group = {"group": "log.auditring.io", "resources": ["loggers/debug"]}
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"plain": {"format": "<%(message)s>"}},
            "handlers": {
                "audit": {
                    "class": "auditring.handlers.AuditHandler",
                    "filename": str(log),
                    "maxBytes": 10**6,
                    "backupCount": 3,
                    "compress": "gzip",
                    "durability": "interval",
                    "policy": {
                        "rules": [
                            {"level": "None", "resources": [group]},
                            {"level": "Metadata"},
                        ]
                    },
                    "formatter": "plain",
                    "level": "DEBUG",
                }
            },
            "root": {"handlers": ["audit"], "level": "DEBUG"},
        }
    )
    logger = logging.getLogger("app")

    logger.debug("quiet")
    logger.info("hello")
    handler = logging.getLogger().handlers[-1]
    handler.flush()

    assert messages_in(log) == ["<hello>"]
    assert isinstance(handler, AuditHandler)
    assert handler.name == "audit"


@pytest.mark.usefixtures("logging_as_before")
def test_a_wrong_option_is_named_by_the_configuration(log: Path) -> None:
    audit = {
        "class": "auditring.handlers.AuditHandler",
        "path": str(log),
        "policy": 9,
    }
    config = {"version": 1, "handlers": {"audit": audit}}

    with pytest.raises(ValueError, match="handler 'audit'") as caught:
        logging.config.dictConfig(config)

    assert "policy: no preset 9" in str(caught.value.__cause__)


@pytest.mark.usefixtures("logging_as_before")
def test_a_file_configures(tmp_path: Path, log: Path) -> None:
    config = tmp_path / "logging.ini"
    config.write_text(
        textwrap.dedent(
            f"""\
            [loggers]
            keys=root
            [handlers]
            keys=audit
            [formatters]
            keys=
            [logger_root]
            level=INFO
            handlers=audit
            [handler_audit]
            class=auditring.handlers.AuditHandler
            args=({str(log)!r},)
            kwargs={{"policy": 2, "max_bytes": 1000000}}
            """
        )
    )
    logging.config.fileConfig(config, disable_existing_loggers=False)

    logging.getLogger("app").info("hello")
    logging.getLogger().handlers[-1].flush()

    assert messages_in(log) == ["hello"]
    assert events_in(log)[0]["level"] == "Request"


def test_importing_the_handlers_loads_none_of_it() -> None:
    printed = run(
        """
        import sys
        import auditring.handlers
        print(*(name for name in sys.modules if name.startswith("auditring.")))
        """
    )

    loaded = set(printed.split())
    assert "auditring.handlers.rotating" in loaded
    unwanted = ("audithandler", "recordevent", "policy", "event", "encode")
    assert loaded.isdisjoint({f"auditring.{name}" for name in unwanted})


def test_without_a_policy_everything_is_recorded_and_that_is_said_once(
    log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        handler = AuditHandler(log)
        logger_of(handler).info("one", extra={"request_object": {"a": 1}})
        handler.close()

    said = capsys.readouterr().err.splitlines()
    assert [event["level"] for event in events_in(log)] == ["RequestResponse"] * 2
    assert len(said) == 1
    assert said[0].startswith(f"auditring: {log}: no policy is given, so everything")


def test_with_a_policy_nothing_is_said(
    log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    AuditHandler(log, policy="application-1").close()

    assert capsys.readouterr().err == ""


def test_yaml_is_not_loaded_without_a_policy_to_read(log: Path) -> None:
    printed = run(
        """
        import sys
        from auditring.handlers import AuditHandler
        AuditHandler(sys.argv[1]).close()
        print("yaml" in sys.modules)
        """,
        log,
    )

    assert printed == "False\n"


# Its life.


def test_a_closed_handler_opens_again_for_a_record(log: Path, opener: Opener) -> None:
    handler = opener()
    logger = logger_of(handler)

    logger.info("one")
    handler.close()
    handler.close()
    written = messages_in(log)
    logger.info("two")
    handler.flush()

    assert written == ["one"]
    assert messages_in(log) == ["one", "two"]


def test_closing_leaves_no_descriptor(opener: Opener) -> None:
    before = set(os.listdir("/proc/self/fd"))
    handler = opener()
    logger_of(handler).info("x")

    handler.close()

    assert set(os.listdir("/proc/self/fd")) == before
    assert handler.log_writer is None


def test_a_dropped_handler_leaves_its_lines_in_the_file(log: Path) -> None:
    handler = AuditHandler(log)
    handler.handle(logging.makeLogRecord({"msg": "x"}))

    del handler

    wait_until(lambda: messages_in(log) == ["x"])


def test_shutdown_flushes_and_closes(log: Path) -> None:
    printed = run(
        """
        import logging, pathlib, sys
        from auditring.handlers import AuditHandler
        handler = AuditHandler(sys.argv[1])
        logging.getLogger("x").addHandler(handler)
        logging.getLogger("x").warning("hello")
        logging.shutdown()
        print(pathlib.Path(sys.argv[1]).read_text().count("\\n"), handler.log_writer)
        """,
        log,
    )

    assert printed == "1 None\n"


def test_whatever_is_logged_at_the_end_is_in_the_file(log: Path) -> None:
    log_to_the_end("AuditHandler", log)

    assert messages_in(log) == LAST_WORDS


def test_acknowledged_events_survive_a_kill(log: Path) -> None:
    kill_while_logging("AuditHandler", log, 500)

    AuditHandler(log).close()

    assert messages_in(log) == [str(i) for i in range(500)]


def test_forked_children_log_as_well(log: Path) -> None:
    run(
        """
        import logging, os, sys
        from auditring.handlers import AuditHandler
        logger = logging.getLogger("x")
        logger.addHandler(AuditHandler(sys.argv[1], max_bytes=10**5))
        logger.warning("begin")
        for number in range(3):
            if os.fork() == 0:
                for i in range(100):
                    logger.warning("%d %d", number, i)
                os._exit(0)
        for number in range(3):
            os.wait()
        """,
        log,
    )

    messages = [
        message for path in log.parent.glob("audit*") for message in messages_in(path)
    ]
    assert sorted(messages) == sorted(
        ["begin", *(f"{number} {i}" for number in range(3) for i in range(100))]
    )


def test_a_signal_handler_may_log_at_any_moment(log: Path) -> None:
    printed = run(
        """
        import logging, signal, sys
        from auditring.handlers import AuditHandler
        handler = AuditHandler(sys.argv[1], ring_bytes=65536, delay=True)
        logger = logging.getLogger("x")
        logger.addHandler(handler)
        count = 0
        def on_alarm(number, frame):
            global count
            count += 1  # first: another alarm may come in the middle of the next line
            logger.warning("alarm %d", count)
        signal.signal(signal.SIGALRM, on_alarm)
        signal.setitimer(signal.ITIMER_REAL, 1e-3, 1e-3)
        for i in range(3000):
            logger.warning("%d", i)
            if i % 500 == 0:
                handler.close()
        signal.setitimer(signal.ITIMER_REAL, 0)
        print(count)
        """,
        log,
    )

    assert int(printed) > 0
    assert sorted(messages_in(log)) == sorted(
        [*map(str, range(3000)), *(f"alarm {i + 1}" for i in range(int(printed)))]
    )


def test_threads_may_open_and_close_while_others_log(log: Path, opener: Opener) -> None:
    handler = opener(ring_bytes=64 * 1024)
    is_over = threading.Event()

    def disturb() -> None:
        while not is_over.is_set():
            handler.close()
            handler.flush()

    disturber = threading.Thread(target=disturb)
    disturber.start()
    for i in range(500):
        logger_of(handler).info("%d", i)
    is_over.set()
    disturber.join()
    handler.close()

    assert messages_in(log) == [str(i) for i in range(500)]
    assert [losses.events for losses in handler.losses()] == [0]


def test_flushing_tells_when_the_disk_hangs(log: Path, opener: Opener) -> None:
    with Bystander(log) as leader:
        handler = opener()
        leader.stop()
        logger_of(handler).info("x")
        is_written = handler.flush(0.01)
        leader.resume()

        assert not is_written
        assert handler.flush(10)


# Copies.


@pytest.mark.parametrize(
    "copied",
    [
        lambda handler: pickle.loads(pickle.dumps(handler)),
        copy.copy,
        copy.deepcopy,
    ],
    ids=["pickle", "copy", "deepcopy"],
)
def test_a_copy_writes_to_the_same_log(
    log: Path, opener: Opener, copied: Callable[[AuditHandler], AuditHandler]
) -> None:
    handler = opener(policy=policy_of(users=["alice"]), max_bytes=10**6)
    handler.setFormatter(logging.Formatter("<%(message)s>"))
    handler.setLevel(logging.INFO)
    handler.set_name("audit")

    other = copied(handler)
    for each in (handler, other):
        for user in ("alice", "bob"):
            logger_of(each).info("hello", extra={"user": user})
    other.close()
    handler.flush()

    assert messages_in(log) == ["<hello>"] * 2
    assert (other.level, other.name) == (logging.INFO, "log")
    assert other.log_writer is None


def test_a_pickle_opens_nothing(log: Path, opener: Opener) -> None:
    opener(delay=True, policy=3)

    pickle.loads(pickle.dumps(opener(delay=True, policy=3))).close()

    assert list(log.parent.iterdir()) == []


# Events of an auditor.


def test_an_auditor_takes_the_short_way(log: Path, opener: Opener) -> None:
    class Silent(AuditHandler):
        def handle(self, record: logging.LogRecord) -> bool:
            raise AssertionError("a record was made")

    handler = opener(Silent, policy=policy_of("None"))
    handler.setFormatter(Broken())
    auditor = Auditor(policy_of(), handler)

    with auditor.begin(ATTRIBUTES) as request:
        request.start_response(200)
    assert auditor.flush(10)

    stages = [event["stage"] for event in events_in(log)]
    assert stages == ["RequestReceived", "ResponseComplete"]
    assert auditor.counts().lost == {"auditor": 0, "log": 0}


@pytest.mark.parametrize("limit", [None, 16_384])
def test_a_long_line_of_an_auditor_is_shortened(
    log: Path, opener: Opener, limit: int | None
) -> None:
    handler = opener(max_event_bytes=limit, ring_bytes=64 * 1024)
    event = Event(audit_id="a", request_object=b'"' + b"x" * 10**5 + b'"')

    assert handler.write_line(json_line(event))
    handler.flush()

    (written,) = events_in(log)
    assert written["auditID"] == "a"
    assert written["annotations"]["audit.k8s.io/truncated"] == "true"


def test_the_representation_tells_the_path_and_the_level(
    log: Path, opener: Opener
) -> None:
    handler = opener(policy=1)
    handler.setLevel(logging.ERROR)

    assert repr(handler) == f"<AuditHandler {log} (ERROR)>"
    assert handler.policy is not None


def test_an_auditor_writes_to_logs_before_all_others(opener: Opener) -> None:
    handler = opener()
    handler.set_name("audit")
    other = logging.handlers.MemoryHandler(100)

    auditor = Auditor(policy_of(), [other, handler])

    assert [backend.name for backend in auditor.backends] == ["audit", "MemoryHandler"]


def test_level_and_filters_count_for_an_auditor(log: Path, opener: Opener) -> None:
    handler = opener()
    auditor = Auditor(policy_of(), handler)

    handler.setLevel(logging.ERROR)
    auditor.begin(ATTRIBUTES).complete()
    handler.setLevel(logging.INFO)
    handler.addFilter(lambda record: "ResponseComplete" in record.getMessage())
    with auditor.begin(ATTRIBUTES):
        pass
    auditor.close()

    assert [event["stage"] for event in events_in(log)] == ["ResponseComplete"]


def test_the_lines_are_those_of_a_log_backend(tmp_path: Path) -> None:
    paths = tmp_path / "handler.log", tmp_path / "writer.log"
    handler, writer = AuditHandler(paths[0]), LogWriter(paths[1])
    auditor = Auditor(policy_of(), [handler, writer])

    with auditor.begin(ATTRIBUTES) as request:
        request.start_response(200)
    handler.close()
    writer.close()

    assert paths[0].read_bytes() == paths[1].read_bytes() != b""


@pytest.mark.parametrize(
    ("mode", "is_refused"), [("blocking", False), ("blocking-strict", True)]
)
def test_a_strict_handler_refuses_what_it_cannot_record(
    tmp_path: Path, log: Path, opener: Opener, mode: str, is_refused: bool
) -> None:
    handler = opener(audit_mode=mode, delay=True)
    log.mkdir()
    auditor = Auditor(policy_of(), handler)

    request = auditor.begin(ATTRIBUTES)
    is_taken = request.receive()

    assert is_taken != is_refused
    assert auditor.counts().lost["log"] == 1
    assert handler.process([KeptEvent(Event(), b"{}\n")]) != is_refused


@pytest.mark.parametrize("between", ["queue", "memory", "handler backend"])
def test_a_record_that_carries_an_event_is_written_as_that_event(
    log: Path, opener: Opener, between: str
) -> None:
    handler = opener(policy=policy_of("None"))
    event = Event(audit_id="a", stage="Panic", user_agent="\udcff<ä>")
    sent = KeptEvent(event, json_line(event))
    first: logging.Handler = handler
    records: queue.Queue[logging.LogRecord] = queue.Queue()
    if between == "queue":
        first = logging.handlers.QueueHandler(records)
    elif between == "memory":
        first = logging.handlers.MemoryHandler(100, target=handler)

    HandlerBackend(first).process([sent])
    while not records.empty():
        handler.handle(records.get())
    first.close()
    handler.flush()

    assert log.read_bytes() == sent.line


class Receiver(socketserver.ThreadingTCPServer):
    """Hands what a SocketHandler sends to a handler, as the cookbook does it."""

    def __init__(self, handler: logging.Handler) -> None:
        super().__init__(("127.0.0.1", 0), Unpickling)
        self.handler = handler
        self.count = 0


class Unpickling(socketserver.StreamRequestHandler):
    server: Receiver

    def handle(self) -> None:
        while size := self.rfile.read(4):
            members = pickle.loads(self.rfile.read(int.from_bytes(size)))
            self.server.handler.handle(logging.makeLogRecord(members))
            self.server.count += 1


def test_events_may_come_from_another_process(log: Path, opener: Opener) -> None:
    handler = opener(policy=policy_of("None"))
    with Receiver(handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        host, port = server.server_address[:2]
        sender = logging.handlers.SocketHandler(str(host), port)
        auditor = Auditor(policy_of(), sender)
        with auditor.begin(ATTRIBUTES) as request:
            request.start_response(200)
        wait_until(lambda: server.count == 2)
        sender.close()
        server.shutdown()
        thread.join()
    handler.flush()

    stages = [event["stage"] for event in events_in(log)]
    assert stages == ["RequestReceived", "ResponseComplete"]


@pytest.mark.parametrize("text", ["hello", "{}", '{"kind":"Pod"}', "[1]"])
def test_who_takes_the_name_of_the_auditors_logger_logs_records(
    log: Path, opener: Opener, text: str
) -> None:
    handler = opener()

    logging.Logger("auditring.audit").addHandler(handler)
    record = logging.makeLogRecord({"name": "auditring.audit", "msg": text})
    handler.handle(record)
    handler.flush()

    assert messages_in(log) == [text]
