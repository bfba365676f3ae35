from collections.abc import Sequence
from pathlib import Path

import pytest
from eventlog import EventLog
from memory import outgoing

from auditring.backends.log import LogBackend
from auditring.backends.losses import print_loss
from auditring.encode import json_line, legacy_line
from auditring.errors import ClosedError
from auditring.event import Event


class Lines:
    """A log that takes some lines."""

    def __init__(self, *, takes: bool = True, error: Exception | None = None) -> None:
        self.written: list[bytes] = []
        self.dropped = 0
        self._takes = takes
        self._error = error

    def write(self, data: bytes, /) -> bool:
        if self._error is not None:
            raise self._error
        self.written.append(data)
        return self._takes

    def drop(self, size: int = 0, /) -> None:
        self.dropped += 1

    def flush(self, timeout: float | None = None) -> bool:
        return True


def test_an_event_is_a_line_of_the_log(tmp_path: Path) -> None:
    with EventLog(tmp_path) as log:
        backend = LogBackend(log.writer)

        assert backend.process([outgoing(1), outgoing(2)])
        assert backend.flush(10)

        assert [event["auditID"] for event in log.events()] == ["1", "2"]
        backend.close()
        assert not log.writer.closed


def test_a_line_may_have_other_forms() -> None:
    sent = outgoing(1, request_object=b"{bad")
    lines = Lines()

    LogBackend(lines, form="bare").process([sent])
    LogBackend(lines, form="legacy").process([sent])
    LogBackend(lines, max_event_bytes=20_000).process(
        [outgoing(1, request_object=b"[" + b"1," * 20_000 + b"1]")]
    )

    bare, legacy, short = lines.written
    assert bare == json_line(sent.event, bare=True)
    assert legacy == legacy_line(sent.event)
    assert len(short) <= 20_000


def test_a_body_that_is_no_json_costs_the_event_only_if_asked_for() -> None:
    lines = Lines()
    sent = outgoing(1, request_object=b"{bad")
    lenient, strict = LogBackend(lines), LogBackend(lines, strict=True)

    assert lenient.process([sent])
    assert strict.process([sent, outgoing(2)])

    assert [Event.from_json(line).audit_id for line in lines.written] == ["1", "2"]
    assert [losses.events for losses in strict.losses()] == [1]


@pytest.mark.parametrize(
    ("lines", "drops"),
    [
        (Lines(takes=False), 0),  # such a log knows of it
        (Lines(error=ValueError("too large")), 2),
        (Lines(error=ClosedError("closed")), 0),
    ],
)
def test_a_loss_is_counted_and_refuses_if_strict(lines: Lines, drops: int) -> None:
    told: list[tuple[str, Sequence[Event]]] = []
    strict = LogBackend(
        lines,
        mode="blocking-strict",
        on_loss=lambda plugin, error, events: told.append((plugin, events)),
    )

    assert LogBackend(lines).process([outgoing(1)])
    assert not strict.process([outgoing(1)])

    (losses,) = strict.losses()
    assert losses.events == 1
    assert losses.last_error is not None
    assert told == [("log", [outgoing(1).event])]
    assert lines.dropped == drops


def test_a_line_that_is_too_long_leaves_a_gap_event(tmp_path: Path) -> None:
    with EventLog(tmp_path) as log:
        huge = b'"' + b"x" * log.writer.record_limit + b'"'

        LogBackend(log.writer).process([outgoing(1, request_object=huge), outgoing(2)])

        gap, event = log.events()
        assert gap["annotations"]["auditring.io/reason"] == "dropped"
        assert event["auditID"] == "2"


def test_lost_events_can_be_printed(capsys: pytest.CaptureFixture[str]) -> None:
    backend = LogBackend(Lines(error=OSError("full")), on_loss=print_loss)

    backend.process([outgoing(7)])

    printed = capsys.readouterr().err.splitlines()
    assert printed[0] == "auditring: log: 1 events lost: full"
    assert 'AUDIT: id="7"' in printed[1]


@pytest.mark.parametrize(
    ("option", "value"),
    [("mode", "batch"), ("form", "text"), ("max_event_bytes", 10)],
)
def test_a_wrong_option_is_named(option: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"{option}: expected .* got {value!r}"):
        LogBackend(Lines(), **{option: value})  # type: ignore[arg-type]
