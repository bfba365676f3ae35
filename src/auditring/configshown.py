"""A configuration as people and programs want to see it: what holds, and where from."""

import json
from typing import Any

from .configkeys import KEYS, value_at
from .configloading import Config

__all__ = ["shown_document", "shown_text"]


def shown_document(config: Config) -> dict[str, Any]:
    """Return every key with its value and its origin, and the policy."""
    settings = {}
    for path, key in KEYS.items():
        origin = config.origins.get(path)
        settings[path] = {
            "value": key.kind.dump(value_at(config.settings, key)),
            "source": "default" if origin is None else origin.kind,
            "place": "" if origin is None else origin.place,
            "line": None if origin is None else origin.line,
        }
    policy = None if config.policy is None else config.policy.rule_set.as_document()
    return {
        "settings": settings,
        "policy": policy,
        "policyOrigin": config.policy_origin,
    }


def shown_text(config: Config) -> str:
    """Return the same as lines."""
    rows = []
    for path, key in KEYS.items():
        value = key.kind.dump(value_at(config.settings, key))
        origin = config.origins.get(path)
        rows.append((f"{path}: {_text(value)}", str(origin or "default")))
    width = max(len(row[0]) for row in rows if len(row[0]) <= 48)
    lines = [f"{value:<{width}}  # {origin}" for value, origin in rows]
    if config.policy is None:
        return "\n".join([*lines, "# nothing is recorded"])
    rules = len(config.policy.rule_set.rules)
    return "\n".join([*lines, f"# {rules} rules by {_printable(config.policy_origin)}"])


def _text(value: object) -> str:
    if isinstance(value, str) and value.isprintable():
        return value
    return json.dumps(value)


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
