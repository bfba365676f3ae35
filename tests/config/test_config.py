"""Loading a configuration: where it stands, what wins, what keys mean together."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from configs import enabled, load, problems_of, texts_of

from auditring.config import KEYS, Config, ConfigError, load_config, parse_config
from auditring.config.keys import Settings, value_at
from auditring.event import Level, Stage, UserInfo
from auditring.policy import Policy
from auditring.policy.requestlines import read_request
from auditring.redact.rules import RedactionRule
from auditring.request.attributes import Attributes

MIB = 1024**2
RULES = [{"level": "Request", "verbs": ["get"]}]


def stages_of(config: Config) -> set[Stage]:
    assert config.policy is not None
    return set(config.policy.rule_set.omit_stages)


# Where it stands.


@pytest.mark.parametrize(
    "text",
    [
        "enabled: true\npath: a.log\nlevel: 3\n",
        "audit:\n  enabled: true\n  path: a.log\n  level: 3\n",
        "config: {audit: {enabled: true, path: a.log, level: 3}}\naudit: {image: x}\n",
        '{"audit": {"enabled": true, "path": "a.log", "level": 3}}',
        "auth: {oidc: {}}\naudit: {enabled: true, path: a.log, level: 3}\nui: {}\n",
    ],
    ids=["block", "below audit", "helm values", "json", "whole configuration"],
)
def test_the_block_is_found(text: str) -> None:
    config = parse_config(text, environ={})

    assert config.settings.level == 3
    assert config.settings.path == "a.log"
    assert config.policy is not None
    assert config.warnings == ()


def test_a_mapping_says_what_a_file_would(tmp_path: Path) -> None:
    members = {
        "enabled": True,
        "path": "a.log",
        "level": 1,
        "maxSize": 5,
        "maxAge": "36h",
        "batch": {"maxWait": "2s"},
        "mode": "batch",
        "masks": {"rules": [{"kinds": ["Card"], "paths": ["$.number"]}]},
    }
    file = tmp_path / "audit.json"
    file.write_text(json.dumps({"audit": members}))

    of_file = load_config(file, environ={})

    assert load(members).settings == of_file.settings
    assert load({"audit": members}).settings == of_file.settings


def test_python_values_are_taken_for_what_they_mean(tmp_path: Path) -> None:
    config = load({"path": tmp_path / "a.log", "maxAge": timedelta(hours=5)})

    assert config.settings.path == str(tmp_path / "a.log")
    assert config.settings.max_age == timedelta(hours=5)


def test_an_example_of_loft_is_loaded_whole() -> None:
    text = """\
audit:
  enabled: true
  level: 1
  policy:
    omitStages: [ResponseComplete]
  path: /var/log/loft/audit.log
  maxAge: 30
  maxBackups: 10
  maxSize: 100
  compress: true
  dataStoreEndpoint: mysql://loft:p@ss@tcp(db:3306)/audit
  dataStoreTTL: 720
  dataStoreIdentityProvider: aws
  dataStoreCAFile: ca.pem
  disableAgentSyncBack: true
