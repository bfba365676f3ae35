import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditring.errors import RequestInfoError
from auditring.request.info import RequestInfo, read_request_info

SEGMENTS = st.sampled_from(
    [
        *("api", "apis", "v1", "apps", "namespaces", "x", "pods", "status", "finalize"),
        *("watch", "proxy", "", ".", "..", "log"),
    ]
)


def resource_of(info: RequestInfo) -> dict[str, object]:
    """Return the members that a resource request has, without those that are empty."""
    empty = RequestInfo("", "")._asdict()
    members = info._asdict()
    for name in ("path", "parts", "is_resource_request", "api_prefix"):
        del members[name]
    return {name: value for name, value in members.items() if value != empty[name]}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("pods", {"verb": "list", "resource": "pods"}),
        ("pods/p", {"verb": "get", "resource": "pods", "name": "p"}),
        ("namespaces", {"verb": "list", "resource": "namespaces"}),
        (
            "namespaces/n",
            {"verb": "get", "namespace": "n", "resource": "namespaces", "name": "n"},
        ),
        (
            "namespaces/n/finalize",
            {
                "verb": "get",
                "namespace": "n",
                "resource": "namespaces",
                "name": "n",
                "subresource": "finalize",
            },
        ),
        (
            "namespaces/n/pods/p/log/more",
            {
                "verb": "get",
                "namespace": "n",
                "resource": "pods",
                "name": "p",
                "subresource": "log",
                "long_running": True,
            },
        ),
        (
            "watch/namespaces/n/pods",
            {
                "verb": "watch",
                "namespace": "n",
                "resource": "pods",
                "long_running": True,
            },
        ),
        (
            "proxy/nodes/n/stats",
            {"verb": "proxy", "resource": "nodes", "name": "n", "long_running": True},
        ),
        (
            "/./namespaces//..",
            {"verb": "get", "name": ".", "subresource": "namespaces"},
        ),
    ],
)
def test_a_path_names_a_resource(path: str, expected: dict[str, object]) -> None:
    core = read_request_info("GET", f"/api/v1/{path}", "")
    grouped = read_request_info("GET", f"//apis/g/v1/{path}/", "")

    assert core.is_resource_request
    assert resource_of(core) == {"api_version": "v1", **expected}
    assert resource_of(grouped) == {"api_version": "v1", "api_group": "g", **expected}
    assert core.parts == grouped.parts


@pytest.mark.parametrize(
    ("path", "prefix"),
    [
        ("/", ""),
        ("", ""),
        ("*", ""),
        ("/api", ""),
        ("/api/v1", ""),
        ("/api/v1/", ""),
        ("/apis/g", ""),
        ("/apis/g/v1", "apis"),
        ("/apis/g/v1//", "apis"),
        ("/API/v1/pods", ""),
        ("/healthz/etcd/x", ""),
    ],
)
def test_other_paths_name_none(path: str, prefix: str) -> None:
    assert read_request_info("Get", path, "watch=1") == RequestInfo(
        path, "get", api_prefix=prefix
    )


@pytest.mark.parametrize(
    ("method", "verb", "verb_of_collection"),
    [
        ("GET", "get", "list"),
        ("HEAD", "get", "list"),
        ("POST", "create", "create"),
        ("PUT", "update", "update"),
        ("PATCH", "patch", "patch"),
        ("DELETE", "delete", "deletecollection"),
        ("get", "", ""),
        ("OPTIONS", "", ""),
    ],
)
def test_a_verb_follows_from_the_method(
    method: str, verb: str, verb_of_collection: str
) -> None:
    assert read_request_info(method, "/api/v1/pods/p", "").verb == verb
    assert read_request_info(method, "/api/v1/pods", "").verb == verb_of_collection


def test_a_query_makes_a_list_a_watch_of_one_object() -> None:
    query = "watch&fieldSelector=metadata.name%3Dx&labelSelector=a"

    info = read_request_info("GET", "/api/v1/pods", query)

    assert (info.verb, info.name) == ("watch", "x")
    assert (info.field_selector, info.label_selector) == ("metadata.name=x", "a")
    assert info.long_running


@pytest.mark.parametrize(
    "path", ["/api/v1/pods/p", "/api/v1/watch/pods", "/api/v1/proxy/pods", "/version"]
)
def test_a_query_matters_only_to_collections(path: str) -> None:
    query = "watch=1&fieldSelector=metadata.name%3Dx&labelSelector=a"

    info = read_request_info("GET", path, query)

    assert info == read_request_info("GET", path, "")


def test_a_deleted_collection_has_selectors_and_no_name() -> None:
    query = "fieldSelector=metadata.name%3Dx&labelSelector=((&watch"

    info = read_request_info("DELETE", "/api/v1/pods", query)

    assert (info.verb, info.name) == ("deletecollection", "")
    assert (info.field_selector, info.label_selector) == ("metadata.name=x", "((")


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("POST", "/api/v1/namespaces/n/pods/p/exec", True),
        ("GET", "/api/v1/namespaces/n/pods/p/status", False),
        ("GET", "/debug/pprof/heap", True),
        ("GET", "/debug/pprof", False),
        ("WATCH", "/version", True),
        ("WATCH", "/api/v1/pods", False),
    ],
)
def test_some_requests_may_take_long(method: str, path: str, expected: bool) -> None:
    assert read_request_info(method, path, "").long_running is expected


@pytest.mark.parametrize("path", ["/api/v1/watch", "/apis/g/v1/proxy/"])
def test_a_path_that_ends_in_its_verb_is_refused(path: str) -> None:
    with pytest.raises(RequestInfoError, match=path) as error:
        read_request_info("GET", path, "")

    known = RequestInfo(**error.value.known)
    assert (known.is_resource_request, known.verb) == (True, "get")
    assert (known.api_version, known.parts) == ("v1", ())


@given(method=st.sampled_from(["GET", "DELETE", "POST", "X"]), parts=st.lists(SEGMENTS))
def test_any_path_is_read_or_refused(method: str, parts: list[str]) -> None:
    path = "/" + "/".join(parts)
    try:
        info = read_request_info(method, path, "watch=0")
    except RequestInfoError:
        assert path.strip("/").endswith(("watch", "proxy"))
        return
    assert info.path == path
    assert not info.is_resource_request or info.parts[0] == info.resource
