"""kube-apiserver's ``--audit-*`` flags as settings.

They are read as kube-apiserver does: ``--flag value`` or ``--flag=value``, underscores
for dashes, a truth value without ``=`` is true. Numbers keep its meanings: a size of 0
never rotates. Source: Kubernetes v1.36, the audit options.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

from ..documents.suggestion import unknown
from .environment import take_text
from .keys import KEYS
from .sizes import MIB
from .text import Origin, Reading, Setting

__all__ = ["FLAGS", "Flag", "FlagReading", "read_flags"]

Type = Literal["text", "bool", "int", "float", "duration"]
Backend = Literal["", "log", "webhook"]

_VERSION = "audit.k8s.io/v1"
_TRUE = ("1", "t", "T", "true", "TRUE", "True")
_FALSE = ("0", "f", "F", "false", "FALSE", "False")
# What Go's strconv.ParseInt takes to the base 0.
_INTEGER = re.compile(r"[-+]?(0[xX][0-9a-fA-F]+|0[oO]?[0-7]+|0[bB][01]+|[1-9]\d*|0)")
_FLOAT = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", re.ASCII)
# As Go has them; those below zero the key refuses.
_DURATION = re.compile(r"[-+]?(0|([\d.]+[a-zµ]+)+)", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """A flag of kube-apiserver.

    Attributes:
        name: With its dashes.
        key: The path of the setting; empty for the versions, which have but one value.
        type: What its value is to kube-apiserver.
        backend: What it is for; a wrong value of it matters if that is used.
        default: What holds there without the flag.
    """

    name: str
    key: str
    type: Type
    backend: Backend
    default: str


def _backend_flags(backend: Backend, block: str, defaults: Sequence[str]) -> list[Flag]:
    """Return the flags that both backends have, with the *defaults* in their order."""
    names: list[tuple[str, str, Type]] = [
        ("mode", "mode", "text"),
        ("version", "", "text"),
        ("batch-buffer-size", "batch.bufferSize", "int"),
        ("batch-max-size", "batch.maxSize", "int"),
        ("batch-max-wait", "batch.maxWait", "duration"),
        ("batch-throttle-enable", "batch.throttleEnable", "bool"),
        ("batch-throttle-qps", "batch.throttleQPS", "float"),
        ("batch-throttle-burst", "batch.throttleBurst", "int"),
        ("truncate-enabled", "truncate.enabled", "bool"),
        ("truncate-max-event-size", "truncate.maxEventSize", "int"),
        ("truncate-max-batch-size", "truncate.maxBatchSize", "int"),
    ]
    return [
        Flag(
            name=f"--audit-{backend}-{name}",
            key=key and block + key,
            type=type_,
            backend=backend,
            default=default,
        )
        for (name, key, type_), default in zip(names, defaults, strict=True)
    ]


def _flag(name: str, key: str, type_: Type, backend: Backend, default: str) -> Flag:
    name = f"--audit-{name}"
    return Flag(name=name, key=key, type=type_, backend=backend, default=default)


_CUT = ("false", "102400", "10485760")
FLAGS: Mapping[str, Flag] = {
    flag.name: flag
    for flag in (
        _flag("policy-file", "policyFile", "text", "", ""),
        _flag("log-path", "path", "text", "", ""),
        _flag("log-format", "form", "text", "log", "json"),
        _flag("log-maxage", "maxAge", "int", "log", "366"),
        _flag("log-maxbackup", "maxBackups", "int", "log", "100"),
        _flag("log-maxsize", "maxSize", "int", "log", "100"),
        _flag("log-compress", "compress", "bool", "log", "false"),
        *_backend_flags(
            "log",
            "",
            ("blocking", _VERSION, "10000", "1", "0s", "false", "0", "0", *_CUT),
        ),
        _flag("webhook-config-file", "webhook.configFile", "text", "", ""),
        _flag(
            "webhook-initial-backoff",
            "webhook.initialBackoff",
            "duration",
            "webhook",
            "10s",
        ),
        _flag(
            "webhook-batch-initial-backoff",
            "webhook.initialBackoff",
            "duration",
            "webhook",
            "10s",
        ),
        *_backend_flags(
            "webhook",
            "webhook.",
            (
                "batch",
                _VERSION,
                "10000",
                "400",
                "30s",
                "true",
                "10",
                "15",
                *_CUT,
            ),
        ),
    )
}
"""All flags by name; the last but two of a webhook is the old name of another."""


@dataclass(slots=True)
class FlagReading:
    """What the flags of a command line say.

    Attributes:
        reading: The settings that they make, and what is wrong.
        rest: The arguments that are none of them, in their order.
        is_used: Whether there was any.
    """

    reading: Reading = field(default_factory=Reading)
    rest: list[str] = field(default_factory=list)
    is_used: bool = False


def read_flags(arguments: Sequence[str], used: Collection[str] = ()) -> FlagReading:
    """Read the ``--audit-*`` flags among *arguments*; the last of a name counts.

    What is wrong with a flag for a backend that isn't used, or for batches that aren't
    made, doesn't matter, as in kube-apiserver, unless its value is of another type.

    Args:
        arguments: Of a command line, without its first word.
        used: Keys that others have set; ``path`` and ``webhook.configFile`` tell which
            backends are used.
    """
    found = FlagReading()
    given = _split(arguments, found)
    found.is_used = bool(given)
    is_used = {
        "": True,
        "log": "path" in used or given.get("--audit-log-path"),
        "webhook": "webhook.configFile" in used
        or given.get("--audit-webhook-config-file"),
    }
    for name, text in given.items():
        flag = FLAGS[name]
        reading = Reading()
        _take(reading, flag, text)
        found.reading.settings |= reading.settings
        found.reading.failed |= reading.failed
        is_judged = is_used[flag.backend] and _makes_batches(flag, given, used)
        if is_judged or not _has_type(flag.type, text):
            found.reading.problems += reading.problems
    return found


def _makes_batches(flag: Flag, given: Mapping[str, str], used: Collection[str]) -> bool:
    """Tell whether batches are made, if *flag* is for them."""
    mode = f"--audit-{flag.backend}-mode"
    if "batch." not in flag.key or FLAGS[mode].key in used:
        return True
    return given.get(mode, FLAGS[mode].default) == "batch"


def _split(arguments: Sequence[str], found: FlagReading) -> dict[str, str]:
    """Return the flags that are known with their values, in their order."""
    given: dict[str, str] = {}
    waiting = list(arguments)
    while waiting:
        argument = waiting.pop(0)
        if argument == "--":
            found.rest += [argument, *waiting]
            break
        written, equals, value = argument.partition("=")
        name = written.replace("_", "-")
        if not name.startswith("--audit-"):
            found.rest.append(argument)
            continue
        flag = FLAGS.get(name)
        if flag is None:
            what = unknown(written, FLAGS, "flag", repr(value) if equals else "")
            found.reading.blame(Origin("flag", written), 0, "", what)
            continue
        if not equals and flag.type == "bool":
            value = "true"
        elif not equals and not waiting:
            what = "expected a value after it, got none"
            found.reading.blame(Origin("flag", name), 0, flag.key, what)
            continue
        elif not equals:
            value = waiting.pop(0)
        given.pop(name, None)
        given[name] = value
    return given


def _has_type(type_: Type, text: str) -> bool:
    if type_ == "bool":
        return text in (*_TRUE, *_FALSE)
    if type_ == "int":
        return _INTEGER.fullmatch(text) is not None
    if type_ == "float":
        return re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?", text) is not None
    # Go's durations; those below zero are refused by the key.
    return (
        type_ == "text" or re.fullmatch(r"[-+]?(0|([\d.]+[a-zµ]+)+)", text) is not None
    )


def _take(reading: Reading, flag: Flag, text: str) -> None:
    origin = Origin("flag", flag.name)
    if not _has_type(flag.type, text):
        names = {"bool": "true or false", "int": "an integer", "float": "a number"}
        expected = names.get(flag.type, "a duration such as 30s")
        what = f"expected {expected}, got {text!r}"
        reading.failed.add(flag.key)
        reading.blame(origin, 0, flag.key, what)
    elif not flag.key:
        if text != _VERSION:
            what = f"expected {_VERSION}, got {text!r}"
            reading.blame(origin, 0, "", what)
    elif flag.type == "int" and flag.key in _NUMBERS:
        _take_number(reading, flag, _number(text))
    elif text or flag.type != "text":
        # An empty text is what such a flag is without being there.
        take_text(reading, KEYS[flag.key], _as_yaml(flag.type, text), origin)


_NUMBERS = ("maxAge", "maxBackups", "maxSize")


def _number(text: str) -> int:
    # Go takes a leading zero for octal, Python doesn't.
    return int(re.sub(r"^([-+]?)0(?=\d)", r"\g<1>0o", text), 0)


def _take_number(reading: Reading, flag: Flag, number: int) -> None:
    """Take a limit of the log, of which 0 is none."""
    origin = Origin("flag", flag.name)
    if not 0 <= number < 2**31:
        what = f"expected an integer of at least 0, got {number}"
        reading.blame(origin, 0, flag.key, what)
        return
    value: Any = number
    if flag.key == "maxAge":
        value = timedelta(days=min(number, 100_000)) or None
    elif flag.key == "maxSize":
        value = number * MIB
    reading.settings[flag.key] = Setting(value, origin)


def _as_yaml(type_: Type, text: str) -> str:
    if type_ == "bool":
        return "true" if text in _TRUE else "false"
    if type_ == "int":
        return str(_number(text))
    return text
