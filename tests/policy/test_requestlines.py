"""Requests as JSON lines become attributes, or an error that names the member."""

import json

import pytest

from auditring.errors import RequestError
from auditring.event import UserInfo
from auditring.policy.requestlines import read_request


def test_a_line_is_a_request() -> None:
    user = {"name": "a", "groups": ["g"]}
    line = json.dumps({"method": "GET", "url": "/api/v1/pods?watch", "user": user})

    request = read_request(line)

    assert (request.verb, request.resource) == ("watch", "pods")
    assert request.user == UserInfo("a", groups=("g",))


@pytest.mark.parametrize("user", ["", ',"user":null'])
def test_there_may_be_no_user(user: str) -> None:
    assert read_request(f'{{"method":"GET","url":"/"{user}}}').user is None


def test_target_and_cluster_follow_from_a_gateways_url() -> None:
    line = '{"method":"GET","url":"/kubernetes/cluster/east/api/v1/pods"}'

    request = read_request(line, is_behind_gateway=True)

    assert (request.request_target, request.cluster) == ("Cluster", "east")
    assert request.path == "/api/v1/pods"


def test_target_and_cluster_may_be_given() -> None:
    line = '{"method":"GET","url":"/","requestTarget":"VCluster","cluster":"west"}'

    request = read_request(line)

    assert (request.request_target, request.cluster) == ("VCluster", "west")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "no JSON"),
        ("[]", "expected an object"),
        ("{}", "method: expected a string, got nothing"),
        ('{"method":1}', "method: expected a string, got 1"),
        ('{"method":"GET"}', "url: expected a string, got nothing"),
        ('{"method":"GET","url":"/","user":"a"}', "user: expected an object or null"),
        (
            '{"method":"GET","url":"/","user":{"name":1}}',
            "user.name: expected a string",
        ),
        (
            '{"method":"GET","url":"/","user":{"groups":"g"}}',
            "user.groups: expected a list of strings",
        ),
        ('{"method":"GET","url":"/","cluster":1}', "cluster: expected a string"),
        ('{"method":"GET","url":"/","path":"/"}', "path: no such member; there are"),
        ('{"method":"GET","uri":"/"}', "uri: no such member; is it url?"),
        (
            '{"method":"GET","url":"/","user":{"username":"a"}}',
            "user.username: no such member; is it name?",
        ),
        (
            '{"method":"GET","url":"/","requestTarget":"VCLuster"}',
            "requestTarget: expected one of Management, Cluster, VCluster",
        ),
        ('{"auditID":"1","stage":"Panic"}', "it is an event"),
    ],
)
def test_what_is_no_request_is_told_by_member(line: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_request(line)


@pytest.mark.parametrize(("method", "url"), [("", "/"), ("GET", "/api/v1/watch")])
def test_a_request_that_is_never_audited_is_told_apart(method: str, url: str) -> None:
    with pytest.raises(RequestError):
        read_request(json.dumps({"method": method, "url": url}))
