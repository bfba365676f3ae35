import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditring.errors import BadRequestError
from auditring.request.attributes import Attributes
from auditring.request.gateway import RequestTarget, Role, Route, find_route

NAMES = st.text("abc-.1%é", min_size=1).filter(lambda name: name not in (".", ".."))


def encode(name: str) -> str:
    """Percent-encode every byte of *name*."""
    return "".join(f"%{octet:02X}" for octet in name.encode())


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/kubernetes/management/api/v1/x", {"request_target": "Management"}),
        (
            "/kubernetes/cluster/eu-1/api/v1/pods",
            {"request_target": "Cluster", "cluster": "eu-1"},
        ),
        (
            "/kubernetes/virtualcluster/eu-1/ns/vc/api/v1/pods",
            {
                "request_target": "VCluster",
                "cluster": "eu-1",
                "namespace": "ns",
                "name": "vc",
            },
        ),
        (
            "/kubernetes/project/shop/virtualcluster/vc/api/v1/pods",
            {"request_target": "ProjectVCluster", "project": "shop", "name": "vc"},
        ),
        (
            "/kubernetes/project/shop/space/dev/api/v1/pods",
            {"request_target": "ProjectSpace", "project": "shop", "name": "dev"},
        ),
    ],
)
def test_a_gateway_prefix_says_where_a_request_leads(
    target: str, expected: dict[str, str]
) -> None:
    route = find_route("GET", target)

    members = ("cluster", "project", "namespace", "name")
    assert route.request_target == expected.pop("request_target")
    assert {name: getattr(route, name) for name in members} == {
        name: expected.get(name, "") for name in members
    }
    assert not route.is_ambiguous


@pytest.mark.parametrize(
    ("target", "expected", "rest"),
    [
        ("/kubernetes/cluster/api/v1/pods", RequestTarget.CLUSTER, "/api/v1/pods"),
        ("/kubernetes/virtualcluster/ns/vc/api", RequestTarget.VCLUSTER, "/api"),
        ("/kubernetes/management/api", None, "/kubernetes/management/api"),
    ],
)
def test_an_agent_knows_its_cluster_without_the_path(
    target: str, expected: RequestTarget | None, rest: str
) -> None:
    route = find_route("GET", target, role=Role.AGENT, cluster="eu-1")

    assert (route.request_target, route.rest) == (expected, rest)
    assert route.cluster == ("eu-1" if expected else "")


def test_the_rest_keeps_escapes_and_query() -> None:
    route = find_route("GET", "/kubernetes/cluster/c/api/v1/po%64s/%2e%2E?a=%2F&watch")

    assert route.rest == "/api/v1/po%64s/%2e%2E?a=%2F&watch"


@pytest.mark.parametrize(
    "target", ["/kubernetes/management", "/kubernetes/management/"]
)
def test_the_rest_of_a_mere_prefix_is_the_root(target: str) -> None:
    assert find_route("GET", target).rest == "/"


def test_an_absolute_url_leads_where_its_path_does() -> None:
    route = find_route("GET", "https://loft/kubernetes/cluster/c/api?x")

    assert (route.cluster, route.rest) == ("c", "/api?x")
    assert route.request_uri == "/kubernetes/cluster/c/api?x"


def test_attributes_come_from_the_rest_and_the_uri_from_the_whole() -> None:
    whole = "/kubernetes/cluster/eu-1/api/v1/namespaces/n/pods"
    route = find_route("GET", whole)

    attributes = Attributes.from_request(
        "GET",
        route.rest,
        request_uri=route.request_uri,
        request_target=route.request_target or "",
        cluster=route.cluster,
        project=route.project,
    )

    assert (attributes.verb, attributes.resource) == ("list", "pods")
    assert attributes.request_uri == whole
    assert (attributes.request_target, attributes.cluster) == ("Cluster", "eu-1")


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "/kubernetes",
        "/kubernetes/",
        "/kubernetes/other/x",
        "/kubernetes/cluster",
        "/kubernetes/cluster/",
        "/kubernetes/virtualcluster/c/ns",
        "/kubernetes/project/p",
        "/kubernetes/project/p/other/n",
        "/Kubernetes/management/",
        "/kubernetes/managements/",
        "*",
        "http:kubernetes/management",
    ],
)
def test_other_paths_lead_to_no_target(target: str) -> None:
    route = find_route("GET", target)

    request_uri = target.removeprefix("http:")
    assert route == Route(request_target=None, rest=target, request_uri=request_uri)


@pytest.mark.parametrize(
    "target",
    [
        "/kubernetes/cluster//x/api",
        "//kubernetes/cluster/x/api",
        "/kubernetes//cluster/x/api",
        "/kubernetes%2Fcluster/x/api",
        "/kubernetes/cluster%2Fx/api",
        "/kubernetes/cluster/a%2Fb/api",
        "/kubernetes/cluster/../management/api",
        "/kubernetes/cluster/%2e%2E/management/api",
        "/kubernetes/cluster/%2e%2e%2fmanagement/api",
        "/kubernetes/cluster/./x/api",
        "/./kubernetes/cluster/x/api",
        "/x/../kubernetes/cluster/x/api",
        "/kubernetes/virtualcluster/c//vc/x",
        "/kubernetes/project//p/space/n",
    ],
)
def test_a_prefix_that_only_cleaning_gives_is_none_but_noticed(target: str) -> None:
    route = find_route("GET", target)

    assert (route.request_target, route.rest) == (None, target)
    assert route.is_ambiguous


@pytest.mark.parametrize(
    ("rest", "is_ambiguous"),
    [
        ("/../cluster/x/api/v1/pods", True),
        ("/%2e%2e/cluster/x/api", True),
        ("/..%2Fcluster/x/api", True),
        ("/api/../../cluster/x/api", True),
        ("//api/v1/pods", False),
        ("/api/v1/namespaces/../pods", False),
        ("/api%2Fv1", False),
    ],
)
def test_what_follows_a_prefix_cannot_change_it(rest: str, is_ambiguous: bool) -> None:
    route = find_route("GET", "/kubernetes/management" + rest)

    assert (route.request_target, route.rest) == (RequestTarget.MANAGEMENT, rest)
    assert route.is_ambiguous is is_ambiguous


def test_a_target_that_no_server_takes_is_refused() -> None:
    with pytest.raises(BadRequestError, match="escape"):
        find_route("GET", "/kubernetes/cluster/%zz/api")


@given(cluster=NAMES, namespace=NAMES, name=NAMES)
def test_names_come_back_decoded_whatever_is_in_them(
    cluster: str, namespace: str, name: str
) -> None:
    names = "/".join(map(encode, [cluster, namespace, name]))

    route = find_route("GET", f"/kubernetes/virtualcluster/{names}/api")

    assert route.request_target == RequestTarget.VCLUSTER
    assert (route.cluster, route.namespace, route.name) == (cluster, namespace, name)


@given(rest=st.text("./%2FeE5c\\;?#ab"))
def test_no_rest_leads_out_of_its_prefix(rest: str) -> None:
    whole = "/kubernetes/cluster/mine/" + rest
    try:
        route = find_route("GET", whole)
    except BadRequestError:
        return
    assert (route.request_target, route.cluster) == (RequestTarget.CLUSTER, "mine")
