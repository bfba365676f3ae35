"""Audit requests: decide which, and hand their events to where they go."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import cast

from ._audited import AuditedRequest, begin_request
from ._outlet import Outlet, Tally
from .attributes import Attributes
from .backend import Backend
from .backends.handler import HandlerBackend
from .backends.log import LogBackend
from .event import Level
from .losses import Losses, OnLoss
from .policy import Policy
from .redact import Redactor
from .status import Status
from .writer import LogWriter

__all__ = ["AuditCounts", "AuditedRequest", "Auditor"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditCounts:
    """What an auditor counted in this process, at one moment.

    Attributes:
        requests: Requests that were decided on, by level.
        events: Events handed to the backends, by level; once, not for each of them.
        refused: Requests refused since a strict backend couldn't keep their event.
        annotation_conflicts: Annotations that already had another value.
        lost: Events lost, by plugin.
    """

    requests: dict[Level, int]
    events: dict[Level, int]
    refused: int
    annotation_conflicts: int
    lost: dict[str, int]


class Auditor:
    """Decides once on each request, and hands the events of its stages on.

    Without a policy, or without backends, nothing is recorded.

    Thread-safety: any thread.
    """

    def __init__(
        self,
        policy: Policy | None,
        backends: "Place | Iterable[Place]" = (),
        *,
        redactor: Redactor | None = None,
        latencies: bool = False,
        on_loss: OnLoss | None = None,
        clock_ns: Callable[[], int] | None = None,
    ) -> None:
        """Take a policy and where events go.

        Args:
            policy: What is recorded; None for nothing.
            backends: Each is called in turn with every event, in the caller's thread;
                a log before all others. A `LogWriter` stands for a `LogBackend`, a
                `logging.Handler` for a `HandlerBackend`, both of mode ``blocking``.
            redactor: Masks the secrets in every event; None leaves all as it is.
            latencies: Whether requests that took longer than half a second get
                annotations on where the time went.
            on_loss: Called when a backend raises, which it shouldn't; see `Losses`.
                Backends have such a callback of their own.
            clock_ns: Nanoseconds since the epoch; None for the system's clock.
        """
        made = [_as_backend(place) for place in _listed(backends)]
        # sorted() keeps the order of all the others.
        self._backends = tuple(sorted(made, key=lambda backend: not _is_log(backend)))
        self._tally = Tally()
        self._raised = Losses("auditor", on_loss)
        self._outlet = Outlet(
            self._backends,
            self._tally,
            self._raised,
            None if redactor is None else redactor.redact,
            clock_ns,
            latencies,
        )
        self.reload(policy)

    @property
    def policy(self) -> Policy | None:
        """What is recorded; see `reload`."""
        return self._policy

    @property
    def backends(self) -> tuple[Backend, ...]:
        """Where events go, in the order that they do."""
        return self._backends

    def reload(self, policy: Policy | None) -> None:
        """Decide by another policy from now on.

        A request that was begun keeps its decision in all its stages.
        """
        self._policy = policy
        if policy is None or not self._backends:
            self._outlet.decisions = None
        else:
            self._outlet.decisions = policy.index

    def begin(
        self, attributes: Attributes, received_ns: int | None = None
    ) -> AuditedRequest:
        """Decide on a request, before anything is recorded of it.

        Args:
            attributes: What is known of it.
            received_ns: When it came; None for now.

        Returns:
            What the request's handler calls as things happen. As a context, it does
            so itself for the stages of a call without streaming.
        """
        return begin_request(attributes, self._outlet, received_ns)

    def record_failure(
        self, attributes: Attributes, status: Status, body: bytes | None = None
    ) -> None:
        """Record a request that was answered before anybody knew whose it is.

        Such as one without valid credentials. It has one event, of ResponseStarted.

        Args:
            attributes: What is known of it; without a user.
            status: The answer; its code counts.
            body: The answer's body, as JSON.
        """
        self.begin(attributes).fail(status, body)

    def counts(self) -> AuditCounts:
        """Return what was counted so far."""
        tally = self._tally
        lost: dict[str, int] = {}
        for losses in self.losses():
            lost[losses.plugin] = lost.get(losses.plugin, 0) + losses.events
        return AuditCounts(
            requests=tally.requests,
            events=tally.events,
            refused=tally.refused,
            annotation_conflicts=tally.annotation_conflicts,
            lost=lost,
        )

    def losses(self) -> list[Losses]:
        """Return what each plugin lost, with the reasons."""
        lost = [losses for backend in self._backends for losses in backend.losses()]
        return [self._raised, *lost]

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until every event is where it belongs; False if time ran out."""
        return all([backend.flush(timeout) for backend in self._backends])

    def close(self) -> None:
        """Flush and close the backends; what was open before, stays open."""
        for backend in self._backends:
            backend.close()


Place = Backend | logging.Handler | LogWriter
"""What an auditor takes for a backend."""


def _listed(backends: Place | Iterable[Place]) -> list[Place]:
    if isinstance(backends, Iterable):
        return list(backends)
    return [backends]


def _is_log(backend: Backend) -> bool:
    # A handler that writes a log may have another name.
    return backend.name == "log" or getattr(backend, "write_line", None) is not None


def _as_backend(place: Place) -> Backend:
    # First: a handler may be a backend of its own.
    if callable(getattr(place, "process", None)):
        return cast(Backend, place)
    if isinstance(place, LogWriter):
        return LogBackend(place)
    if isinstance(place, logging.Handler):
        return HandlerBackend(place)
    raise TypeError(
        f"backends: expected a Backend, LogWriter or Handler, got {place!r}"
    )
