"""Keep secrets out of the query of a request: `scrub_uri`, and of forms.

A parameter is secret by its name, by what its value looks like, or as it follows an
option: ``command=--token&command=…`` of ``kubectl exec``. All may be percent-encoded.
"""

import re

from ._percent import quote, unquote_plus
from .secretarguments import Arguments
from .secrettext import Looks, MaskText, has_sign, is_secret_name, scrub_text

__all__ = ["QUERY_LOOKS_MAX", "is_form", "is_harmless_query", "scrub_form", "scrub_uri"]

# A query with more is masked from there on.
QUERY_LOOKS_MAX = 1500

# One with more is masked as a whole: nobody sends such a form.
PARTS_MAX = 20_000

# What nobody calls so outside of a query or a form, in lower case.
_NAMES = frozenset(
    (
        *("auth", "sig", "signature", "assertion", "client_assertion", "samlresponse"),
        *("id_token_hint", "hmac"),
    )
)
# Of the large clouds, X-Amz-Signature and the like.
_SIGNED = re.compile(r"(?:.*[-_])?signature", re.DOTALL)
# Where servlets have a session without a cookie.
_IN_PATH = re.compile(r"(?<=;jsessionid=)[^;/?#]+", re.IGNORECASE)
# OAuth's code is as good as a token; what has no state, is some other code.
_CODE, _STATE = "code", "state="
# Parameters that are words of a command, each in turn.
_COMMANDS = frozenset(("command", "cmd", "arg", "args", "argv"))
# Those of the names that have no sign of a secret in them, which is looked for anyway.
_UNSIGNED = [name for name in (*_NAMES, *_COMMANDS, _CODE) if not has_sign(f"{name}=")]
_NAMED = re.compile(rf"[?&](?:{'|'.join(_UNSIGNED)})(?:=|&|\Z)", re.IGNORECASE)
_FORM = re.compile(rb"[\w.~%+\[\]*-]{1,200}=[^\s&<>{}\"]*(?:&|\Z)")


def scrub_uri(uri: str, mask: MaskText) -> str:
    """Return *uri* with secrets in its query replaced.

    Its path stays as it is, but for a session in it and a password before a host.
    """
    path, question_mark, query = uri.partition("?")
    if not path.startswith("/"):
        path = scrub_text(path, mask)
    if ";" in path:
        path = _IN_PATH.sub(lambda session: quote(mask(session.group())), path)
    if not query:
        return path + question_mark
    return f"{path}?{scrub_form(query, mask, Looks(QUERY_LOOKS_MAX))}"


def is_harmless_query(uri: str) -> bool:
    """Tell at once that `scrub_uri` leaves *uri* as it is; False if it can't tell."""
    if "?" not in uri:
        return uri.startswith("/") and ";" not in uri
    if "%" in uri or "=-" in uri or has_sign(uri):
        return False
    return _NAMED.search(uri) is None


def is_form(body: bytes) -> bool:
    """Tell whether *body* is a form as browsers send it, ``a=b&c=d``."""
    return _FORM.match(body) is not None and not body.strip().count(b"\n")


def scrub_form(query: str, mask: MaskText, looks: Looks) -> str:
    """Return the form or query with secrets in it replaced.

    Where *looks* end, the rest is masked as one.
    """
    if query.count("&") > PARTS_MAX:
        return quote(mask(unquote_plus(query)))
    form = _Form(mask, looks, has_state=_STATE in query)
    parts = query.split("&")
    for index, part in enumerate(parts):
        if form.is_harmless(part):
            continue
        if not looks.spend(1):
            rest = unquote_plus("&".join(parts[index:]))
            parts[index:] = [quote(mask(rest))]
            break
        parts[index] = form.scrub(part)
    return "&".join(parts)


class _Form:
    def __init__(self, mask: MaskText, looks: Looks, *, has_state: bool) -> None:
        self._mask = mask
        self._looks = looks
        self._has_state = has_state
        # By the name of the parameter: options and their values have the same.
        self._arguments: dict[str, Arguments] = {}

    def is_harmless(self, part: str) -> bool:
        if not part:
            return True
        if self._arguments or "%" in part or "=-" in part or has_sign(part):
            return False
        name = part[: part.find("=")]
        return name not in _COMMANDS and not self._is_secret(name)

    def _is_secret(self, name: str) -> bool:
        lowered = name.lower()
        return (
            lowered in _NAMES
            or _SIGNED.fullmatch(lowered) is not None
            or (self._has_state and lowered == _CODE)
        )

    def scrub(self, parameter: str) -> str:
        name, equals_sign, value = parameter.partition("=")
        if not equals_sign:
            name, value = "", parameter
        plain = unquote_plus(value)
        called = unquote_plus(name)
        if self._is_secret(called) or is_secret_name(called):
            scrubbed = self._mask(plain) if plain else plain
        else:
            scrubbed = self._scrub_value(called, plain)
        if scrubbed == plain:
            return parameter
        return name + equals_sign + quote(scrubbed)

    def _scrub_value(self, name: str, value: str) -> str:
        arguments = self._arguments.get(name)
        if arguments is None and (value.startswith("-") or name in _COMMANDS):
            arguments = self._arguments.setdefault(name, Arguments())
        if arguments is not None:
            start = arguments.secret_start(value)
            if start is not None:
                secret = value[start:]
                return value[:start] + (self._mask(secret) if secret else "")
        return scrub_text(value, self._mask, self._looks)
