"""The exceptions that auditring adds to Python's own.

::

    Exception
    └── AuditringError
        ├── RingFullError
        ├── ClosedError            also a ValueError
        ├── ConfigError            also a ValueError
        ├── CursorError            also a ValueError
        ├── EventError             also a ValueError
        ├── PolicyError            also a ValueError
        ├── RequestError           also a ValueError
        │   ├── BadRequestError
        │   └── RequestInfoError
        └── RefusedError

Trouble with a file or the disk stays `OSError`; a wrong argument stays `ValueError`
or `TypeError`. Nothing else is raised.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

__all__ = [
    "AuditringError",
    "BadRequestError",
    "ClosedError",
    "ConfigError",
    "ConfigProblem",
    "CursorError",
    "EventError",
    "PolicyError",
    "PolicyProblem",
    "RefusedError",
    "RequestError",
    "RequestInfoError",
    "RingFullError",
]


class AuditringError(Exception):
    """What every exception of this package's own has in common; not raised itself."""


class RingFullError(AuditringError):
    """The ring had no room for a record, and the record was not taken.

    Occurs with ``on_full="raise"`` at once, and with ``on_full="block"`` when
    `block_timeout` ran out and ``on_timeout="raise"``. Never with
    ``on_full="drop"``. The writer stays usable: a later call may succeed.

    Attributes:
        committed: How many lines of a chunk were, before this one.
    """

    committed: int | None = 0


class ClosedError(AuditringError, ValueError):
    """A writer was used after it had been closed.

    A ValueError too, as with Python's own closed files. Calling `close()` again is
    no error.
    """


def printable(text: str) -> str:
    """Return *text* in one line that can't steer the terminal that it is shown on."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


@dataclass(frozen=True, slots=True)
class ConfigProblem:
    """One thing that is wrong with a configuration.

    Attributes:
        place: The file, or the variable or flag that says it; empty for a mapping.
        line: Its line, from 1; None if none can be named.
        key: Its path, such as ``batch.maxWait``; empty for the whole.
        message: What is wrong, with the value.
        severity: An ``error``, or a ``warning`` of something that has no effect.
    """

    place: str
    line: int | None
    key: str
    message: str
    severity: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        """Say it in one line, whatever the names and values hold."""
        place = self.place if self.line is None else f"{self.place}:{self.line}"
        mark = "" if self.severity == "error" else "warning: "
        parts = (place, self.key, self.message)
        text = mark + ": ".join(part for part in parts[1:] if part)
        text = f"{place}: {text}" if place else text
        return printable(text)


class ConfigError(AuditringError, ValueError):
    """No configuration can be made of what was given, or it asks for too much.

    Occurs when a configuration is loaded and when an auditor is opened from it; never
    later: a running auditor keeps what it has.

    Attributes:
        problems: Everything that is wrong, and the warnings, in the order of the lines.
    """

    def __init__(self, problems: Iterable[ConfigProblem]) -> None:
        """Take what is wrong; the message has a line for each of it."""
        self.problems = tuple(problems)
        super().__init__("\n".join(dict.fromkeys(str(each) for each in self.problems)))


class CursorError(AuditringError, ValueError):
    """What should be a saved cursor isn't one.

    Occurs when a cursor is read, from a file or as text; the message names the file,
    the field and its value. Nothing was changed.
    """


@dataclass(frozen=True, slots=True)
class PolicyProblem:
    """One thing that is wrong with the text of a policy.

    Attributes:
        field: Its path, such as ``rules[3].resources.group``; empty for the text.
        kind: ``Required``, ``NotSupported`` or ``Invalid``, as Kubernetes says; or
            ``Syntax``, ``Type``, ``Version``, ``Unknown``, ``Duplicate``, ``Empty``.
        detail: What is wrong with it; may be empty for ``Required``.
        line: The line of the text, from 1; None if none can be named.
        value: What stands there, of ``NotSupported``, ``Invalid`` and ``Version``.
    """

    field: str
    kind: str
    detail: str
    line: int | None = None
    value: object = None

    @property
    def message(self) -> str:
        """Say it in Kubernetes' words, without the field."""
        import json  # Here, as few programs load a policy that has errors.

        shown = json.dumps(self.value, ensure_ascii=False)
        if self.kind == "Required":
            return f"Required value: {self.detail}" if self.detail else "Required value"
        if self.kind in ("Invalid", "Version"):
            return f"Invalid value: {shown}: {self.detail}"
        if self.kind == "NotSupported":
            return f"Unsupported value: {shown}: {self.detail}"
        return self.detail

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.field else self.message


class PolicyError(AuditringError, ValueError):
    """No policy can be made of a text.

    Occurs when a policy is loaded, never when it is evaluated.

    Attributes:
        stage: How far it got: ``decode`` for what is no YAML or JSON, of wrong types or
            of another kind; ``version`` for one without an apiVersion; ``strict`` for
            what is only a warning otherwise; ``validation``; ``empty`` for one without
            rules.
        problems: Everything that is wrong, with lines.
        errors: Of ``validation``, the same as (field, kind, detail), in Kubernetes'
            order; empty in every other stage.
    """

    def __init__(
        self,
        stage: Literal["decode", "version", "strict", "validation", "empty"],
        problems: Iterable[PolicyProblem],
    ) -> None:
        """Take what is wrong; the message tells each of it once."""
        self.stage = stage
        self.problems = tuple(problems)
        super().__init__("; ".join(dict.fromkeys(str(each) for each in self.problems)))

    @property
    def errors(self) -> list[tuple[str, str, str]]:
        """What Kubernetes' validation says."""
        if self.stage != "validation":
            return []
        return [(each.field, each.kind, each.detail) for each in self.problems]


class EventError(AuditringError, ValueError):
    """Text isn't an audit event, or an event can't be written the way that was asked.

    Occurs when text is read as an event, and then names the member and its value; and
    with ``strict`` when an event is written whose body isn't JSON.
    """


class RequestError(AuditringError, ValueError):
    """A request that Kubernetes answers before auditing begins; not raised itself."""


class BadRequestError(RequestError):
    """The request line is none that an HTTP server takes; its answer is 400.

    Occurs for a method that is no token and for a request target that is no path, no
    absolute URL and not ``*``, or has a bad escape, host or control character.
    """


class RequestInfoError(RequestError):
    """The path is one of the API, but doesn't say of what; Kubernetes answers 500.

    Attributes:
        known: What had been read by then, under the names of `Attributes`.
    """

    def __init__(self, message: str, known: Mapping[str, object]) -> None:
        super().__init__(message, known)
        self.known = known

    def __str__(self) -> str:
        return str(self.args[0])


class RefusedError(AuditringError):
    """A request must not be carried out, because its event couldn't be kept.

    Occurs with a backend in the mode ``blocking-strict``, when a request is begun as a
    context; see `Auditor`.
    """
