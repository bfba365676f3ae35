"""Bodies of requests and answers as they came over the wire, made fit for an event.

A body that can't be recorded is left out with a reason, never the event. Source: the
payload rules of vCluster Platform's audit documentation.
"""

import zlib
from dataclasses import dataclass, replace
from enum import StrEnum

from ..request.attributes import Attributes
from . import rawjson
from .event import Event

__all__ = [
    "PAYLOAD_MAX_BYTES",
    "REQUEST_OMITTED",
    "RESPONSE_OMITTED",
    "Omission",
    "Payload",
    "has_payloads",
    "read_payload",
    "with_payloads",
]

PAYLOAD_MAX_BYTES = 2 * 1024**2

REQUEST_OMITTED = "audit.platform.vcluster.com/request-object-omitted"
"""The annotation that says why a request body is missing: an `Omission`."""
RESPONSE_OMITTED = "audit.platform.vcluster.com/response-object-omitted"
"""The same of an answer's body."""

# Codings that were applied one after the other; nobody means more.
_CODINGS_MAX = 3
# Each member has the rest of the body copied.
_MEMBERS_MAX = 100
_GZIP_BITS = 16 + zlib.MAX_WBITS
_BINARY_TYPES = ("protobuf", "cbor")
# How Kubernetes' protobuf and CBOR begin.
_BINARY_STARTS = (b"k8s\x00", b"\xd9\xd9\xf7")


class Omission(StrEnum):
    """Why a body isn't recorded."""

    TRUNCATED = "truncated"
    """Only a part of it was captured."""
    TOO_LARGE = "too-large"
    """It is over the limit once it is decoded."""
    DECODE_FAILED = "decode-failed"
    """It isn't what its Content-Encoding says."""
    UNSUPPORTED_ENCODING = "unsupported-encoding"
    """It is coded, or in a format, that can't be read here."""
    INVALID_JSON = "invalid-json"
    """It is neither JSON nor text that may be kept."""


@dataclass(frozen=True, slots=True)
class Payload:
    """A body, or why there is none.

    Attributes:
        text: JSON text; or other text, which an event's line holds as a string.
        omission: Set if there was a body that can't be recorded.
    """

    text: bytes | None = None
    omission: Omission | None = None


class _OmittedError(Exception):
    def __init__(self, reason: Omission) -> None:
        super().__init__(reason)
        self.reason = reason


def has_payloads(attributes: Attributes) -> bool:
    """Tell whether bodies of this request are recorded at all.

    Those of non-resource and of long-running requests are not.
    """
    return attributes.is_resource_request and not attributes.long_running


def read_payload(
    body: bytes,
    *,
    content_type: str = "",
    content_encoding: str = "",
    is_cut: bool = False,
    keep_text: bool = True,
    max_bytes: int = PAYLOAD_MAX_BYTES,
) -> Payload:
    """Decode a captured *body* and see whether it can be recorded.

    Never takes more memory than a small multiple of *max_bytes*, whatever *body*
    expands to.

    Args:
        body: As it came; empty for none.
        content_type: The header's value.
        content_encoding: The header's value; gzip and deflate can be read.
        is_cut: Whether more than *body* was sent.
        keep_text: Whether text that isn't JSON, as YAML, is recorded as a string.
        max_bytes: The limit for the decoded body.
    """
    if not body:
        return Payload()
    if is_cut:
        return Payload(omission=Omission.TRUNCATED)
    try:
        decoded = _decode(body, content_encoding, max_bytes)
    except _OmittedError as error:
        return Payload(omission=error.reason)
    if len(decoded) > max_bytes:
        return Payload(omission=Omission.TOO_LARGE)
    return _read_decoded(decoded, content_type, keep_text)


def with_payloads(event: Event, request: Payload, response: Payload) -> Event:
    """Return *event* with these bodies, and annotations for those left out."""
    omissions = {
        REQUEST_OMITTED: request.omission,
        RESPONSE_OMITTED: response.omission,
    }
    notes = {key: str(reason) for key, reason in omissions.items() if reason}
    return replace(
        event,
        request_object=request.text,
        response_object=response.text,
        annotations={**event.annotations, **notes} if notes else event.annotations,
    )


def _read_decoded(body: bytes, content_type: str, keep_text: bool) -> Payload:
    media_type = content_type.partition(";")[0].lower()
    if body.startswith(_BINARY_STARTS) or any(
        name in media_type for name in _BINARY_TYPES
    ):
        return Payload(omission=Omission.UNSUPPORTED_ENCODING)
    try:
        return Payload(rawjson.compact(body))
    except ValueError:
        pass
    if keep_text and _is_text(body):
        return Payload(body)
    return Payload(omission=Omission.INVALID_JSON)


def _is_text(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return b"\0" not in body


def _decode(body: bytes, content_encoding: str, max_bytes: int) -> bytes:
    codings = [coding.strip().lower() for coding in content_encoding.split(",")]
    codings = [coding for coding in codings if coding not in ("", "identity")]
    if len(codings) > _CODINGS_MAX:
        raise _OmittedError(Omission.UNSUPPORTED_ENCODING)
    for coding in reversed(codings):
        if coding in ("gzip", "x-gzip"):
            body = _gunzip(body, max_bytes)
        elif coding == "deflate":
            body = _inflate(body, max_bytes)
        else:
            raise _OmittedError(Omission.UNSUPPORTED_ENCODING)
    return body


def _gunzip(body: bytes, max_bytes: int) -> bytes:
    """Unpack all members of a gzip file, one after the other."""
    pieces: list[bytes] = []
    room = max_bytes
    while body:
        if len(pieces) == _MEMBERS_MAX:
            raise _OmittedError(Omission.DECODE_FAILED)
        piece, body = _unpack(body, _GZIP_BITS, room)
        pieces.append(piece)
        room -= len(piece)
    return b"".join(pieces)


def _inflate(body: bytes, max_bytes: int) -> bytes:
    # Deflate means zlib's format, and some senders leave out its two-byte header.
    is_zlib = (
        len(body) >= 2
        and body[0] & 0x0F == zlib.DEFLATED
        and int.from_bytes(body[:2]) % 31 == 0
    )
    bits = zlib.MAX_WBITS if is_zlib else -zlib.MAX_WBITS
    piece, rest = _unpack(body, bits, max_bytes)
    if rest:
        raise _OmittedError(Omission.DECODE_FAILED)
    return piece


def _unpack(body: bytes, bits: int, max_bytes: int) -> tuple[bytes, bytes]:
    """Return what one stream holds, and what follows it."""
    stream = zlib.decompressobj(bits)
    try:
        # A limit of 0 would mean none.
        piece = stream.decompress(body, max_bytes + 1)
    except zlib.error as error:
        raise _OmittedError(Omission.DECODE_FAILED) from error
    if len(piece) > max_bytes:
        raise _OmittedError(Omission.TOO_LARGE)
    if not stream.eof:
        raise _OmittedError(Omission.DECODE_FAILED)
    return piece, stream.unused_data
