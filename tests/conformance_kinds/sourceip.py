"""Headers and peer of a request to the addresses that an event shows."""

from auditring.request.attributes import Attributes

from . import Case


def check(case: Case) -> str | None:
    headers = [(name, value) for name, value in case["headers"]]
    peer = case["remoteAddr"]

    attributes = Attributes.from_request("GET", "/", headers=headers, peer=peer)

    expected = case["expected"]["sourceIPs"]
    found = list(attributes.source_ips)
    return None if found == expected else f"sourceIPs: {found}, not {expected}"