"""
    config = parse_config(text, environ={})
    settings = config.settings

    assert settings.max_age == timedelta(days=30)
    assert settings.max_size == 100 * MIB
    assert settings.compress == "gzip"
    assert settings.data_store_ttl == timedelta(hours=720)
    assert settings.disable_agent_sync_back
    assert stages_of(config) == {Stage.RESPONSE_COMPLETE}
    (warning,) = texts_of(config.warnings)
    assert "isn't written to" in warning
    assert "p@ss" not in warning


def test_everything_is_a_default_without_a_source() -> None:
    config = load_config(environ={})

    assert config.settings == Settings()
    assert config.policy is None
    assert config.warnings == ()


def test_a_variable_names_the_file(tmp_path: Path) -> None:
    file = tmp_path / "audit.yaml"
    file.write_text("enabled: true\npath: a.log\nlevel: 2\n")

    config = load_config(environ={"AUDITRING_CONFIG": str(file)})

    assert config.settings.enabled
    assert config.source == file


def test_a_file_that_is_not_there_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_config(tmp_path / "audit.yaml", environ={})


@pytest.mark.parametrize("path", KEYS)
def test_null_is_as_if_the_key_was_not_there(path: str) -> None:
    *blocks, name = path.split(".")
    given: dict[str, Any] = {name: None}
    for block in reversed(blocks):
        given = {block: given}

    assert load(given).settings == Settings()


@pytest.mark.parametrize("path", KEYS)
def test_a_default_can_be_written_as_it_is_shown(path: str) -> None:
    key = KEYS[path]
    dumped = key.type.dump(key.default)
    *blocks, name = path.split(".")
    given: dict[str, Any] = {name: dumped}
    for block in reversed(blocks):
        given = {block: given}

    assert value_at(load(given).settings, key) == key.default


# What wins.


def test_a_flag_wins_over_a_variable_and_that_over_the_file() -> None:
    given = {"enabled": True, "path": "a.log", "level": 2, "maxBackups": 1}
    config = load_config(
        {**given, "maxSize": 1, "maxAge": 1},
        environ={"AUDITRING_MAX_AGE": "2", "AUDITRING_MAX_SIZE": "2"},
        flags=["--audit-log-maxsize=3"],
    )

    settings = config.settings
    assert settings.max_backups == 1
    assert settings.max_age == timedelta(days=2)
    assert settings.max_size == 3 * MIB
    origins = [config.origins[key] for key in ("maxBackups", "maxAge", "maxSize")]
    assert [str(origin) for origin in origins] == [
        "mapping",
        "AUDITRING_MAX_AGE",
        "--audit-log-maxsize",
    ]


# What keys mean together.


def test_a_disabled_configuration_turns_errors_into_warnings() -> None:
    config = load({"enabled": False, "level": 9, "colour": "red"})

    assert config.policy is None
    assert all(each.severity == "warning" for each in config.warnings)
    assert [each.key for each in config.warnings] == ["level", "colour"]


def test_a_configuration_that_does_not_say_enabled_keeps_its_errors() -> None:
    assert problems_of({"level": 9}) == [
        "level: expected an integer from 1 to 4, got the number 9"
    ]


def test_a_configuration_that_does_not_say_enabled_warns() -> None:
    assert problems_of({"level": 2, "path": "a.log"}) == [
        "warning: enabled: nothing is recorded, as it isn't set; true records"
    ]


@pytest.mark.parametrize("text", ["", "# nothing\n", "audit:\n", "{}", "audit: {}"])
def test_an_empty_configuration_warns(text: str) -> None:
    config = parse_config(text, environ={})

    assert texts_of(config.warnings) == [
        "warning: nothing is recorded, as nothing is set"
    ]


def test_nothing_is_recorded_without_level_and_rules() -> None:
    config = load({"enabled": True, "path": "a.log"})

    assert config.policy is None
    (warning,) = texts_of(config.warnings)
    assert "NOTHING IS RECORDED" in warning


def test_the_platform_records_at_level_1_then() -> None:
    config = load({"enabled": True, "path": "a.log", "compat": "platform"})

    assert config.policy is not None
    assert config.policy.rule_set == Policy.preset(1).rule_set
    assert config.warnings == ()


@pytest.mark.parametrize("level", [1, 2, 3, 4])
def test_a_level_is_the_published_policy(level: int) -> None:
    config = load({"enabled": True, "path": "a.log", "level": level})

    assert config.policy is not None
    assert config.policy.rule_set == Policy.preset(level).rule_set


def test_rules_win_over_a_level_with_a_warning() -> None:
    given = {"enabled": True, "path": "a.log", "level": 4, "policy": {"rules": RULES}}
    config = load(given)

    assert config.policy is not None
    assert [rule.level for rule in config.policy.rule_set.rules] == [Level.REQUEST]
    assert texts_of(config.warnings) == [
        "warning: level: 4 is ignored, as policy has rules"
    ]
    with pytest.raises(ConfigError, match="4 is ignored"):
        load_config(given, environ={}, is_check=True)


def test_omitted_stages_without_rules_are_added_to_the_level() -> None:
    policy = {"omitStages": ["Panic"], "omitManagedFields": True}
    config = load({"enabled": True, "path": "a.log", "level": 2, "policy": policy})

    assert config.policy is not None
    rules = config.policy.rule_set
    assert rules.rules == Policy.preset(2).rule_set.rules
    assert rules.omit_stages == (Stage.PANIC,)
    assert rules.omit_managed_fields


def test_omitted_stages_without_rules_and_level_are_an_error() -> None:
    given = {"enabled": True, "path": "a.log", "policy": {"omitStages": ["Panic"]}}

    assert problems_of(given) == [
        "policy: omits Panic, but of nothing: there are no rules and no level"
    ]


@pytest.mark.parametrize("policy", [{}, {"rules": []}, {"rules": None}, None])
def test_no_rules_are_no_policy(policy: object) -> None:
    given = {"enabled": True, "path": "a.log", "level": 3, "policy": policy}
    config = load(given)

    assert config.policy is not None
    assert config.policy.rule_set == Policy.preset(3).rule_set
    assert config.warnings == ()


def test_a_policy_may_be_kubernetes_own() -> None:
    policy = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": RULES}
    config = load({"enabled": True, "path": "a.log", "policy": policy})

    assert config.policy is not None
    assert config.policy.rule_set.rules[0].verbs == ("get",)


@pytest.mark.parametrize(
    ("given", "size"), [(0, 100 * MIB), (7, 7 * MIB), ("3Ki", 3072), ("none", 0)]
)
def test_a_size_of_0_is_100_megabytes(given: object, size: int) -> None:
    assert load({"maxSize": given}).settings.max_size == size


def test_ages_and_counts_of_0_keep_everything() -> None:
    settings = load({"maxAge": 0, "maxBackups": 0}).settings

    assert (settings.max_age, settings.max_backups) == (None, 0)


@pytest.mark.parametrize("ttl", [0, -1])
def test_a_store_keeps_nothing_for_no_time(ttl: int) -> None:
    (problem,) = problems_of({"dataStoreTTL": ttl, "enabled": True, "path": "a"})[:1]

    assert "null for unlimited" in problem


def test_standard_output_is_not_rotated() -> None:
    given = {"enabled": True, "path": "-", "level": 2, "compress": True, "maxSize": 5}

    assert problems_of({**given, "maxAge": 0, "maxBackups": 0}) == [
        "warning: maxSize: 5 is ignored: standard output isn't rotated",
        "warning: compress: gzip is ignored: standard output isn't rotated",
    ]


@pytest.mark.parametrize(
    ("endpoint", "is_fine"),
    [
        (None, False),
        ("sqlite:///var/lib/audit.db", False),
        ("mysql://u:p@tcp(db:3306)/a", True),
        ("postgres://u:p@db:5432/a", True),
    ],
)
def test_replicas_need_a_database_on_the_network(
    tmp_path: Path, endpoint: str | None, is_fine: bool
) -> None:
    given = enabled(tmp_path, ha=True, dataStoreEndpoint=endpoint)

    told = [each for each in problems_of(given) if each.startswith("ha:")]

    assert (told == []) is is_fine


@pytest.mark.parametrize(
    ("preset", "path"),
    [
        ("loft", "/var/log/loft/audit.log"),
        ("loft-strict", "/var/log/loft/audit.log"),
        ("vcluster-platform", "/var/lib/loft/audit.log"),
    ],
)
def test_a_preset_says_where_the_log_is(preset: str, path: str) -> None:
    config = load({"enabled": True, "preset": preset, "level": 2})

    assert config.settings.path == path
    assert str(config.origins["path"]) == f"preset {preset}"
    assert stages_of(config) == {Stage.RESPONSE_STARTED}


@pytest.mark.parametrize("level", [None, 1, 2, 3, 4])
def test_the_preset_for_applications_has_levels_of_its_own(level: int | None) -> None:
    given = {"enabled": True, "preset": "application", "path": "a.log"}
    config = load(given if level is None else {**given, "level": level})

    assert config.policy is not None
    expected = Policy.preset(f"application-{level or 1}")
    assert config.policy.rule_set == expected.rule_set


def test_the_preset_for_applications_says_no_path() -> None:
    with pytest.raises(ConfigError, match="path: is needed"):
        load({"enabled": True, "preset": "application"})


def test_a_path_wins_over_a_preset() -> None:
    config = load({"enabled": True, "preset": "loft", "level": 2, "path": "a.log"})

    assert config.settings.path == "a.log"


def test_the_strict_preset_records_what_is_no_resource() -> None:
    config = load({"enabled": True, "preset": "loft-strict", "level": 2})
    request = Attributes.from_request("GET", "/version", user=UserInfo("alice"))

    assert config.policy is not None
    assert config.policy.evaluate(request).level is Level.METADATA
    assert Policy.preset(2).evaluate(request).level is Level.NONE


@pytest.mark.parametrize(
    ("compat", "level"), [("seeds", "Request"), ("types", "None"), ("platform", "None")]
)
def test_virtual_clusters_are_those_of_projects_too(compat: str, level: str) -> None:
    rules = [{"level": "Request", "requestTargets": ["VCluster"]}]
    given = {"enabled": True, "path": "a.log", "policy": {"rules": rules}}
    config = load({**given, "compat": compat})
    line = b'{"method": "GET", "url": "%s/api/v1/pods", "user": null}'
    url = b"/kubernetes/project/p/virtualcluster/v"

    assert config.policy is not None
    request = read_request(line % url, is_behind_gateway=True)
    assert config.policy.evaluate(request).level == level


def test_what_a_policy_says_in_vain_is_told_by_a_check_alone(tmp_path: Path) -> None:
    rules = "rules: [{level: None}, {level: Metadata, verbs: ['*'], verb: []}]"
    (tmp_path / "policy.yaml").write_text(rules)
    file = tmp_path / "audit.yaml"
    file.write_text("enabled: true\npath: a.log\npolicyFile: policy.yaml\n")

    opened = load_config(file, environ={})
    checked = load_config(file, environ={}, is_check=True)

    assert [each.key for each in opened.warnings] == ["rules[1].verb"]
    assert {each.key for each in checked.warnings} == {
        "rules[1]",
        "rules[1].verb",
        "rules[1].verbs[0]",
    }


def test_what_a_block_says_in_vain_is_told_by_a_check_alone() -> None:
    rules = [{"level": "None"}, {"level": "Metadata"}]
    given = {"enabled": True, "path": "a.log", "policy": {"rules": rules}}

    (warning,) = load_config(given, environ={}, is_check=True).warnings

    assert (warning.key, warning.severity) == ("policy.rules[1]", "warning")
    assert "never reached" in warning.message
    assert load_config(given, environ={}).warnings == ()


# Files that it names.


def test_a_policy_file_is_looked_for_beside_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(
        "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Request\n"
    )
    file = tmp_path / "audit.yaml"
    file.write_text("enabled: true\npath: a.log\npolicyFile: policy.yaml\n")

    config = load_config(file, environ={})

    assert config.policy is not None
    assert config.files == (file, tmp_path / "policy.yaml")


def test_what_is_wrong_in_a_policy_file_has_its_line(tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(
        "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Full\n"
    )

    (problem,) = problems_of(
        {"enabled": True, "path": "a.log", "policyFile": str(policy)}
    )

    assert problem.startswith(f'{policy}:4: rules[0].level: Unsupported value: "Full"')


def test_the_key_of_masks_is_read(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"0123456789abcdef\n")
    file = tmp_path / "audit.yaml"
    file.write_text("enabled: true\npath: a.log\nlevel: 2\nmasks: {keyFile: key}\n")

    config = load_config(file, environ={})

    assert config.mask_key == b"0123456789abcdef"
    assert "0123456789abcdef" not in repr(config)


def test_masks_have_rules_of_their_own() -> None:
    rule = {"resources": ["cards"], "paths": ["$.pin"], "exceptPaths": ["$.pin.n"]}
    config = load({"masks": {"rules": [{**rule, "base64": True, "sensitive": True}]}})

    assert config.settings.masks.rules == (
        RedactionRule(
            resources=("cards",),
            paths=("$.pin",),
            except_paths=("$.pin.n",),
            is_base64=True,
            is_sensitive=True,
        ),
    )


# All at once.


def test_everything_that_is_wrong_is_told_at_once() -> None:
    text = """\
