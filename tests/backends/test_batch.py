import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from memory import Memory, outgoing

from auditring.backends.backend import OutgoingEvent
from auditring.backends.batch import Batch, BatchSettings

ONE_BY_ONE = BatchSettings(max_events=1, max_wait_s=None, qps=None, is_concurrent=False)
BY_THREE = BatchSettings(max_events=3, max_wait_s=None, qps=None, is_concurrent=False)


def lost(batch: Batch) -> dict[str, int]:
    return {losses.plugin: losses.events for losses in batch.losses()}


def test_a_batch_goes_out_when_it_is_full() -> None:
    memory = Memory()
    batch = Batch(memory, BY_THREE)

    for number in range(7):
        assert batch.process([outgoing(number)])
    memory.wait_for(2)
    assert memory.calls == [[0, 1, 2], [3, 4, 5]]
    batch.close()

    assert memory.calls[2:] == [[6]]
    assert memory.is_closed


def test_a_batch_goes_out_when_its_time_is_up() -> None:
    memory = Memory()
    batch = Batch(memory, BatchSettings(max_events=100, max_wait_s=0.01, qps=None))

    batch.process([outgoing(1)])

    memory.wait_for(1)
    assert memory.calls == [[1]]
    batch.close()


def test_a_batch_that_may_not_wait_has_what_there_is_and_idles_without() -> None:
    settings = BatchSettings(max_events=100, max_wait_s=0, qps=None)
    memory = Memory()
    batch = Batch(memory, settings)
    batch.process([outgoing(1)])
    memory.wait_for(1)

    before_s = time.process_time()
    memory.wait_until_idle(0.3)
    used_s = time.process_time() - before_s

    assert memory.calls == [[1]]
    assert used_s < 0.1  # of 0.3: its thread waits for events, and doesn't spin
    batch.close()


def test_a_flush_does_not_wait_for_a_full_batch() -> None:
    memory = Memory()
    batch = Batch(memory, BY_THREE)
    batch.process([outgoing(1), outgoing(2)])

    assert batch.flush(20)

    assert memory.calls == [[1, 2]]
    batch.process([outgoing(3)])
    assert memory.calls == [[1, 2]]
    batch.close()


def test_a_flush_ends_when_its_time_is_up() -> None:
    memory = Memory()
    memory.goes_on.clear()
    batch = Batch(memory, ONE_BY_ONE)
    batch.process([outgoing(1)])

    assert not batch.flush(0.01)

    memory.goes_on.set()
    assert batch.flush(20)
    batch.close()


def test_what_finds_the_buffer_full_is_lost_with_all_after_it() -> None:
    memory = Memory()
    batch = Batch(memory, BatchSettings(buffer_events=2, max_wait_s=None))

    assert batch.process([outgoing(number) for number in range(5)])
    assert batch.process([outgoing(9)])

    assert lost(batch)["buffered"] == 4
    batch.close()
    assert memory.calls == [[0, 1]]


def test_what_comes_after_the_end_is_lost() -> None:
    memory = Memory()
    batch = Batch(memory, ONE_BY_ONE)
    batch.close()
    batch.close()

    assert batch.process([outgoing(1)])

    assert lost(batch)["buffered"] == 1
    assert memory.calls == []


def test_a_slow_batch_holds_up_others_unless_they_may_overtake_it() -> None:
    class FirstWaits(Memory):
        def process(self, events: Sequence[OutgoingEvent], /) -> bool:
            if events[0].event.audit_id == "0":
                assert self.goes_on.wait(20)
            with self._changed:
                self.calls.append([int(each.event.audit_id) for each in events])
                self._changed.notify_all()
            return True

    memory = FirstWaits()
    memory.goes_on.clear()
    batch = Batch(memory, BatchSettings(max_events=1, qps=None, is_concurrent=True))

    batch.process([outgoing(0), outgoing(1)])
    memory.wait_for(1)

    assert memory.calls == [[1]]
    memory.goes_on.set()
    batch.close()
    assert memory.calls == [[1], [0]]


def test_no_more_batches_a_second_than_allowed() -> None:
    memory = Memory()
    settings = BatchSettings(
        max_events=1, max_wait_s=None, qps=20, burst=2, is_concurrent=False
    )
    batch = Batch(memory, settings)
    began = time.monotonic()

    batch.process([outgoing(number) for number in range(6)])
    memory.wait_for(6)

    # Two at once, and four at 50 ms each.
    assert time.monotonic() - began >= 0.19
    batch.close()


def test_a_delegate_that_raises_loses_that_batch_only() -> None:
    class Odd(Memory):
        def process(self, events: Sequence[OutgoingEvent], /) -> bool:
            super().process(events)
            if self.calls == [[0]]:
                raise ZeroDivisionError
            return False

    memory = Odd()
    batch = Batch(memory, ONE_BY_ONE)

    assert batch.process([outgoing(0), outgoing(1)])
    batch.close()

    assert memory.calls == [[0], [1]]
    assert lost(batch) == {"buffered": 0, "memory": 1}


@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_a_forked_child_sends_its_own_events_and_not_the_parents() -> None:
    memory = Memory()
    batch = Batch(memory, BY_THREE)
    batch.process([outgoing(1)])

    child = os.fork()
    if child == 0:
        batch.process([outgoing(2)])
        sent = batch.flush(20) and memory.calls == [[2]]
        os._exit(0 if sent else 1)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    batch.close()
    assert memory.calls == [[1]]


def test_the_end_of_the_process_waits_for_what_is_under_way(tmp_path: Path) -> None:
    program = """
from auditring import Attributes, Auditor, LogWriter, Policy
from auditring.backends.batch import Batch
from auditring.backends.log import LogBackend

batch = Batch(LogBackend(LogWriter("audit.log")))
policy = '{"apiVersion": "audit.k8s.io/v1", "rules": [{"level": "Metadata"}]}'
auditor = Auditor(Policy.from_yaml(policy), batch)
for _ in range(10):
    auditor.begin(Attributes.from_request("GET", "/")).complete()
"""
    subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, check=True, timeout=60
    )

    assert (tmp_path / "audit.log").read_bytes().count(b"\n") == 10


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("buffer_events", 0),
        ("max_events", -1),
        ("qps", 0),
        ("burst", 0),
        ("max_wait_s", -1),
    ],
)
def test_a_number_out_of_range_is_named(name: str, value: int) -> None:
    with pytest.raises(ValueError, match=f"{name}: expected .* got {value}"):
        BatchSettings(**{name: value})  # type: ignore[arg-type]
