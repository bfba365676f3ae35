import pytest

from auditring.request.dnsname import is_dns_label, is_dns_subdomain


@pytest.mark.parametrize("text", ["a", "0", "a-b", "a--0", "a" * 63])
def test_a_label_is_a_subdomain(text: str) -> None:
    assert is_dns_label(text)
    assert is_dns_subdomain(text)


@pytest.mark.parametrize(
    "text", ["a.b", "a" * 64, "a" * 253, ("a" * 84 + ".") * 2 + "b"]
)
def test_a_subdomain_may_be_more_than_a_label(text: str) -> None:
    assert not is_dns_label(text)
    assert is_dns_subdomain(text)


@pytest.mark.parametrize(
    "text",
    ["", "A", "-a", "a-", "a_b", "a/b", "é", "a\n", "a..b", ".a", "a.", "a" * 254],
)
def test_other_texts_are_neither(text: str) -> None:
    assert not is_dns_label(text)
    assert not is_dns_subdomain(text)
