"""Texts of policies: what is accepted, what only warned of, what refused and where."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditring.errors import AuditringError, PolicyError
from auditring.event import Level, Stage
from auditring.policy.rules import GroupResources, Rule, RuleSet
from auditring.policy.text import Dialect, read_policy

HEAD = "apiVersion: audit.k8s.io/v1\nkind: Policy\n"


def problems(
    text: str | bytes, dialect: Dialect = "any", *, strict: bool = False
) -> list[tuple[int | None, str, str]]:
    """Return line, field and kind of everything that is wrong with *text*."""
    with pytest.raises(PolicyError) as caught:
        read_policy(text, dialect=dialect, strict=strict)
    return [(each.line, each.field, each.kind) for each in caught.value.problems]


def test_every_field_of_a_rule_is_read() -> None:
    text = f"""{HEAD}
metadata:
  name: all
  labels: {{a: b}}
  creationTimestamp: "2026-01-01T02:00:00+02:00"
omitStages: [Panic]
omitManagedFields: true
rules:
- level: Request
  users: [u]
  userGroups: [g]
  verbs: [get]
  resources:
  - group: apps
    resources: [deployments]
    resourceNames: [web]
  - {{}}
  namespaces: [""]
  omitStages: [RequestReceived, RequestReceived]
  omitManagedFields: false
  requestTargets: [Cluster]
  clusters: [east]
- level: None
  nonResourceURLs: [/x*]
"""

    rule_set, warnings = read_policy(text)

    first = Rule(
        level=Level.REQUEST,
        users=("u",),
        user_groups=("g",),
        verbs=("get",),
        resources=(
            GroupResources("apps", ("deployments",), ("web",)),
            GroupResources(),
        ),
        namespaces=("",),
        omit_stages=(Stage.REQUEST_RECEIVED, Stage.REQUEST_RECEIVED),
        omit_managed_fields=False,
        request_targets=("Cluster",),
        clusters=("east",),
    )
    assert rule_set == RuleSet(
        rules=(first, Rule(level=Level.NONE, non_resource_urls=("/x*",))),
        omit_stages=(Stage.PANIC,),
        omit_managed_fields=True,
        metadata={
            "name": "all",
            "labels": {"a": "b"},
            "creationTimestamp": "2026-01-01T00:00:00Z",
        },
    )
    assert warnings == ()


def test_a_policy_written_as_a_document_is_read_back() -> None:
    text = f"{HEAD}rules:\n- {{level: None, users: [a], omitManagedFields: false}}\n"
    rule_set, _ = read_policy(text)

    again, _ = read_policy(json.dumps(rule_set.as_document()))

    assert again == rule_set


def test_everything_wrong_is_told_with_its_line_in_kubernetes_order() -> None:
    text = f"""{HEAD}omitStages: [A, Panic, B]
rules:
- level: X
  nonResourceURLs: [a, /b*c]
  resources:
  - group: ""
  - group: X
    resourceNames: [name]
  omitStages:
  - C
  requestTargets: [Moon]
- users: [u]
"""

    assert problems(text) == [
        (3, "omitStages[0]", "Invalid"),
        (3, "omitStages[2]", "Invalid"),
        (5, "rules[0].level", "NotSupported"),
        (6, "rules[0].nonResourceURLs[0]", "Invalid"),
        (6, "rules[0].nonResourceURLs[1]", "Invalid"),
        (9, "rules[0].resources.group", "Invalid"),
        (10, "rules[0].resources.resourceNames", "Invalid"),
        (12, "rules[0].omitStages[0]", "Invalid"),
        (6, "rules[0].nonResourceURLs", "Invalid"),
        (13, "rules[0].requestTargets[0]", "NotSupported"),
        (14, "rules[1].level", "Required"),
    ]


def test_an_error_speaks_kubernetes_language() -> None:
    text = f"{HEAD}rules:\n- level: metadata\n- {{}}\n- level: None\n"
    text += "  nonResourceURLs: [x, x]\n  namespaces: [z]\n"

    with pytest.raises(PolicyError) as caught:
        read_policy(text)

    assert isinstance(caught.value, AuditringError)
    assert isinstance(caught.value, ValueError)
    assert caught.value.errors[1] == ("rules[1].level", "Required", "")
    assert [str(each) for each in caught.value.problems] == [
        'rules[0].level: Unsupported value: "metadata": supported values: "None",'
        ' "Metadata", "Request", "RequestResponse"',
        "rules[1].level: Required value",
        'rules[2].nonResourceURLs[0]: Invalid value: "x": non-resource URL rules must'
        " begin with a '/' character",
        'rules[2].nonResourceURLs[1]: Invalid value: "x": non-resource URL rules must'
        " begin with a '/' character",
        'rules[2].nonResourceURLs: Invalid value: ["x", "x"]: rules cannot apply to'
        " both regular resources and non-resource URLs",
    ]


def test_a_message_tells_the_same_error_once() -> None:
    text = f"{HEAD}rules:\n- level: None\n  resources: [{{group: A}}, {{group: A}}]\n"

    with pytest.raises(PolicyError) as caught:
        read_policy(text)

    assert len(caught.value.errors) == 2
    assert str(caught.value).count("rules[0].resources.group") == 1


def test_all_wrong_types_are_told_with_their_lines() -> None:
    text = f"""{HEAD}metadata:
  labels: {{a: 1}}
  generation: 1.5
  creationTimestamp: yesterday
