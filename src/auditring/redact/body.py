"""Mask what is secret in the JSON of a body, wherever it may stand in it."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ..event import rawjson
from ._bodywalk import SECRETS_MAX, BodyWalk
from .masks import REDACTED, decoded_base64
from .rules import Scope
from .scrubbedquery import is_form, scrub_form
from .secretarguments import Arguments
from .secrettext import Looks, is_secret_name, scrub_text

__all__ = ["BodyRedaction"]

# What is nested deeper is masked whole.
DEPTH_MAX = 64
# Longer texts are taken apart at once: a look at each of their parts is a look at every
# byte once more.
GLANCE_BYTES = 10_000

# How many closer looks a body may take, of some microseconds each; one with more is
# masked whole. A long text is as many as its pieces of this size.
BODY_LOOKS_MAX = 3000
_LOOK_BYTES = 2000
_LONG_BYTES = 50_000
_TABLE = "Table"
_LAST_APPLIED = "last-applied-configuration"
_PAIR_NAMES = ("name", "key", "header", "Name", "Key", "field")
_PAIR_VALUES = ("value", "values", "Value")
# A patch may set the value of such a pair without its name.
_PAIR_VALUE = re.compile(r".*/(?:env|httpHeaders)/(?:\d+|-)/value", re.DOTALL)
_EVENT_TYPES = (b'"ADDED"', b'"MODIFIED"', b'"DELETED"', b'"BOOKMARK"', b'"ERROR"')
_SAFE_STATUS_MEMBERS = {
    "kind": re.compile(rb'"Status"'),
    "apiVersion": re.compile(rb'"v1"'),
    "status": re.compile(rb'"(?:Success|Failure)"'),
    "reason": re.compile(rb'"[A-Za-z]{0,40}"'),
    "code": re.compile(rb"[0-9]{1,3}"),
}
_SAFE_DETAILS = ("name", "group", "kind", "uid", "retryAfterSeconds")
_SAFE_MESSAGE = re.compile(
    r'Unauthorized|[a-z0-9.-]+ "[^"\s]{1,253}" (?:not found|already exists)'
    r'|[a-z0-9./-]+(?: "[^"\s]{1,253}")? is forbidden: User "[^"\s]{1,253}" cannot '
    r'[a-z:*-]{1,60} resource "[a-z0-9./-]{1,253}" in API group "[a-z0-9.-]{0,253}"'
    r'(?: in the namespace "[a-z0-9-]{1,253}"| at the cluster scope)'
)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in a body we are.

    Attributes:
        frames: For each object that we are inside of: where its pointer begins, and
            what is secret in it.
        pointer: The JSON pointer from the outermost of them.
        depth: How deep in the whole body.
    """

    frames: tuple[tuple[int, Scope], ...]
    pointer: str = ""
    depth: int = 0

    @property
    def is_sensitive(self) -> bool:
        return any(scope.is_sensitive for _, scope in self.frames)

    @property
    def is_secret(self) -> bool:
        return any(scope.masks(self.pointer[start:]) for start, scope in self.frames)

    @property
    def is_ruled(self) -> bool:
        return any(scope.is_sensitive or scope.has_paths for _, scope in self.frames)

    @property
    def is_base64(self) -> bool:
        return any(
            scope.holds_base64(self.pointer[start:]) for start, scope in self.frames
        )

    def below(self, name: str) -> "_Place":
        token = name.replace("~", "~0").replace("/", "~1")
        return _Place(self.frames, f"{self.pointer}/{token}", self.depth + 1)

    def at(self, pointer: str) -> "_Place":
        return _Place(self.frames, self.pointer + pointer, self.depth + 1)

    def of_kind(self, scope: Scope) -> "_Place":
        """Return the same place as the root of an object of another kind."""
        frames = (*self.frames, (len(self.pointer), scope))
        return _Place(frames, self.pointer, self.depth)


class _TooManyLooksError(Exception):
    """A body would take more time than it may."""


