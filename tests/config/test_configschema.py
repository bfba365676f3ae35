"""The schema and the reference in the repository are those that the table makes."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from configs import load
from jsonschema import Draft202012Validator

from auditring.config import KEYS
from auditring.config.flags import FLAGS
from auditring.config.reference import config_reference
from auditring.config.schema import config_schema
from auditring.documents.tree import plain
from auditring.policy.text import read_text

ROOT = Path(__file__).parents[2]
SCHEMA = ROOT / "schema" / "auditring-config.schema.json"
REFERENCE = ROOT / "docs" / "reference" / "configuration.md"


def test_the_schema_in_the_repository_is_the_present_one() -> None:
    written = json.loads(SCHEMA.read_text(encoding="utf-8"))

    # auditring config schema >schema/auditring-config.schema.json
    assert written == config_schema()


def test_the_reference_in_the_repository_is_the_present_one() -> None:
    # auditring config reference >docs/reference/configuration.md
    assert REFERENCE.read_text(encoding="utf-8") == config_reference()


def test_the_reference_has_every_key_variable_and_flag() -> None:
    text = REFERENCE.read_text(encoding="utf-8")

    names = [*KEYS, *(key.variable for key in KEYS.values()), *FLAGS]
    assert [name for name in names if f"`{name}`" not in text] == []


@pytest.mark.parametrize("path", KEYS)
def test_the_schema_has_every_key(path: str) -> None:
    place: Any = config_schema()["$defs"]["audit"]
    for name in path.split("."):
        place = place["properties"][name]

    assert place["description"]
    default = KEYS[path].type.dump(KEYS[path].default)
    assert place.get("default") == default


CORPUS = ROOT / "tests" / "data" / "config_mistakes"
MISTAKES = [
    each
    for each in map(json.loads, (CORPUS / "expected.jsonl").read_text().splitlines())
    # The size of what has a unit an editor can't know, nor what files and others say.
    if re.search(r"no such (key|field)|, got (the|a|an) ", each["told"])
    and each["file"] not in ("ring-too-small.yaml", "lost-indentation.yaml")
]


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda each: each["file"])
def test_an_editor_finds_the_same_mistakes(mistake: dict[str, Any]) -> None:
    document = plain(read_text((CORPUS / mistake["file"]).read_bytes()))

    assert not Draft202012Validator(config_schema()).is_valid(document)


@pytest.mark.parametrize(
    "document",
    [
        {"audit": {"enabled": True, "path": "-", "level": 1, "compress": "zstd"}},
        {"path": "a.log", "maxSize": "5Mi", "maxAge": "36h", "policy": {"rules": []}},
        {"audit": {"masks": {"rules": [{"kinds": ["A"], "paths": ["$.b"]}]}}, "ui": 1},
        {"audit": {"masks": False}},
        {
            "audit": {"enableSideCar": True},
            "config": {"audit": {"enabled": True, "level": 1, "path": "-"}},
            "webhook": {"create": True},
        },
        {
            key.path: key.type.dump(key.default)
            for key in KEYS.values()
            if "." not in key.path
        },
    ],
)
def test_the_schema_takes_what_is_taken(document: dict[str, object]) -> None:
    Draft202012Validator.check_schema(config_schema())

    Draft202012Validator(config_schema()).validate(document)
    load(document)


def test_patterns_of_the_schema_are_javascripts_too() -> None:
    patterns = re.findall(r'"pattern": "(.*?)"', json.dumps(config_schema()))

    assert patterns
    assert [each for each in patterns if "(?P" in each or r"\A" in each] == []