omitManagedFields: "true"
rules:
- level: 1
  users: y
  verbs: [true]
  resources: [pods]
- none
"""

    assert problems(text) == [
        (4, "metadata.labels.a", "Type"),
        (5, "metadata.generation", "Type"),
        (6, "metadata.creationTimestamp", "Type"),
        (7, "omitManagedFields", "Type"),
        (9, "rules[0].level", "Type"),
        (10, "rules[0].users", "Type"),
        (11, "rules[0].verbs[0]", "Type"),
        (12, "rules[0].resources[0]", "Type"),
        (13, "rules[1]", "Type"),
    ]


def test_a_wrong_type_is_told_with_what_stands_there() -> None:
    with pytest.raises(PolicyError) as caught:
        read_policy(f"{HEAD}rules:\n- level: None\n  users: [y, 1, [a], {{}}]\n")

    assert str(caught.value) == (
        "rules[0].users[0]: expected a string, got the truth value true;"
        " rules[0].users[1]: expected a string, got the number 1;"
        ' rules[0].users[2]: expected a string, got a list ["a"];'
        " rules[0].users[3]: expected a string, got an object {}"
    )


UNKNOWN = f"""{HEAD}rules:
- level: None
  user: [a]
  resources:
  - Group: x
- level: None
  level: Metadata
