"""Read a request line's target as Go's HTTP server does: path, query, request URI.

Nothing is cleaned: ``//``, ``.`` and ``..`` stay in the path. A byte that isn't UTF-8,
sent as it is or as an escape, is a surrogate escape in every string here.

Source: Go 1.26, net/http (request line) and net/url (`ParseRequestURI`).
"""

import ipaddress
import re
from typing import NamedTuple, NoReturn
from urllib.parse import quote_from_bytes, unquote_to_bytes

from ..errors import BadRequestError

__all__ = ["RequestURL", "first_values", "parse_request_url"]

# Go's limit on the parameters of a query; above it there are none at all.
PARAMETERS_MAX = 10_000

# What a message quotes of a target that may have any length.
QUOTED_CHARS = 200

_PATH_LITERAL = r"A-Za-z0-9\-._~!$&'()*+,;=:@\[\]/"
# Most targets: ASCII, no escape, and a path that is its own escaped form.
_PLAIN = re.compile(rf"(/[{_PATH_LITERAL}]*)(?:\?([!-~]*))?")
_KEPT_PATH = re.compile(rf"[{_PATH_LITERAL}%]*")
# Fewer than the above: a path is kept with these brackets, but not escaped to them.
_UNESCAPED = "$&+,/:;=@"

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+\-.^_`|~]+")
_SPACE_OR_CONTROL = re.compile(r"[\x00-\x20\x7f]")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+\-.]*):")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")

_USERINFO = re.compile(r"[A-Za-z0-9\-._:~!$&'()*+,;=%@]*")
_PORT = re.compile(r"(?::[0-9]*)?")
_HOST_ASCII = r"A-Za-z0-9\-._~!$&'()*+,;=:\[\]<>\""
# In a host only a byte that isn't ASCII may be escaped, and the % before a zone; in a
# zone the other way round.
_HOST = re.compile(rf"(?:[{_HOST_ASCII}\x80-\xff]|%25|%[89A-Fa-f][0-9A-Fa-f])*")
_ZONE = re.compile(rf"(?:[{_HOST_ASCII}\x80-\xff]|%[0-9A-Fa-f]{{2}})+")
_ESCAPED_IN_ZONE = re.compile(rf"[{_HOST_ASCII} %]*")


class RequestURL(NamedTuple):
    """What a request target says.

    Attributes:
        path: Percent-decoded; empty for an absolute URL without one and for CONNECT.
        query: What follows the first ``?``, as sent.
        request_uri: Path and query as an audit event shows them. The path is as sent
            if nothing in it needs an escape, else decoded and escaped anew.
    """

    path: str
    query: str
    request_uri: str


def parse_request_url(method: str, target: str) -> RequestURL:
    """Read *target* as it stands between method and version on a request line.

    Raises:
        BadRequestError: Go's HTTP server answers such a request line with 400.
    """
    if _TOKEN.fullmatch(method) is None:
        raise BadRequestError(f"method: {method!r:.{QUOTED_CHARS}} is no token")
    plain = _PLAIN.fullmatch(target)
    if plain is not None:
        path, query = plain.groups("")
        return RequestURL(path, query, target)
    if target == "*" and method != "CONNECT":
        return RequestURL("*", "", "*")
    return _parse(method, target)


def first_values(query: str) -> dict[str, str]:
    """Return each key of *query* with the first of its values, both decoded.

    A pair with a bad escape or a raw ``;`` doesn't count. A key without ``=`` has the
    empty value.
    """
    values: dict[str, str] = {}
    if query.count("&") >= PARAMETERS_MAX:
        return values
    for pair in query.split("&"):
        if not pair or ";" in pair:
            continue
        key, _, value = pair.partition("=")
        if "%" in pair or "+" in pair:
            if _BAD_ESCAPE.search(pair):
                continue
            key, value = _unescape_parameter(key), _unescape_parameter(value)
        values.setdefault(key, value)
    return values


def _unescape_parameter(text: str) -> str:
    return _decode(unquote_to_bytes(_encode(text.replace("+", " "))))


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _decode(octets: bytes) -> str:
    return octets.decode("utf-8", "surrogateescape")


def _parse(method: str, target: str) -> RequestURL:
    """Read a target of any form; inside, a character stands for a byte."""
    try:
        raw = _encode(target).decode("latin-1")
    except UnicodeEncodeError as error:
        _refuse(target, str(error))
    if _SPACE_OR_CONTROL.search(raw):
        _refuse(target, "has a space or control character")
    # CONNECT names a host and port; the server puts the scheme before them to parse.
    is_authority = method == "CONNECT" and not raw.startswith("/")
    scheme, rest = _split_scheme("http://" + raw if is_authority else raw, target)
    rest, mark, query = rest.partition("?")
    if not rest.startswith("/"):
        if not scheme:
            _refuse(target, "is neither a path nor an absolute URL")
        return _request_url("", rest or "/", mark + query)
    if scheme and rest.startswith("//"):
        authority, slash, path = rest[2:].partition("/")
        _check_authority(scheme, authority, target)
        rest = slash + path
    if _BAD_ESCAPE.search(rest):
        _refuse(target, "has a bad percent escape in its path")
    decoded = unquote_to_bytes(rest.encode("latin-1"))
    if _KEPT_PATH.fullmatch(rest):
        return _request_url(_decode(decoded), rest or "/", mark + query)
    escaped = quote_from_bytes(decoded, _UNESCAPED)
    return _request_url(_decode(decoded), escaped, mark + query)


def _request_url(path: str, escaped_path: str, query: str) -> RequestURL:
    """Put together what `_parse` read; *query* with its mark, if there was one."""
    request_uri = _decode((escaped_path + query).encode("latin-1"))
    return RequestURL(path, _decode(query[1:].encode("latin-1")), request_uri)


def _refuse(target: str, reason: str) -> NoReturn:
    raise BadRequestError(f"request target: {target!r:.{QUOTED_CHARS}} {reason}")


def _split_scheme(raw: str, target: str) -> tuple[str, str]:
    """Return the lower-case scheme, empty if there is none, and what follows it."""
    if not raw or raw.startswith(":"):
        _refuse(target, "is empty" if not raw else "has no scheme before its colon")
    scheme = _SCHEME.match(raw)
    if scheme is None:
        return "", raw
    return scheme[1].lower(), raw[scheme.end() :]


def _check_authority(scheme: str, authority: str, target: str) -> None:
    userinfo, at, host = authority.rpartition("@")
    if at and (_USERINFO.fullmatch(userinfo) is None or _BAD_ESCAPE.search(userinfo)):
        _refuse(target, "has a bad user name or password")
    if not _is_host(scheme, host):
        _refuse(target, "has a bad host or port")


def _is_host(scheme: str, host: str) -> bool:
    """Tell whether *host*, with its port if any, may stand in an absolute URL."""
    bracket = host.rfind("[")
    if bracket > 0:
        return False
    if bracket == 0:
        literal, closing, port = host[1:].rpartition("]")
        return bool(closing) and _is_port(port) and _is_ip_literal(literal)
    colon = host.find(":") if scheme in ("http", "https") else host.rfind(":")
    if colon >= 0 and not _is_port(host[colon:]):
        return False
    return _HOST.fullmatch(host) is not None


def _is_port(port: str) -> bool:
    return _PORT.fullmatch(port) is not None


def _is_ip_literal(literal: str) -> bool:
    """Tell whether *literal* is an IPv6 address, with a zone after ``%25`` if any."""
    address, mark, zone = literal.partition("%25")
    if "%" in address or (mark and not _is_zone(zone)):
        return False
    try:
        ipaddress.IPv6Address(address)
    except ValueError:
        return False
    return True


def _is_zone(zone: str) -> bool:
    if _ZONE.fullmatch(zone) is None:
        return False
    escaped = unquote_to_bytes("".join(re.findall("%..", zone))).decode("latin-1")
    return _ESCAPED_IN_ZONE.fullmatch(escaped) is not None
