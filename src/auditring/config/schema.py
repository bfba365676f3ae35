"""The JSON Schema of the configuration, made from the table of its keys."""

from typing import Any

from ..event.event import Level, Stage
from ..request.gateway import RequestTarget
from .keys import KEYS
from .text import SWITCHES

__all__ = ["SCHEMA_ID", "config_schema"]

SCHEMA_ID = "https://auditring.io/schema/auditring-config.schema.json"

_STRINGS = {"type": "array", "items": {"type": "string"}}
_STAGES = {"type": "array", "items": {"enum": [str(stage) for stage in Stage]}}
_TARGETS = {"type": "array", "items": {"enum": [str(each) for each in RequestTarget]}}


def config_schema() -> dict[str, Any]:
    """Return the schema of a configuration file, for editors and other tools.

    What several keys say together it can't tell; ``auditring config check`` does.
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        "title": "Configuration of auditring",
        "description": "The audit block of Loft's configuration and more keys,"
        " alone or below audit.",
        "anyOf": [
            # The values of Loft's chart, which has another block audit beside it.
            {
                "type": "object",
                "required": ["config"],
                "properties": {
                    "config": {
                        "type": "object",
                        "required": ["audit"],
                        "properties": {"audit": {"$ref": "#/$defs/audit"}},
                    }
                },
            },
            {
                "type": "object",
                "required": ["audit"],
                "properties": {"audit": {"$ref": "#/$defs/audit"}},
            },
            {"$ref": "#/$defs/audit"},
        ],
        "$defs": {"audit": _audit(), "policy": _policy()},
    }


def _audit() -> dict[str, Any]:
    root = _object()
    for key in KEYS.values():
        *blocks, name = key.path.split(".")
        place = root
        for block in blocks:
            place = place["properties"].setdefault(block, _block(block))
        place["properties"][name] = _or_null(
            {"description": key.text.replace("`", ""), **key.type.schema()},
            key.type.dump(key.default),
        )
    return root


def _block(name: str) -> dict[str, Any]:
    block = _object()
    if name in SWITCHES:
        block["type"].append("boolean")
        block["default"] = True
    return block


def _object() -> dict[str, Any]:
    return {"type": ["object", "null"], "properties": {}, "additionalProperties": False}


def _or_null(schema: dict[str, Any], default: object) -> dict[str, Any]:
    """Return the schema of a key, which may be there without a value."""
    told = {"description": schema.pop("description")}
    if default is not None:
        told["default"] = default
    if isinstance(schema.get("type"), str):
        return {**told, **schema, "type": [schema["type"], "null"]}
    if "enum" in schema:
        return {**told, "enum": [*schema["enum"], None]}
    if "anyOf" in schema:
        return {**told, "anyOf": [*schema["anyOf"], {"type": "null"}]}
    return {**told, "anyOf": [schema, {"type": "null"}]}


def _policy() -> dict[str, Any]:
    group = {
        "type": "object",
        "properties": {
            "group": {"type": "string"},
            "resources": _STRINGS,
            "resourceNames": _STRINGS,
        },
        "additionalProperties": False,
    }
    rule = {
        "type": "object",
        "required": ["level"],
        "properties": {
            "level": {"enum": [str(level) for level in Level]},
            "users": _STRINGS,
            "userGroups": _STRINGS,
            "verbs": _STRINGS,
            "resources": {"type": "array", "items": group},
            "namespaces": _STRINGS,
            "nonResourceURLs": _STRINGS,
            "omitStages": _STAGES,
            "omitManagedFields": {"type": "boolean"},
            "requestTargets": _TARGETS,
            "clusters": _STRINGS,
        },
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "properties": {
            "apiVersion": {"const": "audit.k8s.io/v1"},
            "kind": {"const": "Policy"},
            "metadata": {"type": "object"},
            "rules": {"type": "array", "items": rule},
            "omitStages": _STAGES,
            "omitManagedFields": {"type": "boolean"},
        },
        "additionalProperties": False,
    }