enabled: true
path: 7
level: two
maxsize: 5
batch:
  maxWait: soon
masks:
  rules:
  - kinds: [1, Card, 2]
policy:
  rules:
  - level: Full
    verb: [get]
    users: bob
"""
    with pytest.raises(ConfigError) as raised:
        parse_config(text, name="a.yaml", environ={"AUDITRING_MODE": "fast"})

    places = [str(each).split(": ")[:2] for each in raised.value.problems]
    assert places == [
        ["AUDITRING_MODE", "mode"],
        ["a.yaml:2", "path"],
        ["a.yaml:3", "level"],
        ["a.yaml:4", "maxsize"],
        ["a.yaml:6", "batch.maxWait"],
        ["a.yaml:9", "masks.rules[0].kinds[0]"],
        ["a.yaml:9", "masks.rules[0].kinds[2]"],
        ["a.yaml:12", "policy.rules[0].level"],
        ["a.yaml:13", "policy.rules[0].verb"],
        ["a.yaml:14", "policy.rules[0].users"],
    ]


def test_every_problem_is_one_printable_line() -> None:
    text = 'level: 2\nenabled: true\n"a\\nb\\e[31m": 1\npath: "c\\nd\\0"\n'

    with pytest.raises(ConfigError) as raised:
        parse_config(text, name="a\nb.yaml", environ={})

    lines = [str(each) for each in raised.value.problems]
    assert len(lines) == 2
    assert all(line.isprintable() for line in lines)


def test_a_password_is_never_told() -> None:
    for members in (
        {"dataStoreEndpoint": "mongo://u:hunter2@db/a"},
        {"dataStoreEndpoin": "mysql://u:hunter2@tcp(db)/a"},
        {"dataStoreEndpoint": "mysql://u:hunter2@tcp(db)/a", "ha": True},
    ):
        assert problems_of(members)
        assert all("hunter2" not in each for each in problems_of(members))
