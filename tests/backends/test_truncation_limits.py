"""Events and batches keep below their limits as with the truncating backend."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from some_events import events
from truncating import truncate

from auditring import encode
from auditring.event import Event, Level
from auditring.event.truncation import TruncationLimits

BODY = b'"' + b"x" * 1000 + b'"'
SMALL = Event(level=Level.REQUEST)
SIZE = len(encode.json_line(SMALL))
# An event without bodies and marked is this much longer.
MARK_BYTES = len(',"annotations":{"audit.k8s.io/truncated":"true"}')


def limits(event_bytes: int, batch_bytes: int = 10**6) -> TruncationLimits:
    return TruncationLimits(max_event_bytes=event_bytes, max_batch_bytes=batch_bytes)


def test_an_event_of_exactly_the_limit_stays() -> None:
    truncation = truncate([SMALL], limits(SIZE))

    assert truncation.batches == [[encode.json_line(SMALL)]]
    assert truncation.dropped == []


@pytest.mark.parametrize("level", [Level.REQUEST, Level.REQUEST_RESPONSE])
def test_an_event_over_the_limit_loses_its_bodies_and_says_so(level: Level) -> None:
    event = Event(level=level, request_object=BODY, annotations={"a": "b"})

    ((line,),) = truncate([event], limits(500)).batches

    expected = replace(
        event,
        request_object=None,
        annotations={"a": "b", "audit.k8s.io/truncated": "true"},
    )
    assert line == encode.json_line(expected)


@pytest.mark.parametrize("level", [Level.METADATA, Level.NONE, "", "Other"])
def test_events_of_other_levels_are_dropped_whole(level: str) -> None:
    event = Event(level=level, request_object=BODY)

    truncation = truncate([event], limits(500))

    assert truncation.batches == []
    assert truncation.dropped == [event]


@pytest.mark.parametrize(("extra", "is_kept"), [(0, True), (-1, False)])
def test_the_mark_counts_too(extra: int, is_kept: bool) -> None:
    event = replace(SMALL, response_object=BODY)

    truncation = truncate([event], limits(SIZE + MARK_BYTES + extra))

    assert bool(truncation.batches) is is_kept


def test_a_batch_of_exactly_the_limit_stays_whole() -> None:
    exact = truncate([SMALL] * 3, limits(SIZE, 3 * SIZE))
    less = truncate([SMALL] * 3, limits(SIZE, 3 * SIZE - 1))

    assert [len(batch) for batch in exact.batches] == [3]
    assert [len(batch) for batch in less.batches] == [2, 1]


@given(st.lists(events(), max_size=5), st.integers(100, 3000), st.integers(0, 3000))
def test_lines_and_batches_keep_within_the_limits_and_none_is_lost(
    them: list[Event], event_bytes: int, more: int
) -> None:
    truncation = truncate(them, limits(event_bytes, event_bytes + more))

    for batch in truncation.batches:
        assert all(len(line) <= event_bytes for line in batch)
        assert 0 < sum(map(len, batch)) <= event_bytes + more
    count = sum(map(len, truncation.batches)) + len(truncation.dropped)
    assert count == len(them)


@pytest.mark.parametrize(
    ("event_bytes", "batch_bytes", "name"),
    [(0, 10, "max_event_bytes"), (-1, 10, "max_event_bytes"), (10, 9, "max_batch")],
)
def test_limits_out_of_range_are_refused(
    event_bytes: int, batch_bytes: int, name: str
) -> None:
    with pytest.raises(ValueError, match=name):
        limits(event_bytes, batch_bytes)
