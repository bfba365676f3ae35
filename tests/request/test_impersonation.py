import pytest

from auditring.event import UserInfo
from auditring.request.impersonation import impersonated_user


def groups_of(*headers: tuple[str, str]) -> tuple[str, ...]:
    user = impersonated_user(headers)
    assert user is not None
    return user.groups


def test_a_user_is_what_all_its_headers_say() -> None:
    headers = [
        ("impersonate-group", "dev"),
        ("impersonate-user", "jane"),
        ("impersonate-extra-scopes", "view"),
        ("impersonate-uid", "7"),
        ("impersonate-group", "ops"),
        ("impersonate-extra-acme.com%2fproject", "x"),
        ("impersonate-extra-scopes", "edit"),
        ("impersonate-user", "joe"),
        ("accept", "text/plain"),
    ]

    assert impersonated_user(headers) == UserInfo(
        "jane",
        "7",
        ("dev", "ops", "system:authenticated"),
        {"scopes": ("view", "edit"), "acme.com/project": ("x",)},
    )


def test_an_extra_key_with_a_bad_escape_is_kept_as_sent() -> None:
    user = impersonated_user(
        [("impersonate-user", "jane"), ("impersonate-extra-a%zz%41", "x")]
    )

    assert user is not None
    assert user.extra == {"a%zz%41": ("x",)}


@pytest.mark.parametrize(
    "header", ["impersonate-group", "impersonate-uid", "impersonate-extra-a", "accept"]
)
def test_nobody_is_impersonated_without_a_name(header: str) -> None:
    assert impersonated_user([(header, "x"), ("impersonate-user", "")]) is None


@pytest.mark.parametrize(
    ("name", "asked", "expected"),
    [
        ("jane", [], ["system:authenticated"]),
        ("jane", ["system:authenticated"], ["system:authenticated"]),
        ("jane", ["system:unauthenticated"], ["system:unauthenticated"]),
        ("system:anonymous", [], ["system:unauthenticated"]),
        (
            "system:anonymous",
            ["system:authenticated"],
            ["system:authenticated", "system:unauthenticated"],
        ),
        (
            "system:serviceaccount:ns:bot",
            [],
            [
                *("system:serviceaccounts", "system:serviceaccounts:ns"),
                "system:authenticated",
            ],
        ),
        ("system:serviceaccount:ns:bot", ["dev"], ["dev", "system:authenticated"]),
        ("system:serviceaccount:ns", [], ["system:authenticated"]),
        ("system:serviceaccount:NS:bot", [], ["system:authenticated"]),
        ("system:serviceaccount:ns:a:b", [], ["system:authenticated"]),
        ("system:node:n1", [], ["system:nodes", "system:authenticated"]),
        ("system:node:", [], ["system:authenticated"]),
    ],
)
def test_groups_follow_from_the_name(
    name: str, asked: list[str], expected: list[str]
) -> None:
    asking = [("impersonate-group", group) for group in asked]

    assert groups_of(("impersonate-user", name), *asking) == tuple(expected)


def test_a_node_has_its_group_only_if_nothing_else_is_asked_for() -> None:
    name = ("impersonate-user", "system:node:n1")

    assert groups_of(name, ("impersonate-uid", "7")) == ("system:authenticated",)
