"""A configuration as people and programs want to see it: what holds, and where from."""

import json
from typing import Any

from ..errors import printable
from .keys import KEYS, Settings, value_at
from .loading import Config
from .sizes import MIB

__all__ = ["shown_document", "shown_text", "summary"]


def shown_document(config: Config) -> dict[str, Any]:
    """Return every key with its value and its origin, and the policy."""
    settings = {}
    for path, key in KEYS.items():
        origin = config.origins.get(path)
        settings[path] = {
            "value": key.type.dump(value_at(config.settings, key)),
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
        value = key.type.dump(value_at(config.settings, key))
        origin = config.origins.get(path)
        rows.append((f"{path}: {_text(value)}", str(origin or "default")))
    width = max(len(row[0]) for row in rows if len(row[0]) <= 48)
    lines = [f"{value:<{width}}  # {origin}" for value, origin in rows]
    if config.policy is None:
        return "\n".join([*lines, "# nothing is recorded"])
    rules = len(config.policy.rule_set.rules)
    return "\n".join([*lines, f"# {rules} rules by {printable(config.policy_origin)}"])


def summary(config: Config) -> str:
    """Say in one sentence what is recorded, where to, and how much of it is kept."""
    settings = config.settings
    if not settings.enabled or (config.policy is None and not settings.policy_file):
        return "nothing is recorded"
    parts = [
        f"events by {_rules_of(config)}",
        f"to {'standard output' if settings.path == '-' else settings.path}",
    ]
    if settings.path != "-":
        parts.append(_kept(settings))
    masks = "secrets masked" if settings.masks.enabled else "secrets not masked"
    return ", ".join((*parts, masks))


def _rules_of(config: Config) -> str:
    if config.policy is None:
        return f"{printable(str(config.settings.policy_file))}, which isn't here"
    count = len(config.policy.rule_set.rules)
    return f"{count} rule{'s' * (count != 1)} ({printable(config.policy_origin)})"


def _kept(settings: Settings) -> str:
    if not settings.max_size:
        return "never rotated"
    limits = [f"{settings.max_backups} backups"] * bool(settings.max_backups)
    if settings.max_age is not None:
        limits.append(f"{settings.max_age.days} days")
    size = f"rotated at {settings.max_size / MIB:g} MiB"
    return f"{size}, kept: {' and '.join(limits) or 'every backup'}"


def _text(value: object) -> str:
    if isinstance(value, str) and value.isprintable():
        return value
    return json.dumps(value)