@dataclass(slots=True)
class BodyRedaction:
    """One body, or several of one event, on their way through the masks.

    Attributes:
        scope: What is secret in the objects that the request was for.
        scope_of_kind: The same for an object of a kind, inside of others.
        mask: Replaces a secret.
        is_suspect: Tells whether a body may hold a secret that isn't one by its place.
        masks_env_values: Whether values by secret-like names are secret.
        kinds: The kinds that a rule is for, as JSON.
        has_key: Whether equal secrets look alike.
        secrets: What was masked so far.
        has_too_many: Whether there are more than `SECRETS_MAX`.
        is_cut: Whether a body was masked whole, as it would have taken too long.
    """

    scope: Scope
    scope_of_kind: Callable[[str], Scope]
    mask: Callable[[str], str]
    is_suspect: Callable[[bytes], bool]
    masks_env_values: bool
    kinds: set[bytes] = field(default_factory=set)
    has_key: bool = False
    secrets: set[str] = field(default_factory=set)
    has_too_many: bool = False
    is_cut: bool = False
    _looks: Looks = field(default_factory=Looks)
    _names: dict[bytes, bool] = field(default_factory=dict)
    _root_depth: int = 0

    def redact(self, body: bytes) -> bytes:
        """Return the JSON text *body* with what is secret in it masked.

        What isn't JSON is masked whole.
        """
        try:
            text = rawjson.compact(body)
        except ValueError:
            return self._text(body)
        self._looks = Looks(BODY_LOOKS_MAX)
        try:
            return self._root(text, self._outermost())
        except RecursionError:  # The caller stands deep in the stack already.
            return self._whole(text)
        except _TooManyLooksError:
            self.is_cut = True
            return rawjson.quote(REDACTED)

    def redact_text(self, text: str) -> str:
        """Return *text* with what looks like a secret masked, in JSON as well."""
        self._looks = Looks(BODY_LOOKS_MAX)
        try:
            return self._string(text, self._outermost(), has_own_scope=True)
        except RecursionError:  # as above
            return self.masked(text)
        except _TooManyLooksError:
            self.is_cut = True
            return REDACTED

    def masked(self, secret: str) -> str:
        """Mask *secret*, and remember it."""
        if not secret:
            return secret
        replacement = self.mask(secret)
        if replacement != secret:
            self._remember(secret)
        return replacement

    def _remember(self, secret: str) -> None:
        if len(self.secrets) < SECRETS_MAX:
            self.secrets.add(secret)
        elif secret not in self.secrets:
            self.has_too_many = True

    def _spend(self, text: bytes) -> None:
        """Take the looks at a container.

        Raises:
            _TooManyLooksError: There are none left.
        """
        count = 1 + len(text) // _LOOK_BYTES
        if len(text) > _LONG_BYTES:  # as many as its members, before there are lists
            count = max(count, text.count(b",") // 8)
        if not self._looks.spend(count):
            raise _TooManyLooksError

    # What `BodyWalk` asks.

    def is_secret_key(self, key: bytes) -> bool:
        """Tell whether the name *key* of a member is secret-like."""
        self._spend(key)
        return is_secret_name(rawjson.unquote(key))

    def changed_key(self, key: bytes) -> bytes | None:
        """Return the name of a member without what is a secret by its look."""
        self._spend(key)
        changed = self._key(key, rawjson.unquote(key))
        return None if changed is key else changed

    def changed_string(
        self, text: bytes, key: bytes | None, depth: int
    ) -> bytes | None:
        """Return the string of the member *key* redacted; None if it stays."""
        self._spend(text)
        string = rawjson.unquote(text)
        keeps_scope = key is not None and key[:-1].endswith(_LAST_APPLIED.encode())
        changed = self._string(string, self._inside(depth), has_own_scope=keeps_scope)
        return None if changed == string else rawjson.quote(changed)

    def changed_container(self, text: bytes, key: bytes | None, depth: int) -> bytes:
        """Return an object or an array redacted, of a kind that has rules, say."""
        if text.startswith(b"{"):
            is_root = depth == self._root_depth
            return self._object(text, self._inside(depth), is_root=is_root)
        name = "" if key is None else rawjson.unquote(key)
        return self._array(text, name, self._inside(depth))

    def mask_text(self, text: bytes) -> bytes:
        """Mask a string or a number."""
        self._spend(text)
        if not text.startswith(b'"'):
            return self.whole(text)
        return rawjson.quote(self.masked(rawjson.unquote(text)))

    def whole(self, text: bytes) -> bytes:
        """Mask any text as one."""
        return self._whole(text)

    def _inside(self, depth: int) -> _Place:
        return _Place(((0, self.scope),), "", depth)

    def _walk(self, text: bytes, depth: int) -> bytes:
        """Redact what has no rules by its place."""
        walk = BodyWalk(
            self, self._names, self.kinds, self.has_key, self.masks_env_values
        )
        before, self._root_depth = self._root_depth, depth
        try:
            changed = walk.walk(text, depth)
        finally:
            self._root_depth = before
        for secret in walk.secrets:
            if len(self.secrets) >= SECRETS_MAX:
                self.has_too_many = True
                break
            is_string = secret.startswith(b'"')
            self.secrets.add(rawjson.unquote(secret) if is_string else secret.decode())
        return changed

    def safe_message(self, message: str) -> str:
        """Mask a message about a sensitive object, unless it's one of the harmless."""
        if not message or _SAFE_MESSAGE.fullmatch(message):
            return message
        return self.masked(message)

    def _text(self, body: bytes) -> bytes:
        """Redact what isn't JSON: nobody knows how names and values stand in it."""
        if self.scope.is_sensitive or self.scope.has_paths:
            return self._whole(body)
        if is_form(body):
            form = body.decode(errors="surrogateescape")
            return scrub_form(form, self.masked, Looks()).encode(
                errors="surrogateescape"
            )
        if self.is_suspect(body) or not _is_text(body):
            return self._whole(body)
        return body

    def _whole(self, text: bytes) -> bytes:
        if len(text) > _LONG_BYTES:  # which nobody repeats
            return rawjson.quote(REDACTED)
        return rawjson.quote(self.masked(text.decode(errors="surrogateescape")))

    def _outermost(self) -> _Place:
        return _Place(((0, self.scope),))

    def _root(self, text: bytes, place: _Place) -> bytes:
        """Redact a value that stands for itself: an object, a list, a patch."""
        place = _Place(place.frames[:1], "", place.depth)
        if not place.is_ruled:
            return self._walk(text, place.depth)
        if text.startswith(b"{"):
            return self._object(text, place, is_root=True)
        if text.startswith(b"[") and _is_json_patch(text):
            return self._json_patch(text, place)
        return self._lone(text, place)

    def _lone(self, text: bytes, place: _Place) -> bytes:
        """Redact a value where an object should be."""
        # Nobody knows what it is, so it may be all that is sensitive of one.
        if place.is_sensitive:
            return self._all(text, place)
        return self._value(text, "", place)

    def _value(self, text: bytes, name: str, place: _Place) -> bytes:
        """Redact the value of the member *name*."""
        if place.is_secret or place.depth > DEPTH_MAX:
            return self._all(text, place)
        if self._is_harmless(text, name, place):
            return text
        if not self._looks.spend(1):
            raise _TooManyLooksError
        if text.startswith(b"{"):
            return self._object(text, place, is_root=False)
        if text.startswith(b"["):
            return self._array(text, name, place)
        if is_secret_name(name):
            return self._all(text, place)
        if text.startswith(b'"'):
            string = rawjson.unquote(text)
            keeps_scope = name.endswith(_LAST_APPLIED)
            changed = self._string(string, place, has_own_scope=keeps_scope)
            return text if changed == string else rawjson.quote(changed)
        return text

    def _is_harmless(self, text: bytes, name: str, place: _Place) -> bool:
        """Tell whether a short text needs no closer look."""
        return (
            len(text) <= GLANCE_BYTES
            and not place.is_ruled
            and not is_secret_name(name)
            and not self.is_suspect(text)
        )

    def _all(self, text: bytes, place: _Place) -> bytes:
        """Mask every string and number in *text*."""
        self._spend(text)
        if place.depth > DEPTH_MAX and text.startswith((b"{", b"[")):
            return self._whole(text)
        if text.startswith(b"{"):
            return rawjson.object_of(
                (key, self._all(value, place.below(rawjson.unquote(key))))
                for key, value in rawjson.members(text)
            )
        if text.startswith(b"["):
            below = place.below("0")
            return rawjson.array_of(
                self._all(element, below) for element in rawjson.elements(text)
            )
        if text in (b"null", b"true", b"false"):
            return text
        if not text.startswith(b'"'):
            return self._whole(text)
        secret = rawjson.unquote(text)
        decoded = decoded_base64(secret) if place.is_base64 else None
        if decoded:
            # Both forms are secret; equal ones are to look alike in data, stringData.
            self.masked(secret)
            secret = decoded
        return rawjson.quote(self.masked(secret))

    def _object(self, text: bytes, place: _Place, *, is_root: bool) -> bytes:
        self._spend(text)
        members = _members_of(text)
        kinds = _strings_of(members, "kind")
        for kind in kinds:
            scope = self.scope_of_kind(kind.removesuffix("List"))
            if scope.has_paths or scope.is_sensitive:
                place = place.of_kind(scope)
        change = _Members(
            is_watch_event=any(
                name == "type" and value in _EVENT_TYPES for _, name, value in members
            ),
            is_table=_TABLE in kinds,
            is_status="Status" in kinds,
            has_secret_pair=self.masks_env_values and _has_secret_name(members),
            is_root=is_root,
        )
        return rawjson.object_of(
            (self._key(key, name), self._member(name, value, place, change))
            for key, name, value in members
        )

    def _member(
        self, name: str, value: bytes, place: _Place, change: "_Members"
    ) -> bytes:
        below = place.below(name)
        is_list = name == "items" and value.startswith(b"[")
        if is_list and change.is_root and below.is_ruled:
            return self._each(value, lambda item: self._item(item, below))
        if name == "object" and change.is_watch_event:
            return self._item(value, below)
        if name == "rows" and change.is_table and value.startswith(b"["):
            return self._each(value, lambda row: self._row(row, below))
        if change.is_status and below.is_sensitive:
            return self._status_member(name, value, below)
        if change.is_table and name == "columnDefinitions":
            # They are of the resource and not of an object.
            return self._value(value, name, _Place((), depth=below.depth))
        if change.has_secret_pair and name in _PAIR_VALUES:
            return self._all(value, below)
        return self._value(value, name, below)

    def _item(self, text: bytes, place: _Place) -> bytes:
        """Redact an object of a list: as one that stands for itself."""
        kinds = place.frames[1:]
        root = _Place(place.frames[:1], "", place.depth)
        for _, scope in kinds:
            root = root.of_kind(scope)
        if text.startswith(b"{"):
            return self._object(text, root, is_root=True)
        return self._lone(text, root)

    def _row(self, text: bytes, place: _Place) -> bytes:
        if not text.startswith(b"{"):
            return self._lone(text, place)
        pairs = []
        for key, value in rawjson.members(text):
            name = rawjson.unquote(key)
            if name == "object":
                value = self._item(value, place.below(name))
            elif name == "cells" and place.is_sensitive and value.startswith(b"["):
                # The first one is the name of the object.
                cells = rawjson.elements(value)
                value = rawjson.array_of(
                    cell
                    if index == 0 and cell.startswith(b'"')
                    else self._all(cell, place)
                    for index, cell in enumerate(cells)
                )
            else:
                value = self._value(value, name, place.below(name))
            pairs.append((key, value))
        return rawjson.object_of(pairs)

    def _status_member(self, name: str, value: bytes, place: _Place) -> bytes:
        """Redact what a Status says about a sensitive object."""
        if name == "message" and value.startswith(b'"'):
            return rawjson.quote(self.safe_message(rawjson.unquote(value)))
        if name == "details" and value.startswith(b"{"):
            return rawjson.object_of(
                (key, self._detail(rawjson.unquote(key), inner, place))
                for key, inner in rawjson.members(value)
            )
        if name == "metadata":
            return self._value(value, name, place)
        safe = _SAFE_STATUS_MEMBERS.get(name)
        return value if safe and safe.fullmatch(value) else self._all(value, place)

    def _detail(self, name: str, value: bytes, place: _Place) -> bytes:
        return value if name in _SAFE_DETAILS else self._all(value, place)

    def _array(self, text: bytes, name: str, place: _Place) -> bytes:
        self._spend(text)
        if _is_json_patch(text):
            return self._json_patch(text, _Place(place.frames[:1], "", place.depth))
        is_secret = is_secret_name(name)
        arguments = Arguments()
        results = []
        for index, element in enumerate(rawjson.elements(text)):
            below = place.below(str(index))
            start = None
            if element.startswith(b'"'):
                start = arguments.secret_start(rawjson.unquote(element))
            if start is not None:
                results.append(self._argument(element, start, below))
            elif is_secret and not element.startswith((b"{", b"[")):
                results.append(self._all(element, below))
            else:
                results.append(self._value(element, "", below))
        return rawjson.array_of(results)

    def _argument(self, text: bytes, start: int, place: _Place) -> bytes:
        """Mask what is from *start* on in a word of a command."""
        if start == 0:
            return self._all(text, place)
        word = rawjson.unquote(text)
        return rawjson.quote(word[:start] + self.masked(word[start:]))

    def _json_patch(self, text: bytes, place: _Place) -> bytes:
        return self._each(text, lambda operation: self._operation(operation, place))

    def _operation(self, text: bytes, place: _Place) -> bytes:
        self._spend(text)
        members = _members_of(text)
        pointers = _strings_of(members, "path")
        return rawjson.object_of(
            (
                key,
                value
                if name in ("op", "path", "from") and value.startswith(b'"')
                else self._operand(value, pointers, place),
            )
            for key, name, value in members
        )

    def _operand(self, text: bytes, pointers: Sequence[str], place: _Place) -> bytes:
        """Redact what an operation of a patch puts to one of *pointers*."""
        if not pointers:
            return self._all(text, place)
        for pointer in pointers:
            target = place.at(pointer)
            name = pointer.rpartition("/")[2].replace("~1", "/").replace("~0", "~")
            is_pair_value = self.masks_env_values and _PAIR_VALUE.fullmatch(pointer)
            if is_pair_value:
                text = self._all(text, target)
            elif pointer == "":
                text = self._root(text, target)
            else:
                text = self._value(text, name, target)
        return text

    def _each(self, text: bytes, change: Callable[[bytes], bytes]) -> bytes:
        return rawjson.array_of(map(change, rawjson.elements(text)))

    def _key(self, key: bytes, name: str) -> bytes:
        changed = scrub_text(name, self.masked, self._looks)
        return key if changed == name else rawjson.quote(changed)

    def _string(self, string: str, place: _Place, *, has_own_scope: bool) -> str:
        """Redact a string, which may hold JSON that is worth a look of its own."""
        if string.lstrip()[:1] in ("{", "["):
            try:
                text = rawjson.compact(string.encode(errors="surrogateescape"))
            except ValueError:
                pass
            else:
                changed = self._embedded(text, place, has_own_scope)
                if changed == text:
                    return string
                return changed.decode(errors="surrogateescape")
        if has_own_scope and place.is_sensitive:
            return self.masked(string)
        return scrub_text(string, self.masked, self._looks)

    def _embedded(self, text: bytes, place: _Place, has_own_scope: bool) -> bytes:
        if has_own_scope:
            return self._root(text, _Place(place.frames[:1], "", place.depth + 1))
        if not place.is_ruled and place.depth <= DEPTH_MAX:
            return self._walk(text, place.depth + 1)
        return self._value(text, "", place.below(""))


@dataclass(frozen=True, slots=True)
class _Members:
    """What the members of an object say of one another."""

    is_watch_event: bool
    is_table: bool
    is_status: bool
    has_secret_pair: bool
    is_root: bool


# A key as it stands there, the name that it is, and the value.
_Member = tuple[bytes, str, bytes]


def _members_of(text: bytes) -> list[_Member]:
    return [(key, rawjson.unquote(key), value) for key, value in rawjson.members(text)]


def _strings_of(members: Sequence[_Member], wanted: str) -> list[str]:
    """Return the strings that an object has by a name: JSON may repeat one."""
    return [
        rawjson.unquote(value)
        for _, name, value in members
        if name == wanted and value.startswith(b'"')
    ]


def _has_secret_name(members: Sequence[_Member]) -> bool:
    """Tell whether this is a pair of a secret-like name and a value."""
    return any(
        name in _PAIR_NAMES
        and value.startswith(b'"')
        and is_secret_name(rawjson.unquote(value))
        for _, name, value in members
    )


def _is_text(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return b"\0" not in body


def _is_json_patch(text: bytes) -> bool:
    """Tell whether the array *text* is a JSON patch: of objects with op and value."""
    operations = rawjson.elements(text)
    return bool(operations) and all(map(_is_operation, operations))


def _is_operation(text: bytes) -> bool:
    if not text.startswith(b"{"):
        return False
    names = {rawjson.unquote(key) for key, _ in rawjson.members(text)}
    return "op" in names and bool(names & {"path", "value"})
