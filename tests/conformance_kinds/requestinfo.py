"""Method and URL of a request to what the policy and an event know of it."""

import re
from collections.abc import Mapping

from auditring.errors import BadRequestError, RequestInfoError
from auditring.request.attributes import Attributes
from auditring.request.url import parse_request_url

from . import Case

MEMBERS = {
    "isResourceRequest": "is_resource_request",
    "path": "path",
    "verb": "verb",
    "apiPrefix": "api_prefix",
    "apiGroup": "api_group",
    "apiVersion": "api_version",
    "namespace": "namespace",
    "resource": "resource",
    "subresource": "subresource",
    "name": "name",
    "parts": "parts",
    "fieldSelector": "field_selector",
    "labelSelector": "label_selector",
    "longRunning": "long_running",
    "requestURI": "request_uri",
}


def check(case: Case) -> str | None:
    expected = case["expected"]
    method, url = case["request"]["method"], case["request"]["url"]
    try:
        attributes = Attributes.from_request(method, url)
    except BadRequestError as error:
        return None if "badRequest" in expected else str(error)
    except RequestInfoError as error:
        if not str(error).startswith(expected.get("error") or "no error"):
            return str(error)
        uri = parse_request_url(method, url).request_uri
        return difference(expected, {**error.known, "request_uri": uri})
    if "badRequest" in expected or "error" in expected:
        return f"accepted, but expected is {expected}"
    return difference(expected, as_mapping(attributes))


def as_mapping(attributes: Attributes) -> dict[str, object]:
    """Return what `difference` compares."""
    return {name: getattr(attributes, name) for name in MEMBERS.values()}


def difference(
    expected: Mapping[str, object], found: Mapping[str, object]
) -> str | None:
    """Return the members that differ, one after the other; None if none does."""
    wrong = []
    for member, value in expected.items():
        if member == "error":
            continue
        own = as_json(found[MEMBERS[member]])
        if own != value:
            wrong.append(f"{member}: {own!r}, not {value!r}")
    return "; ".join(wrong) or None


def as_json(value: object) -> object:
    """Return *value* as Go's encoder shows it: a byte that isn't UTF-8 is U+FFFD."""
    if isinstance(value, tuple):
        return [as_json(one) for one in value]
    if isinstance(value, str):
        return re.sub("[\udc80-\udcff]", "\ufffd", value)
    return value
