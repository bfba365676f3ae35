"""Settings in environment variables."""

from datetime import timedelta

import pytest
from configs import texts_of

from auditring.config import KEYS, Config, ConfigError, load_config

BASE = {"enabled": True, "path": "a.log", "level": 2}


def load(**environ: str) -> Config:
    return load_config(BASE, environ=environ)


def refused(**environ: str) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        load(**environ)
    return texts_of(raised.value.problems)


def test_every_key_has_a_variable_of_its_own() -> None:
    names = {key.variable for key in KEYS.values()}

    assert len(names) == len(KEYS)
    assert KEYS["batch.maxWait"].variable == "AUDITRING_BATCH__MAX_WAIT"
    assert KEYS["dataStoreCAFile"].variable == "AUDITRING_DATA_STORE_CA_FILE"
    assert KEYS["dataStoreTTL"].variable == "AUDITRING_DATA_STORE_TTL"


def test_values_have_the_types_that_they_have_in_a_file() -> None:
    settings = load(
        AUDITRING_COMPRESS="true",
        AUDITRING_MAX_AGE="7",
        AUDITRING_MAX_SIZE="5Mi",
        AUDITRING_MODE="batch",
        AUDITRING_BATCH__MAX_WAIT="2s",
        AUDITRING_FILE_MODE="0640",
        AUDITRING_STATE_DIR="1.0",
        AUDITRING_MASKS__RULES='[{"kinds": ["Card"], "paths": ["$.pin"]}]',
    ).settings

    assert settings.compress == "gzip"
    assert settings.max_age == timedelta(days=7)
    assert settings.max_size == 5 * 1024**2
    assert settings.batch.max_wait == 2.0
    assert settings.file_mode == 0o640
    assert settings.state_dir == "1.0"  # a name, whatever it looks like
    assert settings.masks.rules[0].kinds == ("Card",)


def test_a_policy_may_stand_in_a_variable() -> None:
    config = load_config(
        {"enabled": True, "path": "a.log"},
        environ={"AUDITRING_POLICY": "{rules: [{level: Request}]}"},
    )

    assert config.policy is not None
    assert config.policy_origin == "policy.rules"


def test_an_empty_variable_is_as_none() -> None:
    assert load(AUDITRING_PATH="", AUDITRING_LEVEL="").settings.path == "a.log"


def test_variables_of_others_are_not_looked_at() -> None:
    config = load(AUDITRING_CI="1", AUDITRING_DEBUG="1", PATH="/bin", AUDIT="x")

    assert config.warnings == ()


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("LEVEL", "9", "level: expected an integer from 1 to 4, got the number 9"),
        ("HA", "yep", "ha: expected true or false, got the string 'yep'"),
        (
            "BATCH__MAX_WAIT",
            "soon",
            "batch.maxWait: expected a duration such as 500ms, 30s, 1h30m, got the"
            " string 'soon'",
        ),
        (
            "POLICY",
            "{rules: [{level: All}]}",
            'policy.rules[0].level: Unsupported value: "All": supported values: "None",'
            ' "Metadata", "Request", "RequestResponse"',
        ),
        (
            "MASKS__RULES",
            "[1]",
            "masks.rules[0]: expected an object with resources or kinds, and paths, got"
            " the number 1",
        ),
    ],
)
def test_a_wrong_value_is_told_with_the_variable(
    name: str, value: str, told: str
) -> None:
    lines = refused(**{f"AUDITRING_{name}": value})

    assert f"AUDITRING_{name}: {told}" in lines


def test_a_text_that_is_no_yaml_is_told_with_the_variable() -> None:
    (line,) = refused(AUDITRING_MASKS__RULES="[1")

    assert line.startswith("AUDITRING_MASKS__RULES: masks.rules: YAML: ")
    assert line.endswith("in '[1'")


def test_an_unknown_variable_is_warned_of() -> None:
    config = load(AUDITRING_MAXSIZE="5")

    assert texts_of(config.warnings) == [
        "AUDITRING_MAXSIZE: warning: no such setting, got '5';"
        " did you mean AUDITRING_MAX_SIZE?"
    ]
