"""What a policy would have made of a log: a recorded one, replayed event by event.

A log holds only what was recorded. What another policy would leave out can be told to
the byte; what it would add, only where the log shows it: a stage that the recording
left out has no more in it than other stages of its request have. A body that was never
recorded can't be told, so such events are counted.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from ..errors import RequestError
from ..event.encode import json_line
from ..event.event import Event, Level, ObjectReference, Stage, UserInfo
from ..event.managedfields import event_without_managed_fields
from ..event.recordedevents import RecordedEvents
from ..request.attributes import Attributes
from ..request.gateway import find_route
from .decisions import Decision
from .policy import Policy

__all__ = ["Account", "Simulation", "as_decided", "attributes_of", "is_recorded"]

_METHODS = {
    "create": "POST",
    "get": "GET",
    "list": "GET",
    "watch": "GET",
    "update": "PUT",
    "patch": "PATCH",
    "delete": "DELETE",
    "deletecollection": "DELETE",
}
_WITH_REQUEST_BODY = {"create", "update", "patch", "delete", "deletecollection"}
# Read as a request a URI takes 80 times its memory, and no server takes a longer one.
_URI_MAX_CHARS = 1024**2
_EARLY_STAGES = {Stage.REQUEST_RECEIVED, Stage.RESPONSE_STARTED}
_ID_MAX_CHARS = 256
_LAST_STAGES = {Stage.RESPONSE_COMPLETE, Stage.PANIC}


@dataclass(slots=True)
class Account:
    """What a rule made of the log; sizes in bytes, newlines included.

    Attributes:
        rule: Its index; -1 for requests that no rule matched.
        events: Recorded events that it decided on.
        size_bytes: Their size in the log.
        lost_events: Those of them that it wouldn't have recorded.
        lost_bytes: Their size, and that of bodies it would have left out of others.
        gained_events: Stages that it would have recorded and the log doesn't have.
        gained_bytes: Their size, but for what only that stage could have told.
        bodiless_events: Events that it would have recorded with a body that the log
            doesn't have; how large is unknown.
    """

    rule: int
    events: int = 0
    size_bytes: int = 0
    lost_events: int = 0
    lost_bytes: int = 0
    gained_events: int = 0
    gained_bytes: int = 0
    bodiless_events: int = 0


class Simulation:
    """Replays a log through a policy, one line after the other.

    Attributes:
        accounts: One for each rule in order, and one for no rule at the end.
        unreadable_lines: Lines that hold no event.
        gap_events: Events that tell of a loss instead of a request; left aside.
    """

    def __init__(self, policy: Policy, *, max_open: int = 200_000) -> None:
        """Begin with an empty log.

        Args:
            policy: What decides.
            max_open: How many requests may be under way at a time. Of older ones it is
                forgotten which stages the log has, so those count as gained.
        """
        self._max_open = max_open
        self._policy = policy
        # Of requests that aren't over yet: the stages that the log has.
        self._open: OrderedDict[str, set[str]] = OrderedDict()
        rules = range(len(policy.rule_set.rules))
        self.accounts = [*map(Account, rules), Account(-1)]
        self.unreadable_lines = 0
        self.gap_events = 0

    @property
    def unused_rules(self) -> list[int]:
        """Indexes of rules that matched nothing."""
        return [each.rule for each in self.accounts[:-1] if not each.events]

    def replay(
        self, lines: Iterable[bytes], reader: RecordedEvents | None = None
    ) -> None:
        """Take lines of the log, in their order.

        Args:
            lines: Those of one file.
            reader: What finds the events in them; None for one that tells nobody of
                lines which hold none.
        """
        reader = reader or RecordedEvents()
        for text, event in reader.events_of(lines):
            self._take(text, event)
        self.unreadable_lines += reader.unreadable

    def _take(self, text: bytes, event: Event) -> None:
        if event.verb == "gap":
            self.gap_events += 1
            return
        attributes = attributes_of(event)
        decision = self._policy.evaluate(attributes)
        account = self.accounts[decision.rule]
        account.events += 1
        account.size_bytes += len(text) + 1
        self._weigh(account, event, decision, attributes)
        for missing in self._missing_stages(event, attributes):
            if is_recorded(missing, decision):
                account.gained_events += 1
                account.gained_bytes += len(json_line(as_decided(missing, decision)))

    def _weigh(
        self,
        account: Account,
        event: Event,
        decision: Decision,
        attributes: Attributes,
    ) -> None:
        """Compare an event with what the decision leaves of it."""
        before = len(json_line(event))
        if not is_recorded(event, decision):
            account.lost_events += 1
            account.lost_bytes += before
            return
        after = len(json_line(as_decided(event, decision)))
        account.lost_bytes += max(before - after, 0)
        account.gained_bytes += max(after - before, 0)
        account.bodiless_events += _lacks_a_body(event, decision, attributes)

    def _missing_stages(self, event: Event, attributes: Attributes) -> Iterator[Event]:
        """Yield, when a request is over, what earlier stages would have told of it."""
        identity = event.audit_id[:_ID_MAX_CHARS]
        stages = self._open.setdefault(identity, set())
        if event.stage in _EARLY_STAGES:
            stages.add(event.stage)
        if event.stage not in _LAST_STAGES:
            if len(self._open) > self._max_open:
                self._open.popitem(last=False)
            return
        del self._open[identity]
        early = replace(event, request_object=None, response_object=None)
        if Stage.REQUEST_RECEIVED not in stages:
            yield replace(
                early,
                stage=Stage.REQUEST_RECEIVED,
                impersonated_user=None,
                authentication_metadata=None,
                response_status=None,
                stage_timestamp=event.request_received_timestamp,
                annotations={},
            )
        if attributes.long_running and Stage.RESPONSE_STARTED not in stages:
            yield replace(early, stage=Stage.RESPONSE_STARTED)


def is_recorded(event: Event, decision: Decision) -> bool:
    """Tell whether the decision has an event at this stage."""
    return decision.level is not Level.NONE and event.stage not in decision.omit_stages


def as_decided(event: Event, decision: Decision) -> Event:
    """Return what of *event* the decision lets be recorded."""
    level = decision.level
    changed = replace(
        event,
        level=level,
        request_object=event.request_object if level.at_least(Level.REQUEST) else None,
        response_object=(
            event.response_object if level is Level.REQUEST_RESPONSE else None
        ),
    )
    if decision.omit_managed_fields:
        return event_without_managed_fields(changed)
    return changed


def _lacks_a_body(event: Event, decision: Decision, attributes: Attributes) -> bool:
    """Tell whether the decision asks for a body that the recording left out."""
    if not attributes.is_resource_request or event.stage == Stage.REQUEST_RECEIVED:
        return False
    recorded = Level(event.level) if event.level in set(Level) else Level.NONE
    is_raised = decision.level.at_least(Level.REQUEST) and not recorded.at_least(
        Level.REQUEST
    )
    if is_raised and attributes.verb in _WITH_REQUEST_BODY:
        return True
    wants_answer = decision.level is Level.REQUEST_RESPONSE
    has_answer = recorded is Level.REQUEST_RESPONSE
    return wants_answer and not has_answer and not attributes.long_running


def attributes_of(event: Event) -> Attributes:
    """Return what was known of the request when the policy was asked.

    Not from the object reference: it may have gained names from the body since then.
    """
    is_resource_request = event.object_ref is not None
    verb = event.verb
    method = _METHODS.get(verb, "OTHER") if is_resource_request else verb.upper()
    if len(event.request_uri) > _URI_MAX_CHARS:
        return _attributes_as_recorded(event)
    try:
        route = find_route(method, event.request_uri)
        return Attributes.from_request(
            method,
            route.rest,
            # Nobody, where authentication failed.
            user=event.user if event.user != UserInfo() else None,
            request_target=route.request_target or "",
            cluster=route.cluster,
            project=route.project,
        )
    except RequestError:
        return _attributes_as_recorded(event)


def _attributes_as_recorded(event: Event) -> Attributes:
    ref = event.object_ref or ObjectReference()
    return Attributes(
        is_resource_request=event.object_ref is not None,
        path=event.request_uri.partition("?")[0],
        verb=event.verb,
        api_group=ref.api_group,
        api_version=ref.api_version,
        namespace=ref.namespace,
        resource=ref.resource,
        subresource=ref.subresource,
        name=ref.name,
        user=event.user,
    )
