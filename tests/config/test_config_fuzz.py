"""Whatever comes as a configuration, it is loaded or refused, and nothing else."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from configs import load, problems_of
from hypothesis import example, given
from hypothesis import strategies as st

from auditring.config import KEYS, Config, ConfigError, load_config, parse_config

NAMES = sorted({part for path in KEYS for part in path.split(".")})
NAMES += ["audit", "config", "rules", "level", "omitStages", "resources"]
TEXTS = ["-", "none", "5Mi", "3s", "audit.k8s.io/v1", "Policy", "/x"]
PIECES = [
    *("audit:", "  ", "\n", "enabled: true", "level: 2", "- ", "policy:", "rules:"),
    *("{", "}", "[", "]", "'", '"', "&a", "*a", "<<: ", "!!int ", "|", ":", "\t"),
]

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(TEXTS)
)
names = st.sampled_from(NAMES) | st.text(max_size=5)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=5)
    ),
    max_leaves=12,
)
blocks = st.dictionaries(st.sampled_from([*KEYS, *NAMES]), values)


def check(config: Config | ConfigError) -> None:
    problems = config.warnings if isinstance(config, Config) else config.problems
    assert isinstance(config, Config) or problems
    assert all(str(each).isprintable() for each in problems)


def load_or_refuse(
    text: str | bytes | Mapping[str, object], **environ: str
) -> Config | ConfigError:
    try:
        if isinstance(text, Mapping):
            return load_config(text, environ=environ)
        return parse_config(text, environ=environ)
    except ConfigError as error:
        return error


@given(blocks)
@example({"maxAge": 10**40})
@example({"maxAge": float("nan")})
@example({"path": b"x"})
@example({1: 2})
@example({"policy": {"rules": [None, {}, 3]}})
@example({"maxSize": "9" * 5000})
@example({"policyFile": "/"})
@example({"masks": {"keyFile": "/"}})
@example({"path": "\ud800"})
@example({"policyFile": "\ud800"})
def test_any_mapping_is_loaded_or_refused(members: dict[str, object]) -> None:
    check(load_or_refuse(members))
    check(load_or_refuse({"enabled": True, **members}))
    check(load_or_refuse({"audit": members}))


@given(blocks)
def test_any_json_is_loaded_or_refused(members: dict[str, object]) -> None:
    check(load_or_refuse(json.dumps(members)))


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=3)).map("".join) | st.text())
def test_any_text_is_loaded_or_refused(text: str) -> None:
    check(load_or_refuse(text))


@given(st.binary())
def test_any_bytes_are_loaded_or_refused(data: bytes) -> None:
    check(load_or_refuse(data))


@given(st.dictionaries(st.sampled_from([k.variable for k in KEYS.values()]), st.text()))
def test_any_variables_are_loaded_or_refused(environ: dict[str, str]) -> None:
    check(load_or_refuse({"enabled": True}, **environ))


def test_a_mapping_in_itself_is_refused() -> None:
    members: dict[str, Any] = {}
    members["batch"] = members

    assert problems_of(members)[0].endswith("nested deeper than 200 levels")


def test_what_has_no_form_in_json_is_refused() -> None:
    with pytest.raises(ConfigError, match="path: expected a value of JSON, got object"):
        load({"path": object()})
