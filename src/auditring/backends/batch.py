"""Events to another backend, later and many at a time.

A request never waits and is never refused here: what finds the buffer full is lost,
and counted as such. Source: Kubernetes v1.36, the buffered audit backend.
"""

import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..process._nativethread import NativeEvent, NativeThread, sleep
from ..process.afterfork import renew_after_fork
from ..process.cooperation import wait_until
from ..process.exits import Step, at_exit
from ..process.known import Known
from .backend import Backend, KeptEvent, OutgoingEvent
from .losses import Losses, OnLoss

__all__ = ["Batch", "BatchSettings"]

# How long close() waits for a delegate that hangs.
CLOSE_LIMIT_S = 30.0
# How long the end of the process waits for what isn't handed over yet.
EXIT_LIMIT_S = 5.0
# The number of the thread that collects batches; those of batches begin behind it.
WORKER = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchSettings:
    """How batches are made; the defaults are kube-apiserver's for a webhook.

    Attributes:
        buffer_events: Events that may wait.
        max_events: Events of a batch.
        max_wait_s: Seconds after which a batch is sent even if it isn't full, counted
            from when it was begun; 0 sends what there is, None waits until it's full.
        qps: Batches a second, on average; None for any number.
        burst: Batches that may be sent at once after a pause.
        is_concurrent: Whether each batch is sent in a thread of its own, so that a
            slow one doesn't hold up those after it; they may overtake it.

    Raises:
        ValueError: A number is out of its range.
    """

    buffer_events: int = 10_000
    max_events: int = 400
    max_wait_s: float | None = 30.0
    qps: float | None = 10.0
    burst: int = 15
    is_concurrent: bool = True

    def __post_init__(self) -> None:
        """Check the numbers."""
        checked = {
            "buffer_events": self.buffer_events,
            "max_events": self.max_events,
            "qps": self.qps,
            "burst": self.burst,
        }
        for name, value in checked.items():
            if value is not None and value <= 0:
                raise ValueError(f"{name}: expected more than 0, got {value!r}")
        if self.max_wait_s is not None and self.max_wait_s < 0:
            raise ValueError(f"max_wait_s: expected 0 or more, got {self.max_wait_s!r}")


