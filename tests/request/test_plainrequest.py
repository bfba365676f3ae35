"""What is read at once of a plain request, against how all requests are read."""

from dataclasses import astuple, replace

from hypothesis import given
from hypothesis import strategies as st

from auditring.errors import RequestError
from auditring.event import UserInfo
from auditring.request.attributes import Attributes

USER = UserInfo("alice")

WORDS = "api apis v1 namespaces watch proxy pods x log status finalize exec debug pprof"
SEGMENTS = st.sampled_from(["", "..", "a%20b", "\u00e9", "orders", *WORDS.split()])
TARGETS = st.builds(
    lambda segments, query: "/" + "/".join(segments) + query,
    st.lists(SEGMENTS, max_size=14),
    st.sampled_from(
        ["", "?", "?a=b", "?watch", "?fieldSelector=metadata.name=x", "? ", "?\u00e9"]
    ),
)
ADDRESSES = st.sampled_from(
    ["10.0.0.1", "10.0.0.2", "010.0.0.1", "256.0.0.1", "1.2.3", "1.2.3.4.5", "::1", ""]
)
LISTS = st.builds(
    lambda addresses, comma: comma.join(addresses),
    st.lists(ADDRESSES, max_size=3),
    st.sampled_from([",", ", ", " , ", ",  "]),
)
PEERS = st.builds(
    lambda address, port: address + port,
    ADDRESSES,
    st.sampled_from(["", ":80", ":", ":x", ":[", ":8:0"]),
)
VALUES = st.sampled_from(
    ["", "a", " b ", "\t", "x" * 1024, "x" * 1025, "\u00e9", "\udcff"]
)
HEADERS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["x-forwarded-for", "X-Real-Ip"]), LISTS),
        st.tuples(
            st.sampled_from(
                ["user-agent", "User-Agent", "audit-id", "host", "impersonate-user"]
            ),
            VALUES,
        ),
    ),
    max_size=5,
)
METHODS = st.sampled_from(["GET", "HEAD", "POST", "DELETE", "OPTIONS", "FOO", "get"])


class GeneralAttributes(Attributes):
    """Attributes that are never taken to be plain."""

    __slots__ = ()


def outcome(
    kind: type[Attributes],
    method: str,
    target: str,
    headers: list[tuple[str, str]],
    peer: str,
) -> tuple[object, ...]:
    """Return what was read, or else how it was refused."""
    try:
        found = kind.from_request(method, target, headers=headers, user=USER, peer=peer)
    except RequestError as error:
        return (type(error), str(error))
    if not next((value for name, value in headers if name == "audit-id"), "").strip():
        assert len(found.audit_id) == 36
        found = replace(found, audit_id="random")
    return astuple(found)


@given(METHODS, TARGETS, HEADERS, PEERS)
def test_a_plain_request_is_read_like_any_other(
    method: str, target: str, headers: list[tuple[str, str]], peer: str
) -> None:
    request = (method, target, headers, peer)

    assert outcome(Attributes, *request) == outcome(GeneralAttributes, *request)


def test_headers_of_an_iterator_are_all_read() -> None:
    names = iter([("User-Agent", "curl"), ("Audit-ID", "\u00e9")])

    attributes = Attributes.from_request("GET", "/", headers=names)

    assert (attributes.user_agent, attributes.audit_id) == ("curl", "\u00e9")


DOTTED = st.lists(st.sampled_from([*"0125.", "9", "25", "255", "256", "00"])).map(
    "".join
)


@given(DOTTED, DOTTED)
def test_what_looks_like_an_address_is_read_like_any_other(
    forwarded: str, peer: str
) -> None:
    request = ("GET", "/", [("x-forwarded-for", forwarded)], peer)

    assert outcome(Attributes, *request) == outcome(GeneralAttributes, *request)


def test_every_number_of_an_address_is_read_like_any_other() -> None:
    numbers = [*map(str, range(301)), "", "00", "01", "001", "0001", "1000", "\uff11"]
    for number in numbers:
        for place in range(4):
            octets = ["7"] * 4
            octets[place] = number
            request = ("GET", "/", [("x-forwarded-for", ".".join(octets))], "7.7.7.7")

            assert outcome(Attributes, *request) == outcome(GeneralAttributes, *request)
