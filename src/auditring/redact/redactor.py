"""Keep secrets out of events: `Redactor`.

It looks at what a body says it is and at what the request was for, at names and at
what texts look like. Where it can't tell, as in a body that isn't JSON, or in an error
message about a Secret, it masks. What it masked in one place of an event it masks in
all others, too.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from urllib.parse import quote, unquote_plus

from ..event import rawjson
from ..event.event import Event, ObjectReference, UserInfo
from ..event.status import Status
from ..request.attributes import Attributes
from .body import BodyRedaction
from .echoes import Echoes
from .masks import REDACTED, Mask
from .rules import DEFAULT_RULES, RedactionRule, Scope, scope_of
from .scrubbedquery import is_harmless_query, scrub_uri
from .secretarguments import OPTION_SIGNS
from .secrettext import has_sign, is_secret_name, scrub_text

__all__ = ["DEFAULT_RULES", "MASKED_WHOLE", "RedactionRule", "Redactor"]

# Annotations whose values don't come from an object.
_SAFE_ANNOTATIONS = (
    *("authorization.k8s.io/", "audit.k8s.io/", "k8s.io/", "apiserver.latency.k8s.io/"),
    *("authentication.k8s.io/", "authentication.kubernetes.io/", "auditring.io/"),
    *("audit.loft.sh/", "audit.platform.vcluster.com/", "pod-security.kubernetes.io/"),
    # Of a record of the logging module; its message may quote anything.
    *("log.auditring.io/level", "log.auditring.io/logger"),
    *("log.auditring.io/trace-id", "log.auditring.io/span-id"),
)

# So many user agents without a secret are remembered.
_AGENTS_MAX = 1024

MASKED_WHOLE = "auditring.io/masked-whole"
"""The annotation of an event with more secrets than there is time to look at."""

Change = Callable[[str], str]


class Redactor:
    """Masks the secrets in events.

    Thread-safety: one may be used by all threads.

    Args:
        rules: What is secret by its place. Names and texts that look like secrets are
            found without any.
        key: Makes equal secrets look alike; see `masks.Mask`.
        env_values: Whether the value of a pair of a name and a value is secret if the
            name is secret-like: environment variables and HTTP headers.

    Raises:
        ValueError: The key is too short.
    """

    def __init__(
        self,
        *,
        rules: tuple[RedactionRule, ...] = DEFAULT_RULES,
        key: bytes | None = None,
        env_values: bool = True,
    ) -> None:
        self._rules = _checked(rules)
        self._mask = Mask(key)
        self._env_values = env_values
        self._agents: set[str] = set()
        self._scopes: dict[str, Scope] = {}
        kinds = {kind.encode() for rule in self._rules for kind in rule.kinds}
        self._kinds_as_json = {rawjson.quote(kind.decode()) for kind in kinds}
        self._kinds = tuple(kind for kind in kinds if not has_sign(kind))

    def __repr__(self) -> str:
        """Say how many rules there are; never the key."""
        key = " with a key" if self._mask.has_key else ""
        return f"<Redactor of {len(self._rules)} rules{key}>"

    def redact(self, event: Event) -> Event:
        """Return *event* without secrets; the same one if it has none."""
        scope = self._scope_of(event.object_ref)
        bodies = BodyRedaction(
            scope,
            scope_of_kind=self._scope_of_kind,
            mask=self._mask,
            is_suspect=self._is_suspect,
            masks_env_values=self._env_values,
            kinds=self._kinds_as_json,
            has_key=self._mask.has_key,
        )
        request = self._redact_body(event.request_object, bodies)
        is_flooded = bodies.has_too_many
        response = self._redact_body(event.response_object, bodies)
        # What one body has too many of to look for, the other may repeat.
        if is_flooded and response is not None:
            response = rawjson.quote(REDACTED)
        elif bodies.has_too_many and request is not None:
            request = rawjson.quote(REDACTED)
        redacted = replace(
            event,
            request_uri=scrub_uri(event.request_uri, bodies.masked),
            user=_redact_user(event.user, bodies.masked),
            impersonated_user=event.impersonated_user
            and _redact_user(event.impersonated_user, bodies.masked),
            user_agent=scrub_text(event.user_agent, bodies.masked),
            response_status=_redact_status(event.response_status, bodies),
            request_object=request,
            response_object=response,
            annotations=_redact_annotations(event.annotations, bodies),
        )
        if bodies.is_cut or bodies.has_too_many:
            notes = {**redacted.annotations, MASKED_WHOLE: "true"}
            redacted = replace(redacted, annotations=notes)
        echoes = Echoes(bodies.secrets, self._mask)
        if echoes:
            redacted = _without_echoes(redacted, echoes)
        return event if redacted == event else redacted

    def leaves(self, attributes: Attributes, annotations: Mapping[str, str]) -> bool:
        """Tell whether `redact` leaves an event alone that has no bodies nor status.

        Without making one: most requests hold no secret. False where it can't tell.
        """
        users = (attributes.user, attributes.impersonated_user)
        return (
            is_harmless_query(attributes.request_uri)
            and not any(user and user.extra and _has_secret(user) for user in users)
            and self._is_known_agent(attributes.user_agent)
            and (not annotations or not any(map(_is_odd, annotations.items())))
        )

    def _is_known_agent(self, user_agent: str) -> bool:
        # They are long, and most requests come from a few.
        if user_agent in self._agents:
            return True
        if has_sign(user_agent):
            return False
        if len(self._agents) < _AGENTS_MAX:
            self._agents.add(user_agent)
        return True

    def _redact_body(self, body: bytes | None, bodies: BodyRedaction) -> bytes | None:
        if body is None:
            return None
        is_ruled = bodies.scope.has_paths or bodies.scope.is_sensitive
        if not is_ruled and not self._is_suspect(body) and _is_compact_json(body):
            return body
        return bodies.redact(body)

    def _is_suspect(self, body: bytes) -> bool:
        return (
            has_sign(body)
            or any(kind in body for kind in self._kinds)
            or any(option in body for option in OPTION_SIGNS)
        )

    def _scope_of(self, reference: ObjectReference | None) -> Scope:
        if reference is None:
            reference = ObjectReference()
        return scope_of(tuple(rule for rule in self._rules if rule.covers(reference)))

    def _scope_of_kind(self, kind: str) -> Scope:
        # Kinds come from clients; those that a rule names are few.
        scope = self._scopes.get(kind)
        if scope is None:
            rules = tuple(rule for rule in self._rules if kind in rule.kinds)
            scope = scope_of(rules)
            if rules:
                self._scopes[kind] = scope
        return scope


def _has_secret(user: UserInfo) -> bool:
    return any(
        is_secret_name(name) or any(map(has_sign, values or ()))
        for name, values in (user.extra or {}).items()
    )


def _is_odd(item: tuple[str, str]) -> bool:
    name, value = item
    return not name.startswith(_SAFE_ANNOTATIONS) or has_sign(value)


def _is_compact_json(body: bytes) -> bool:
    try:
        return rawjson.compact(body) is body
    except ValueError:
        return False


def _redact_user(user: UserInfo, mask: Change) -> UserInfo:
    if not user.extra:
        return user
    extra = {
        key: values and tuple(_redact_named(key, value, mask) for value in values)
        for key, values in user.extra.items()
    }
    return user if extra == user.extra else replace(user, extra=extra)


def _redact_named(name: str, value: str, mask: Change) -> str:
    return mask(value) if is_secret_name(name) else scrub_text(value, mask)


def _redact_status(status: Status | None, bodies: BodyRedaction) -> Status | None:
    if status is None:
        return None
    if bodies.scope.is_sensitive:
        return _change_messages(status, bodies.safe_message, bodies.masked)
    scrub = _scrubber(bodies)
    return _change_messages(status, scrub, scrub)


def _change_messages(
    status: Status, change_message: Change, change_cause: Change
) -> Status:
    details = status.details
    if details is not None and details.causes:
        causes = tuple(
            replace(cause, message=change_cause(cause.message))
            for cause in details.causes
        )
        details = replace(details, causes=causes)
    return replace(status, message=change_message(status.message), details=details)


def _redact_annotations(
    annotations: Mapping[str, str], bodies: BodyRedaction
) -> Mapping[str, str]:
    return {
        key: _redact_annotation(key, value, bodies)
        for key, value in annotations.items()
    }


def _redact_annotation(key: str, value: str, bodies: BodyRedaction) -> str:
    if key.startswith(_SAFE_ANNOTATIONS):
        return scrub_text(value, bodies.masked)
    if is_secret_name(key.rpartition("/")[2]):
        return bodies.masked(value)
    return bodies.redact_text(value)


def _scrubber(bodies: BodyRedaction) -> Change:
    return lambda text: scrub_text(text, bodies.masked)


def _checked(rules: object) -> tuple[RedactionRule, ...]:
    if isinstance(rules, tuple | list) and all(
        isinstance(rule, RedactionRule) for rule in rules
    ):
        return tuple(rules)
    raise TypeError(f"rules: expected a tuple of RedactionRule, got {rules!r}")


def _without_echoes(event: Event, echoes: Echoes) -> Event:
    change, change_body = echoes.replace_in, echoes.replace_in_body
    request, response = event.request_object, event.response_object
    impersonated, status = event.impersonated_user, event.response_status
    return replace(
        event,
        request_uri=_change_query(event.request_uri, change),
        user=_change_extra(event.user, change),
        impersonated_user=impersonated and _change_extra(impersonated, change),
        user_agent=change(event.user_agent),
        response_status=status and _change_messages(status, change, change),
        request_object=request and change_body(request),
        response_object=response and change_body(response),
        annotations={key: change(value) for key, value in event.annotations.items()},
    )


def _change_extra(user: UserInfo, change: Change) -> UserInfo:
    extra = {
        key: values and tuple(map(change, values)) for key, values in user.extra.items()
    }
    return replace(user, extra=extra)


def _change_query(uri: str, change: Change) -> str:
    path, question_mark, query = uri.partition("?")
    return (
        path
        + question_mark
        + "&".join(_change_parameter(part, change) for part in query.split("&"))
    )


def _change_parameter(parameter: str, change: Change) -> str:
    name, equals_sign, value = parameter.partition("=")
    plain = unquote_plus(value, errors="surrogateescape")
    changed = change(plain)
    if changed == plain:
        return parameter
    return name + equals_sign + quote(changed, safe="", errors="surrogateescape")
