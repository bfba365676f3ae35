import re

import pytest

from auditring.errors import BadRequestError
from auditring.request.headers import read_headers

UUID4 = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
)


def test_the_first_line_of_a_header_counts_in_any_case() -> None:
    read = read_headers(
        [
            ("AUDIT-ID", " a \t"),
            ("audit-id", "b"),
            ("X-Forwarded-For", "1.1.1.1"),
            ("x-real-ip", "2.2.2.2"),
            ("x-real-IP", "3.3.3.3"),
            ("User-Agent", "curl"),
        ]
    )

    assert (read.audit_id, read.forwarded_for) == ("a", "1.1.1.1")
    assert (read.real_ip, read.user_agent) == ("2.2.2.2", "curl")
    assert read.impersonated_user is None


def test_headers_may_come_in_a_mapping() -> None:
    read = read_headers({"User-Agent": "curl", "Impersonate-User": "jane"})

    assert read.user_agent == "curl"
    assert read.impersonated_user is not None
    assert read.impersonated_user.username == "jane"


@pytest.mark.parametrize("headers", [[], [("Audit-ID", "")], [("Audit-ID", " ")]])
def test_a_request_without_an_id_gets_a_random_one(
    headers: list[tuple[str, str]],
) -> None:
    identities = {read_headers(headers).audit_id for _ in range(100)}

    assert len(identities) == 100
    assert all(map(UUID4.fullmatch, identities))


def test_an_id_is_taken_as_it_is() -> None:
    odd = "<" + "é" * 5000

    assert read_headers({"Audit-ID": odd}).audit_id == odd


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ("a" * 1024, "a" * 1024),
        ("a" * 1025, "a" * 1024 + "...TRUNCATED"),
        ("é" * 512, "é" * 512),
        ("é" * 513, "é" * 512 + "...TRUNCATED"),
        ("a" + "é" * 512, "a" + "é" * 511 + "\udcc3...TRUNCATED"),
        ("\udcff" * 1025, "\udcff" * 1024 + "...TRUNCATED"),
    ],
)
def test_a_user_agent_is_cut_after_1024_bytes(sent: str, expected: str) -> None:
    assert read_headers({"User-Agent": sent}).user_agent == expected


def test_bytes_are_the_same_string_however_they_came() -> None:
    assert read_headers({"Audit-ID": "\udcc3\udca9"}).audit_id == "é"


@pytest.mark.parametrize("name", ["User-Agent", "Impersonate-User"])
def test_a_header_that_no_bytes_stand_for_is_refused(name: str) -> None:
    with pytest.raises(BadRequestError, match=name.lower()):
        read_headers({name: "\ud800"})
