"""Audit requests: decide which, and hand their events to where they go."""

import logging
import weakref
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple, cast

from ..backends.backend import Backend
from ..backends.handler import HandlerBackend
from ..backends.log import LogBackend
from ..backends.losses import Losses, OnLoss
from ..event.event import Level
from ..event.status import Status
from ..log.writer import LogWriter
from ..policy._decide import DecisionTable
from ..policy.policy import Policy
from ..process._cooperativelock import CooperativeLock
from ..redact.redactor import Redactor
from ..request.attributes import Attributes
from ._admission import begin_request
from ._pipeline import Gate, Outlet, Tally
from ._request import AuditedRequest
from .everything import EVERYTHING, NO_POLICY
from .reloads import ReloadCounts

__all__ = ["UNSET", "AuditCounts", "AuditedRequest", "Auditor", "Unset"]


class Unset(Enum):
    """What stands where nothing was given, as None has a meaning."""

    UNSET = auto()

    def __repr__(self) -> str:
        """Look like it isn't there."""
        return "..."


UNSET = Unset.UNSET

_logger = logging.getLogger("auditring")


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

    Without a policy everything is recorded, and without backends nothing; either is
    said in the log of the program, logger ``auditring``.

    Thread-safety: any thread.
    """

    # What decides without a policy; None records nothing.
    _without_policy: Policy | None = EVERYTHING

    def __init__(
        self,
        policy: Policy | None,
        backends: "Place | Iterable[Place]" = (),
        *,
        redactor: Redactor | Unset | None = UNSET,
        latencies: bool = False,
        on_loss: OnLoss | None = None,
        clock_ns: Callable[[], int] | None = None,
    ) -> None:
        """Take a policy and where events go.

        Args:
            policy: What is recorded; None for everything, with bodies.
            backends: Each is called in turn with every event, in the caller's thread;
                a log before all others. A `LogWriter` stands for a `LogBackend`, a
                `logging.Handler` for a `HandlerBackend`, both of mode ``blocking``.
            redactor: Masks the secrets in every event; None leaves all as it is. If it
                isn't given, nothing is masked until a middleware takes the auditor,
                which masks by the built-in rules.
            latencies: Whether requests that took longer than half a second get
                annotations on where the time went.
            on_loss: Called when a backend raises, which it shouldn't; see `Losses`.
                Backends have such a callback of their own.
            clock_ns: Nanoseconds since the epoch; None for the system's clock.
        """
        self._tally = Tally()
        self._raised = Losses("auditor", on_loss)
        self._clock_ns = clock_ns
        self._masks_by_default = False
        self._course = self._lay(policy, backends, redactor, latencies)
        self._gate = Gate(self._course.outlet)
        # Guards what follows; no request comes by it.
        self._lock = CooperativeLock()
        self._left: list[_Left] = []
        self._lost_before: dict[str, Losses] = {}
        if self._without_policy is not None:
            self._tell_at_start(policy)

    def _tell_at_start(self, policy: Policy | None) -> None:
        if not self.backends:
            _logger.warning("NOTHING IS RECORDED: the auditor has no backends")
        elif policy is None:
            _logger.warning("the auditor: %s", NO_POLICY)

    def _decisions_of(
        self, policy: Policy | None, backends: tuple[Backend, ...]
    ) -> DecisionTable | None:
        deciding = self._without_policy if policy is None else policy
        return None if deciding is None or not backends else deciding.index

    def _lay(
        self,
        policy: Policy | None,
        backends: "Place | Iterable[Place]",
        redactor: Redactor | Unset | None,
        latencies: bool,
    ) -> "_Course":
        if not isinstance(policy, Policy | None):
            told = "; Policy.from_file reads one" if isinstance(policy, str) else ""
            raise TypeError(f"policy: expected a Policy or None, got {policy!r}{told}")
        made = [_as_backend(place) for place in _listed(backends)]
        # sorted() keeps the order of all the others.
        ordered = tuple(sorted(made, key=lambda backend: not _is_log(backend)))
        is_told = not isinstance(redactor, Unset)
        if isinstance(redactor, Unset):
            redactor = Redactor() if self._masks_by_default else None
        outlet = Outlet(
            ordered, self._tally, self._raised, None, self._clock_ns, latencies
        )
        _let_mask(outlet, redactor)
        outlet.decisions = self._decisions_of(policy, ordered)
        return _Course(policy, ordered, outlet, is_told)

    def mask_by_default(self) -> None:
        """Mask by the built-in rules from now on, if no redactor was given, nor None.

        Called by what takes requests from an application: theirs hold passwords.
        """
        with self._lock:
            self._masks_by_default = True
            outlet = self._course.outlet
            if not self._course.is_told and outlet.redact is None:
                _let_mask(outlet, Redactor())

    def __repr__(self) -> str:
        """Say what is recorded, and where it goes."""
        places = ", ".join(backend.name for backend in self.backends) or "nowhere"
        return f"<{type(self).__name__} {self.policy!r} to {places}>"

    @property
    def policy(self) -> Policy | None:
        """What is recorded; None is everything. See `reload`."""
        return self._course.policy

    @property
    def backends(self) -> tuple[Backend, ...]:
        """Where events go, in the order that they do."""
        return self._course.backends

    @property
    def logs(self) -> Mapping[str, LogWriter]:
        """Logs that the auditor opened itself, by name, for `metrics`."""
        return {}

    @property
    def reloads(self) -> ReloadCounts | None:
        """How often its configuration was loaded again; None without one."""
        return None

    def reload(self, policy: Policy | None) -> None:
        """Decide by another policy from now on.

        A request that was begun keeps its decision in all its stages.
        """
        with self._lock:
            course = self._course
            course.outlet.decisions = self._decisions_of(policy, course.backends)
            self._course = course._replace(policy=policy)

    def replace(
        self,
        policy: Policy | None,
        backends: "Place | Iterable[Place]",
        *,
        redactor: Redactor | Unset | None = UNSET,
        latencies: bool = False,
    ) -> None:
        """Decide by another policy and go to other backends, all of it at once.

        A request that was begun goes on as it was begun, to its end. A backend that
        isn't used any more is closed when the last of them is over, by a later call of
        this or of `sweep`. For the arguments see `Auditor`.
        """
        course = self._lay(policy, backends, redactor, latencies)
        with self._lock:
            left = _Left(self._course.backends, weakref.ref(self._course.outlet))
            self._left.append(left)
            self._course = course
            self._gate.outlet = course.outlet
        self.sweep()

    def sweep(self) -> int:
        """Close the backends that no request needs any more; may wait for them.

        Returns:
            How many earlier ways are still gone by requests that began before.
        """
        with self._lock:
            over = [each for each in self._left if each.outlet() is None]
            self._left = [each for each in self._left if each not in over]
            in_use = self._used()
        unused = {backend: None for each in over for backend in each.backends}
        for backend in unused.keys() - in_use.keys():
            backend.close()
            self._carry(backend)
        return len(self._left)

    def _used(self) -> dict[Backend, None]:
        """Return every backend that a request may still call, in order."""
        left = [backend for each in self._left for backend in each.backends]
        return dict.fromkeys([*self._course.backends, *left])

    def _carry(self, backend: Backend) -> None:
        """Keep the count of what a backend lost, so that it never goes back."""
        with self._lock:
            for losses in backend.losses():
                before = self._lost_before.setdefault(
                    losses.plugin, Losses(losses.plugin)
                )
                before.add(losses)

    @property
    def gate(self) -> Gate:
        """What `begin` begins requests by, for compiled code that does so itself."""
        return self._gate

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
        # Read once: what decides and where events go are of one configuration.
        return begin_request(attributes, self._gate.outlet, received_ns)

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
        with self._lock:
            used = self._used()
            before = list(self._lost_before.values())
        lost = [losses for backend in used for losses in backend.losses()]
        return [self._raised, *lost, *before]

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until every event is where it belongs; False if time ran out."""
        with self._lock:
            used = self._used()
        return all([backend.flush(timeout) for backend in used])

    def close(self) -> None:
        """Flush and close the backends; what was open before, stays open."""
        with self._lock:
            used = self._used()
        for backend in used:
            backend.close()


class _Course(NamedTuple):
    """What a request is decided by and where its events go, from begin to end."""

    policy: Policy | None
    backends: tuple[Backend, ...]
    outlet: Outlet
    is_told: bool  # whether somebody said what is masked, or that nothing is


@dataclass(frozen=True, slots=True, eq=False)
class _Left:
    """A course that no more requests take; its outlet lives as long as one is on it."""

    backends: tuple[Backend, ...]
    outlet: "weakref.ref[Outlet]"


Place = Backend | logging.Handler | LogWriter
"""What an auditor takes for a backend."""


def _listed(backends: Place | Iterable[Place]) -> list[Place]:
    if isinstance(backends, Iterable):
        return list(backends)
    return [backends]


def _let_mask(outlet: Outlet, redactor: Redactor | None) -> None:
    if redactor is None:
        return
    if not callable(getattr(redactor, "redact", None)):
        raise TypeError(f"redactor: expected a Redactor or None, got {redactor!r}")
    # Another's may change what this package's leaves alone.
    if type(redactor) is Redactor:
        outlet.leaves = redactor.leaves
    outlet.redact = redactor.redact


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