class Batch:
    """Collects events, and hands them in batches to another backend.

    A native thread does so, since greenlets would wait along with it. In a forked child
    there is another one, and what waits stays the parent's. The end of the process
    waits for it, some seconds at most.

    Thread-safety: any thread. `process` takes no lock: a signal handler or a finalizer
    may log while its thread is in the middle of it. What several threads touch are
    steps of a deque or a dict, each of them whole.
    """

    name = "buffered"

    def __init__(
        self,
        delegate: Backend,
        settings: BatchSettings | None = None,
        *,
        on_loss: OnLoss | None = None,
    ) -> None:
        """Wrap *delegate*, whose results nobody hears of.

        Args:
            delegate: Where the batches go. It is closed along with this.
            settings: How they are made; None for a webhook's defaults.
            on_loss: See `Losses`.
        """
        self._delegate = delegate
        self._settings = settings or BatchSettings()
        self._losses = Losses(self.name, on_loss)
        self._delegate_losses = Losses(delegate.name, on_loss)
        self._is_closed = False
        self.begin_in_child()
        _batches.add(self)
        renew_after_fork(self)
        at_exit(Step.BATCHES, _flush_all)

    def begin_in_child(self) -> None:
        """Set out without events and threads: those that wait are the parent's."""
        self._waiting: deque[KeptEvent] = deque()
        self._called = NativeEvent()
        # Under WORKER what collects batches; under other numbers what sends one.
        self._threads: dict[int, NativeThread] = {}
        self._bucket = _Bucket(self._settings.qps, self._settings.burst)
        # Batches that are neither waiting nor delivered, by number.
        self._under_way: dict[int, int] = {}
        self._batches_begun = WORKER
        self._is_flushing = False

    def process(self, events: Sequence[OutgoingEvent], /) -> bool:
        """Let *events* wait; those that find no room are lost. Never waits itself."""
        lost: Sequence[OutgoingEvent] = ()
        for index, outgoing in enumerate(events):
            is_full = len(self._waiting) >= self._settings.buffer_events
            if is_full or self._is_closed:
                lost = events[index:]
                break
            self._waiting.append(KeptEvent(outgoing.event, outgoing.line))
        if self._waiting:
            self._wake_worker()
        if lost:
            error = ValueError("closed") if self._is_closed else BlockingIOError("full")
            self._losses.note(error, [outgoing.event for outgoing in lost])
        return True

    def _wake_worker(self) -> None:
        """Tell the worker to look; start it first if there is none."""
        if WORKER not in self._threads:
            worker = NativeThread(self._work, "auditring-batch")
            # Of several threads that come here, all start the same one.
            self._threads.setdefault(WORKER, worker).start()
        self._called.set()

    def flush(self, timeout: float | None = None) -> bool:
        """Hand over what waits, in batches that need not be full, and wait for it."""
        deadline = None if timeout is None else time.monotonic() + timeout
        if self._waiting:
            self._is_flushing = True
            self._wake_worker()
        is_done = wait_until(self._is_idle, timeout)
        left = None if deadline is None else max(deadline - time.monotonic(), 0)
        return is_done and self._delegate.flush(left)

    def _is_idle(self) -> bool:
        # In this order: a batch is under way before its events cease to wait.
        return not self._waiting and not self._under_way

    def close(self) -> None:
        """Take no more, hand over what waits, and close the other backend."""
        if self._is_closed:
            return
        self._is_closed = True
        self._called.set()
        wait_until(self._has_ended, CLOSE_LIMIT_S)
        self._delegate.close()

    def _has_ended(self) -> bool:
        """Tell whether no thread is left that another one has to wait for."""
        threads = list(self._threads.values())
        return not any(each.is_alive and not each.is_current() for each in threads)

    def losses(self) -> Iterable[Losses]:
        """Return what found no room, and what the other backend lost."""
        return (self._losses, self._delegate_losses, *self._delegate.losses())

    # In the worker.

    def _work(self) -> None:
        while True:
            batch = self._collect()
            if not batch:
                return
            self._bucket.take()
            if self._settings.is_concurrent:
                self._send_aside(batch)
            else:
                self._send(self._batches_begun, batch)

    def _collect(self) -> list[KeptEvent]:
        """Wait for a batch; empty once this is closed and nothing is left."""
        settings = self._settings
        while True:
            # With 0, one event is enough; until there is one, nothing is to do.
            self._wait_ready(settings.max_wait_s or None)
            if self._waiting or self._is_closed:
                break
        size = min(len(self._waiting), settings.max_events)
        if size:
            self._batches_begun += 1
            self._under_way[self._batches_begun] = size
        batch = [self._waiting.popleft() for _ in range(size)]
        if not self._waiting:
            self._is_flushing = False
        return batch

    def _wait_ready(self, limit_s: float | None) -> None:
        deadline_s = None if limit_s is None else time.monotonic() + limit_s
        while not self._is_ready():
            left_s = None if deadline_s is None else deadline_s - time.monotonic()
            if left_s is not None and left_s <= 0:
                return
            self._called.wait(left_s)

    def _is_ready(self) -> bool:
        settings = self._settings
        wanted = settings.max_events if settings.max_wait_s != 0 else 1
        is_full = len(self._waiting) >= wanted
        return is_full or self._is_closed or (self._is_flushing and bool(self._waiting))

    def _send_aside(self, batch: list[KeptEvent]) -> None:
        number = self._batches_begun
        sender = NativeThread(lambda: self._send(number, batch), "auditring-send")
        self._threads[number] = sender
        try:
            sender.start()
        except RuntimeError:  # the system has no thread to give
            self._send(number, batch)

    def _send(self, number: int, batch: list[KeptEvent]) -> None:
        try:
            self._delegate.process(batch)
        except Exception as error:  # the batches after this one still have to go
            self._delegate_losses.note(error, [kept.event for kept in batch])
        finally:
            self._under_way.pop(number, None)
            self._threads.pop(number, None)


class _Bucket:
    """Tokens, of which each batch takes one; full at first. For one thread."""

    def __init__(self, qps: float | None, burst: int) -> None:
        self._qps = qps
        self._burst = float(burst)
        self._tokens = self._burst
        self._filled_at = time.monotonic()

    def take(self) -> None:
        """Wait for a token and take it."""
        if self._qps is None:
            return
        now = time.monotonic()
        gained = (now - self._filled_at) * self._qps
        self._tokens = min(self._tokens + gained, self._burst) - 1
        self._filled_at = now
        if self._tokens < 0:
            sleep(-self._tokens / self._qps)


_batches: Known[Batch] = Known()


def _flush_all() -> None:
    for batch in _batches.all():
        batch.flush(EXIT_LIMIT_S)
