"""A log whose events can be looked at, and policies for it."""

import json
from pathlib import Path
from typing import Any

from auditring import LogWriter
from auditring.policy import Policy

Json = dict[str, Any]


class EventLog:
    """An audit log in a folder of a test."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "audit.log"
        self.writer = LogWriter(self.path)

    def events(self) -> list[Json]:
        """Return every event that was committed by now."""
        assert self.writer.flush(10)
        return [json.loads(line) for line in self.path.read_bytes().splitlines()]

    def stages(self) -> list[str]:
        return [event["stage"] for event in self.events()]

    def __enter__(self) -> "EventLog":
        return self

    def __exit__(self, *_: object) -> None:
        self.writer.close()


class FullLog:
    """A log that takes no line."""

    def write(self, data: bytes, /) -> bool:
        raise OSError("full")

    def drop(self, size: int = 0, /) -> None:
        pass

    def flush(self, timeout: float | None = None) -> bool:
        return True


def policy_of(level: str = "Metadata", **members: object) -> Policy:
    """Return a policy with one rule, which has these *members*."""
    rule = {"level": level, **members}
    policy = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [rule]}
    return Policy.from_yaml(json.dumps(policy))
