import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditring.errors import BadRequestError, RequestError, RequestInfoError
from auditring.event import UserInfo
from auditring.request.attributes import Attributes

ALICE = UserInfo("alice", groups=("dev",))


def as_bytes_say(text: str) -> str:
    """Return the string that stands for the bytes which *text* stands for."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")


def test_a_request_is_told_in_full() -> None:
    attributes = Attributes.from_request(
        "GET",
        "/apis/apps/v1/namespaces/x/deployments?watch=1&labelSelector=a%3Db",
        headers={
            "User-Agent": "kubectl",
            "Audit-ID": "id",
            "X-Forwarded-For": "1.1.1.1",
            "Impersonate-User": "bob",
        },
        user=ALICE,
        peer="10.0.0.1:1234",
    )

    assert attributes == Attributes(
        is_resource_request=True,
        path="/apis/apps/v1/namespaces/x/deployments",
        verb="watch",
        api_prefix="apis",
        api_group="apps",
        api_version="v1",
        namespace="x",
        resource="deployments",
        parts=("deployments",),
        label_selector="a=b",
        long_running=True,
        user=ALICE,
        impersonated_user=UserInfo("bob", groups=("system:authenticated",)),
        request_uri="/apis/apps/v1/namespaces/x/deployments?watch=1&labelSelector=a%3Db",
        source_ips=("1.1.1.1", "10.0.0.1"),
        user_agent="kubectl",
        audit_id="id",
    )


def test_what_a_gateway_knows_is_kept() -> None:
    attributes = Attributes.from_request(
        "GET",
        "/api/v1/pods",
        request_uri="/kubernetes/project/p/space/s/api/v1/pods",
        request_target="ProjectSpace",
        cluster="c",
        project="p",
    )

    assert attributes.path == "/api/v1/pods"
    assert attributes.request_uri == "/kubernetes/project/p/space/s/api/v1/pods"
    assert attributes.request_target == "ProjectSpace"
    assert (attributes.cluster, attributes.project) == ("c", "p")


def test_a_request_line_that_no_server_takes_is_refused() -> None:
    with pytest.raises(BadRequestError):
        Attributes.from_request("GET", "/a b")


def test_a_path_that_kubernetes_cannot_read_is_refused() -> None:
    with pytest.raises(RequestInfoError) as error:
        Attributes.from_request("GET", "/api/v1/watch")

    names = {field.name for field in dataclasses.fields(Attributes)}
    assert error.value.known.keys() <= names


def test_attributes_cannot_change() -> None:
    attributes = Attributes.from_request("GET", "/")

    with pytest.raises(dataclasses.FrozenInstanceError):
        attributes.verb = "list"  # type: ignore[misc]


ANY_TEXT = st.text(st.characters(codec=None))
HEADER_NAMES = st.sampled_from(
    [
        *("User-Agent", "Audit-ID", "X-Forwarded-For", "X-Real-Ip", "Impersonate-User"),
        *("Impersonate-Group", "Impersonate-Extra-%ff", "Impersonate-Extra-\ud800"),
    ]
)


@given(
    method=st.sampled_from(["GET", "POST", "DELETE", "CONNECT"]) | ANY_TEXT,
    target=st.text("/apisv1namespcwh?&=%2Fé\udcff.;") | ANY_TEXT,
    headers=st.lists(st.tuples(HEADER_NAMES | ANY_TEXT, ANY_TEXT)),
    peer=ANY_TEXT,
)
def test_any_request_is_read_or_refused(
    method: str, target: str, headers: list[tuple[str, str]], peer: str
) -> None:
    try:
        attributes = Attributes.from_request(method, target, headers=headers, peer=peer)
    except RequestError:
        return
    for field in dataclasses.fields(attributes):
        value = getattr(attributes, field.name)
        if isinstance(value, str):
            assert value == as_bytes_say(value)