foo: {{b: 1, b: 2}}
"""


def test_unknown_and_repeated_fields_are_only_warned_of() -> None:
    rule_set, warnings = read_policy(UNKNOWN)

    assert [(each.line, each.field, each.kind) for each in warnings] == [
        (5, "rules[0].user", "Unknown"),
        (7, "rules[0].resources[0].Group", "Unknown"),
        (9, "rules[1].level", "Duplicate"),
        (10, "foo", "Unknown"),
        (10, "foo.b", "Duplicate"),
    ]
    assert rule_set.rules == (
        Rule(level=Level.NONE, resources=(GroupResources(),)),
        Rule(level=Level.METADATA),
    )


@pytest.mark.parametrize(
    ("field", "meant"),
    [
        ("nonResourceUrls", "nonResourceURLs"),
        ("omitstages", "omitStages"),
        ("resource", "resources"),
        ("comment", None),
    ],
)
def test_a_field_that_may_be_a_slip_is_told_with_what_is_meant(
    field: str, meant: str | None
) -> None:
    _, (warning,) = read_policy(f"rules: [{{level: None, {field}: []}}]")

    is_it = f"; is it {meant}?" if meant else ""
    assert warning.detail == f"no such field{is_it}"


def test_a_field_of_something_else_is_told_to_be_in_the_wrong_place() -> None:
    _, (warning,) = read_policy("rules: [{level: None, group: x}]")

    assert warning.detail == "no such field here"


def test_strict_refuses_what_is_otherwise_warned_of() -> None:
    kinds = [kind for _, _, kind in problems(UNKNOWN, strict=True)]

    assert kinds == ["Unknown", "Unknown", "Duplicate", "Unknown", "Duplicate"]


def test_in_json_a_later_key_is_read_onto_the_earlier_one() -> None:
    text = """{"apiVersion": "audit.k8s.io/v1",
        "rules": [{"level": "None", "users": ["a", "b"]}, {"level": "Request"}],
        "rules": [{"level": null, "users": ["c", null], "verbs": ["get"]}],
        "omitStages": ["Panic"], "omitStages": null}"""

    rule_set, warnings = read_policy(text)

    assert rule_set == RuleSet(
        rules=(Rule(level=Level.NONE, users=("c", "b"), verbs=("get",)),)
    )
    assert [each.field for each in warnings] == ["rules", "omitStages"]


@pytest.mark.parametrize(
    ("text", "stage"),
    [
        ("", "version"),
        ("kind: Policy\nrules: 5\n", "version"),
        ("apiVersion: audit.k8s.io/__internal\nrules: [{level: None}]", "version"),
        ("kind: Policy\nRules: 5\n", "decode"),
        ("kind: Policy\nRules: [{Resources: [{Group: 1}]}]\n", "decode"),
        ("apiVersion: [a]\n", "decode"),
        ("apiVersion: audit.k8s.io/v1beta1\nrules: [{level: None}]", "decode"),
        ("apiVersion: audit.k8s.io/v1\nkind: Event\n", "decode"),
        ("- a", "decode"),
        ("a", "decode"),
        ("a: [", "decode"),
        ("{a: b}", "decode"),
        (f"{HEAD}rules: []", "empty"),
        (f"{HEAD}", "empty"),
        (f"{HEAD}omitStages: [x]", "validation"),
    ],
)
def test_a_refusal_tells_how_far_it_got(text: str, stage: str) -> None:
    with pytest.raises(PolicyError) as caught:
        read_policy(text, dialect="kubernetes")

    assert caught.value.stage == stage
    assert caught.value.problems


def test_the_case_of_version_and_kind_does_not_matter_but_that_of_fields_does() -> None:
    text = "APIVERSION: audit.k8s.io/v1\nKIND: Policy\nrules: [{level: None}]\n"

    _, warnings = read_policy(text)

    assert {each.field for each in warnings} == {"APIVERSION", "KIND"}


BARE = "rules:\n- {level: Metadata, clusters: [east], omitManagedFields: true}\n"


def test_a_block_as_in_lofts_configuration_needs_no_version() -> None:
    rule_set, warnings = read_policy(BARE)

    (rule,) = rule_set.rules
    assert (rule.clusters, rule.omit_managed_fields) == (("east",), True)
    assert warnings == ()


def test_kubernetes_dialect_knows_neither_the_block_nor_lofts_fields() -> None:
    _, warnings = read_policy(
        f"apiVersion: audit.k8s.io/v1\n{BARE}", dialect="kubernetes"
    )

    assert [each.field for each in warnings] == ["rules[0].clusters"]
    assert problems(BARE, dialect="kubernetes") == [(1, "apiVersion", "Required")]


def test_loft_dialect_knows_no_version() -> None:
    _, warnings = read_policy(f"{HEAD}{BARE}", dialect="loft")

    assert {each.field for each in warnings} == {"apiVersion", "kind"}


@pytest.mark.parametrize(
    "data",
    [
        f"{HEAD}{BARE}".encode(),
        b"\xef\xbb\xbf" + f"{HEAD}{BARE}".encode(),
        f"{HEAD}{BARE}".encode("utf-16"),
        f"{HEAD}{BARE}".replace("\n", "\r\n").encode(),
    ],
)
def test_bytes_are_decoded(data: bytes) -> None:
    assert read_policy(data)[0].rules[0].clusters == ("east",)


def test_bytes_that_are_no_text_are_told_with_their_line() -> None:
    assert problems(HEAD.encode() + b"\xff") == [(3, "", "Syntax")]


def test_json_may_hold_bytes_that_are_no_text() -> None:
    text = b'{"rules": [{"level": "None", "users": ["\xff"]}]}'

    assert read_policy(text)[0].rules[0].users == ("\ufffd",)


FRAGMENTS = [
    "apiVersion", "kind", "rules", "level", "users", "resources", "metadata", "group",
    "omitStages", "None", "y", "1", "audit.k8s.io/v1", "Policy", "null", "{}", "[]",
    ": ", ":", "\n", "\n- ", "\n  ", "- ", "&a ", "*a", "<<: ", "{", "}", "[", "]",
    ", ", '"', "'", "|\n", "#", "\t", "!!int ", "---\n", "é", "\x00",
]  # fmt: skip


@given(st.lists(st.sampled_from(FRAGMENTS)).map("".join) | st.text() | st.binary())
def test_no_text_raises_anything_but_a_policy_error(text: str | bytes) -> None:
    try:
        read_policy(text)
    except PolicyError as error:
        assert error.problems  # noqa: PT017  # nothing else may come
