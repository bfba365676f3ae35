import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditring.request.sourceips import source_ips


@pytest.mark.parametrize(
    ("peer", "expected"),
    [
        ("10.0.0.1:80", "10.0.0.1"),
        ("10.0.0.1", "10.0.0.1"),
        ("10.0.0.1:", "10.0.0.1"),
        ("010.000.0.0001:7", "10.0.0.1"),
        ("[2001:DB8::0001]:443", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("[10.0.0.1]:80", "10.0.0.1"),
        ("[::ffff:10.0.0.1]:9", "10.0.0.1"),
        ("::10.0.0.1", "::a00:1"),
        ("1:0:0:2:0:0:0:00003", "1:0:0:2::3"),
        ("0" * 100 + "1.2.3.4", "1.2.3.4"),
    ],
)
def test_a_peer_is_told_in_its_canonical_form(peer: str, expected: str) -> None:
    assert source_ips("", "", peer) == (expected,)


@pytest.mark.parametrize(
    "peer",
    [
        *(
            "",
            "@",
            ":80",
            "localhost:80",
            "1.2.3:80",
            "1.2.3.4.5",
            "256.1.1.1",
            "1.2.3",
        ),
        *("[::1]", "[::1:80", "::1]:80", "[fe80::1%lo]:1", "fe80::1%lo", "[[::1]]:80"),
        *("1.2.3.4:8]", "1:2:3:4:5:6:7:8:9", "1::2::3", "10000::", "::1.2.3", "0x7f.1"),
        *("1:2:3:4:5:6:7::8", "\uff11.2.3.4", " 1.2.3.4", "1.2.3.4\n"),
    ],
)
def test_a_peer_that_is_no_address_is_left_out(peer: str) -> None:
    assert source_ips("", "", peer) == ()


def test_forwarded_addresses_come_first_in_their_order() -> None:
    forwarded = "2.2.2.2, 1.1.1.1 ,nonsense,,2.2.2.2,\u20033.3.3.3\x85"

    addresses = source_ips(forwarded, "", "9.9.9.9:1")

    assert addresses == ("2.2.2.2", "1.1.1.1", "2.2.2.2", "3.3.3.3", "9.9.9.9")


def test_a_real_address_is_added_unless_it_was_forwarded() -> None:
    assert source_ips("1.1.1.1,2.2.2.2", "1.1.1.1", "") == ("1.1.1.1", "2.2.2.2")
    assert source_ips("1.1.1.1", "::ffff:1.1.1.1", "") == ("1.1.1.1",)
    assert source_ips("1.1.1.1", "3.3.3.3", "") == ("1.1.1.1", "3.3.3.3")
    assert source_ips("", " 3.3.3.3", "") == ()


def test_a_peer_is_added_unless_it_is_the_last() -> None:
    assert source_ips("1.1.1.1", "", "1.1.1.1:80") == ("1.1.1.1",)
    assert source_ips("1.1.1.1,2.2.2.2", "", "1.1.1.1:80")[-1] == "1.1.1.1"


@given(st.ip_addresses())
def test_any_address_is_read(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    mapped = getattr(address, "ipv4_mapped", None)
    written = address.exploded.upper()

    assert source_ips(written, "", "") == (str(mapped or address),)


@given(st.text("0123456789abf.:%[], \n") | st.text())
def test_whatever_is_sent_gives_addresses_only(text: str) -> None:
    for address in source_ips(text, text, text):
        assert str(ipaddress.ip_address(address)) == address
