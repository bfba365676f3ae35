"""Bodies are decoded within limits, or left out with the reason."""

import gzip
import json
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditring import encode
from auditring.event import Event
from auditring.event.payload import (
    Omission,
    Payload,
    has_payloads,
    read_payload,
    with_payloads,
)
from auditring.request.attributes import Attributes

BODY = b'{"a":1.0}'


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


CODINGS = {"gzip": gzip.compress, "deflate": zlib.compress, "x-gzip": gzip.compress}


@pytest.mark.parametrize(
    ("body", "coding"),
    [
        (BODY, ""),
        (BODY, "identity"),
        (gzip.compress(BODY), "gzip"),
        (gzip.compress(BODY), "X-GZIP"),
        (gzip.compress(BODY[:4]) + gzip.compress(BODY[4:]), "gzip"),
        (zlib.compress(BODY), "deflate"),
        (raw_deflate(BODY), "deflate"),
        (gzip.compress(zlib.compress(BODY)), "deflate, gzip"),
        (b' {"a" : 1.0}\n', ""),
    ],
)
def test_a_body_is_decoded(body: bytes, coding: str) -> None:
    assert read_payload(body, content_encoding=coding) == Payload(BODY)


@pytest.mark.parametrize(
    ("body", "coding", "reason"),
    [
        (BODY, "br", Omission.UNSUPPORTED_ENCODING),
        (BODY, "gzip,gzip,gzip,gzip", Omission.UNSUPPORTED_ENCODING),
        (BODY, "gzip", Omission.DECODE_FAILED),
        (BODY, "deflate", Omission.DECODE_FAILED),
        (gzip.compress(BODY)[:-1], "gzip", Omission.DECODE_FAILED),
        (gzip.compress(BODY) + b"x", "gzip", Omission.DECODE_FAILED),
        (gzip.compress(b"") * 101, "gzip", Omission.DECODE_FAILED),
        (zlib.compress(BODY) + b"x", "deflate", Omission.DECODE_FAILED),
        (zlib.compress(BODY)[:-1], "deflate", Omission.DECODE_FAILED),
        (b"k8s\x00\n\x0f", "", Omission.UNSUPPORTED_ENCODING),
        (b"\x00\x01", "", Omission.INVALID_JSON),
        (b"\xff", "", Omission.INVALID_JSON),
    ],
)
def test_what_can_t_be_read_is_left_out(
    body: bytes, coding: str, reason: Omission
) -> None:
    assert read_payload(body, content_encoding=coding) == Payload(omission=reason)


@pytest.mark.parametrize(
    "content_type",
    [
        "application/vnd.kubernetes.protobuf",
        "application/vnd.kubernetes.protobuf;stream=watch",
        "application/apply-patch+cbor",
    ],
)
def test_binary_formats_are_left_out(content_type: str) -> None:
    payload = read_payload(b"...", content_type=content_type)

    assert payload.omission == Omission.UNSUPPORTED_ENCODING


def test_text_that_is_no_json_is_kept_unless_unwanted() -> None:
    yaml = b"kind: Pod\n"

    assert read_payload(yaml) == Payload(yaml)
    left_out = read_payload(yaml, keep_text=False)
    assert left_out == Payload(omission=Omission.INVALID_JSON)


def test_no_body_is_no_omission() -> None:
    assert read_payload(b"", is_cut=True, content_encoding="br") == Payload()


def test_a_part_of_a_body_isn_t_recorded() -> None:
    assert read_payload(BODY, is_cut=True) == Payload(omission=Omission.TRUNCATED)


@pytest.mark.parametrize("coding", ["", "gzip", "deflate"])
@pytest.mark.parametrize(("length", "is_kept"), [(2000, True), (2001, False)])
def test_the_limit_is_for_the_decoded_body(
    coding: str, length: int, is_kept: bool
) -> None:
    body = b'"' + b"x" * (length - 2) + b'"'
    packed = CODINGS[coding](body) if coding else body

    payload = read_payload(packed, content_encoding=coding, max_bytes=2000)

    assert payload == (Payload(body) if is_kept else Payload(None, Omission.TOO_LARGE))


@pytest.mark.parametrize("coding", ["gzip", "deflate", "gzip, gzip"])
def test_a_bomb_takes_no_more_memory_than_the_limit_allows(coding: str) -> None:
    bomb = b"[" + b" " * 100_000_000 + b"]"
    for name in coding.split(", "):
        bomb = CODINGS[name](bomb)
    tracemalloc.start()

    payload = read_payload(bomb, content_encoding=coding, max_bytes=1_000_000)

    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert payload == Payload(omission=Omission.TOO_LARGE)
    assert peak_bytes < 4_000_000


@given(
    st.binary(max_size=50),
    st.sampled_from(["", "gzip", "deflate", "gzip,deflate", "zstd", ",", "é"]),
    st.text(max_size=5),
    st.booleans(),
)
def test_any_bytes_give_a_payload_that_can_be_written(
    body: bytes, coding: str, content_type: str, keep_text: bool
) -> None:
    payload = read_payload(
        body, content_encoding=coding, content_type=content_type, keep_text=keep_text
    )

    assert payload.text is None or payload.omission is None
    line = encode.json_line(with_payloads(Event(), payload, Payload()))
    assert ("requestObject" in json.loads(line)) is (payload.text is not None)


def test_an_event_says_which_bodies_were_left_out() -> None:
    event = Event(annotations={"a": "b"})
    request = Payload(omission=Omission.TOO_LARGE)

    changed = with_payloads(event, request, Payload(BODY))

    assert changed == Event(
        response_object=BODY,
        annotations={
            "a": "b",
            "audit.platform.vcluster.com/request-object-omitted": "too-large",
        },
    )


@pytest.mark.parametrize(
    ("method", "url", "expected"),
    [
        ("POST", "/api/v1/namespaces/x/pods", True),
        ("GET", "/api/v1/pods?watch=1", False),
        ("POST", "/api/v1/namespaces/x/pods/y/exec", False),
        ("GET", "/version", False),
    ],
)
def test_only_short_resource_requests_have_payloads(
    method: str, url: str, expected: bool
) -> None:
    assert has_payloads(Attributes.from_request(method, url)) is expected
