"""What a policy can never record of an application, said when it starts.

A policy whose rules are for resources matches no path of an ordinary application, and
its log stays empty without a fault anywhere. Who asks isn't known yet: a rule for some
users may match. What a rule of level None matches is left out on purpose, and not told
unless it is all there is.
"""

import logging
from collections.abc import Callable, Iterable
from enum import Enum

from ..audit.auditor import Auditor
from ..event.event import Level, Stage
from ..policy.decisions import Candidate, Decision, Place
from ..policy.policy import Policy
from ..request.attributes import Attributes
from .approutes import METHODS, AppRoute, routes_of
from .reader import RequestReader

__all__ = ["StartCheck"]

_logger = logging.getLogger("auditring")

_ANY_PATH = AppRoute("/x", "/", METHODS)
_SHOWN_MAX = 5
_STAGES_OF_ALL = {Stage.REQUEST_RECEIVED, Stage.RESPONSE_COMPLETE, Stage.PANIC}


class _Outcome(Enum):
    RECORDED = "may be recorded"
    SILENCED = "left out by a rule"
    UNMATCHED = "matched by no rule"


class StartCheck:
    """Says once what is never recorded of the routes of an application."""

    def __init__(
        self, auditor: Auditor, reader: RequestReader, *, has_role: bool = False
    ) -> None:
        """Begin.

        Args:
            auditor: Whose policy is asked.
            reader: What reads the application's requests.
            has_role: Whether requests may be for a target or cluster of Loft's.
        """
        self._auditor = auditor
        self._reader = reader
        self._has_role = has_role
        self.is_over = False

    def look_at(self, app: object) -> None:
        """Ask for the routes of *app*, or for all paths if it has none that are known.

        Those that are known may be not all of them, so it goes on until something is
        said.
        """
        routes = _quietly(lambda: routes_of(app))
        if routes or not self._reader.has_routes:
            self._ask(routes or [_ANY_PATH])

    def finish(self, routes: Callable[[], Iterable[AppRoute]]) -> None:
        """Ask for *routes*, which are all that the application has, and never again."""
        if not self.is_over:
            self.is_over = True
            found = _quietly(routes)
            if found:
                self._ask(found)

    def _ask(self, routes: list[AppRoute]) -> None:
        policy = self._auditor.policy
        if policy is None or not self._auditor.backends:
            return
        told = self._told(policy, routes)
        if told:
            self.is_over = True
            _logger.warning("%s", told)

    def _told(self, policy: Policy, routes: list[AppRoute]) -> str:
        """Return what is to be said; nothing if all is well."""
        left: list[str] = []
        is_any_unmatched = is_any_recorded = False
        for route in routes:
            found = {self._outcome(policy, route, each) for each in route.methods}
            if _Outcome.RECORDED in found:
                is_any_recorded = True
                continue
            is_any_unmatched |= _Outcome.UNMATCHED in found
            if _Outcome.UNMATCHED in found:
                left.append(f"{'/'.join(route.methods)} {route.path}")
        advice = (
            "; Policy.preset('application-1') to 'application-4' record every path, and"
            " Routes say which path is which resource"
        )
        if not is_any_recorded:
            why = "no rule is for them" if is_any_unmatched else "its rules say None"
            what = _what(routes, left)
            return f"{what} IS EVER RECORDED, as {why}{advice * is_any_unmatched}"
        if left:
            count = f"{len(left)} of the {len(routes)} routes"
            told = f"{count} are never recorded, as no rule is for them: {_list(left)}"
            return f"{told}{advice}"
        return ""

    def _outcome(self, policy: Policy, route: AppRoute, method: str) -> _Outcome:
        request = self._reader.read(method, route.path, [])
        for each in _candidates(policy, request):
            is_there = _is_there(each.place, request, route.prefix, self._has_role)
            if is_there is False:
                continue
            if _records(each.decision):
                return _Outcome.RECORDED
            others = (each.users, each.user_groups, each.namespaces, each.names)
            if is_there and all(other is None for other in others):
                is_rule = each.decision.rule >= 0
                return _Outcome.SILENCED if is_rule else _Outcome.UNMATCHED
        return _Outcome.UNMATCHED


def _candidates(policy: Policy, request: Attributes) -> tuple[Candidate, ...]:
    index = policy.index
    if request.is_resource_request:
        kind = request.verb, request.api_group, request.resource, request.subresource
        found = index.add_resource(kind)
    else:
        found = index.add_path(request.verb)
    if isinstance(found, Decision):
        return (Candidate(found, None, None, None, None, None),)
    return found


def _records(decision: Decision) -> bool:
    is_left_out = decision.omit_stages >= _STAGES_OF_ALL
    return decision.level is not Level.NONE and not is_left_out


def _is_there(
    place: Place | None, request: Attributes, prefix: str, has_role: bool
) -> bool | None:
    """Tell whether requests of a route are where a rule wants them; None: some are."""
    if place is None:
        return True
    is_of_loft = place.request_targets is not None or place.clusters is not None
    if is_of_loft and not has_role:
        return False
    if place.paths is None:
        return None if is_of_loft else True
    if prefix.startswith(place.path_prefixes) or request.path in place.paths:
        is_whole = not is_of_loft and (
            prefix == request.path or prefix.startswith(place.path_prefixes)
        )
        return True if is_whole else None
    if prefix == request.path:
        return False
    wanted = (*place.paths, *place.path_prefixes)
    return None if any(each.startswith(prefix) for each in wanted) else False


def _quietly(routes: Callable[[], Iterable[AppRoute]]) -> list[AppRoute]:
    """Return routes, none where a framework has them otherwise than is known."""
    try:
        return list(routes())
    except Exception:
        # What is only asked for a warning must not keep an application from starting.
        _logger.debug("the routes of the application can't be read", exc_info=True)
        return []


def _what(routes: list[AppRoute], left: list[str]) -> str:
    if routes == [_ANY_PATH]:
        return "NO REQUEST for a path that isn't Kubernetes' (/api, /apis)"
    named = f" ({_list(left)})" if left else ""
    return f"NO REQUEST for any of the {len(routes)} routes{named}"


def _list(names: list[str]) -> str:
    more = [f"{len(names) - _SHOWN_MAX} more"] * (len(names) > _SHOWN_MAX)
    return ", ".join(names[:_SHOWN_MAX] + more)
