from memory import Memory, outgoing

from auditring.backends.truncate import Truncate
from auditring.event import Event, Level
from auditring.event.truncation import TRUNCATED, TruncationLimits

BODY = b'"' + b"x" * 500 + b'"'


def test_a_long_event_goes_without_its_bodies() -> None:
    memory = Memory()
    truncate = Truncate(memory, TruncationLimits(max_event_bytes=400))
    long = outgoing(1, level=Level.REQUEST, request_object=BODY)

    assert truncate.process([long, outgoing(2)])

    assert memory.calls == [[1, 2]]
    event = Event.from_json(memory.lines[0])
    assert event.request_object is None
    assert event.annotations == {TRUNCATED: "true"}


def test_what_is_too_long_without_bodies_is_lost() -> None:
    memory = Memory()
    truncate = Truncate(memory, TruncationLimits(max_event_bytes=400))
    long = [
        outgoing(1, level=Level.REQUEST, user_agent="x" * 500),
        outgoing(2, level=Level.METADATA, annotations={"a": "x" * 500}),
    ]

    assert truncate.process([*long, outgoing(3)])

    assert memory.calls == [[3]]
    assert [losses.events for losses in truncate.losses()] == [2]


def test_no_batch_is_too_long() -> None:
    memory = Memory()
    size = len(outgoing(1).line)
    limits = TruncationLimits(max_event_bytes=size, max_batch_bytes=2 * size)

    Truncate(memory, limits).process([outgoing(number) for number in range(5)])

    assert memory.calls == [[0, 1], [2, 3], [4]]


def test_what_the_other_backend_says_counts() -> None:
    assert not Truncate(Memory(takes=False)).process([outgoing(1)])
    assert Truncate(Memory()).flush()


def test_it_closes_the_other_backend() -> None:
    memory = Memory()

    Truncate(memory).close()

    assert memory.is_closed
