"""Every key of a configuration: `Settings`, the one table that all else is made from.

Reading, the JSON Schema, the reference, the names of variables and what takes a
restart come from the fields below and what is said at them. Keys marked as Loft's have
its names and meanings; source: the configuration of Loft and of vCluster Platform,
``config.audit``. The others are this package's.
"""

# ruff: noqa: RUF009  # what _key returns is no default, but a field with one

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from datetime import timedelta
from typing import Any, Literal

from ..backends.log import Form
from ..documents import tree as nodes
from ..documents.types import SliceOf, Type
from ..documents.values import BOOLEAN, Choice, Integer, Rate
from ..event.eventsize import MAX_EVENT_BYTES, MIN_EVENT_BYTES
from ..event.truncation import TruncationLimits
from ..files.formats import Compression
from ..log.options import RING_BYTES_MAX, RING_BYTES_MIN
from ..redact.rules import RedactionRule
from .loftvalues import COMPRESSION, POLICY
from .masks import MASK_RULE
from .names import ENDPOINT, FILE_MODE, GROUP, PATH
from .sizes import MIB, ByteSize, Megabytes
from .times import DAYS, DURATION, HOURS

__all__ = [
    "KEYS",
    "BatchKeys",
    "Key",
    "MaskKeys",
    "Settings",
    "TruncateKeys",
    "WebhookKeys",
    "settings_of",
    "value_at",
]

Mode = Literal["blocking", "blocking-strict", "batch"]
Preset = Literal["application", "loft", "loft-strict", "vcluster-platform"]

# In maxWait before W, in dataStoreCAFile before S, C and F.
_WORD_START = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_MODES = Choice(("blocking", "blocking-strict", "batch"))
_LIMITS = TruncationLimits()


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key of the configuration.

    Attributes:
        path: As it stands in a file, such as ``batch.maxWait``.
        attributes: The members of `Settings` that lead to it.
        type: What may stand there.
        default: What holds if nothing does.
        text: What it says.
        is_loft: Whether Loft has it, too.
        is_fixed: Whether a running auditor keeps what it began with.
    """

    path: str
    attributes: tuple[str, ...]
    type: Type
    default: Any
    text: str
    is_loft: bool
    is_fixed: bool

    @property
    def variable(self) -> str:
        """The environment variable for it."""
        words = _WORD_START.sub("_", self.path).replace(".", "__")
        return f"AUDITRING_{words.upper()}"


def _key(
    type_: Type,
    default: Any,  # noqa: ANN401  # of any type
    text: str,
    *,
    name: str = "",
    loft: bool = False,
    fixed: bool = False,
) -> Any:  # noqa: ANN401  # as dataclasses.field
    told = {"type": type_, "text": text, "name": name, "loft": loft, "fixed": fixed}
    return field(default=default, metadata=told)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchKeys:
    """How events are collected, in the mode ``batch``; defaults are those of a log."""

    buffer_size: int = _key(
        Integer(1), 10_000, "Events that may wait; more are lost, and counted."
    )
    max_size: int = _key(Integer(1), 1, "Events of a batch.")
    max_wait: float = _key(
        DURATION, 0.0, "How long a batch waits to be full; 0 not at all."
    )
    throttle_enable: bool = _key(BOOLEAN, False, "Whether batches are throttled.")
    throttle_qps: float | None = _key(
        Rate(), None, "Batches a second, on average.", name="throttleQPS"
    )
    throttle_burst: int = _key(Integer(0), 0, "Batches at once after a pause.")


@dataclass(frozen=True, slots=True, kw_only=True)
class TruncateKeys:
    """Kubernetes' truncating backend: long events lose their bodies, or are dropped."""

    enabled: bool = _key(BOOLEAN, False, "Whether events are truncated.")
    max_event_size: int = _key(
        ByteSize(1), _LIMITS.max_event_bytes, "The longest line, in bytes."
    )
    max_batch_size: int = _key(
        ByteSize(1), _LIMITS.max_batch_bytes, "All lines of a batch, in bytes."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskKeys:
    """What is masked in events."""

    enabled: bool = _key(
        BOOLEAN,
        True,
        "Whether secrets are masked. `masks: off` is short for it.",
    )
    built_in: bool = _key(
        BOOLEAN, True, "Whether the rules for Kubernetes and Loft hold as well."
    )
    env_values: bool = _key(
        BOOLEAN,
        True,
        "Whether the value of a pair of a name and a value is masked if the name is"
        " secret-like: environment variables, HTTP headers.",
    )
    key_file: str | None = _key(
        PATH,
        None,
        "A file with at least 16 bytes. With it, equal secrets look alike, and who has"
        " it can search for them.",
    )
    rules: tuple[RedactionRule, ...] = _key(
        SliceOf(MASK_RULE),
        (),
        "What is secret by its place: `resources`, `kinds`, `paths`, `exceptPaths`,"
        " `base64`, `sensitive`.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookKeys:
    """kube-apiserver's webhook; this version has none, and says so if it's asked."""

    config_file: str | None = _key(
        PATH, None, "A kubeconfig that says where events are sent."
    )
    initial_backoff: float = _key(DURATION, 10.0, "The pause before the second try.")
    mode: Mode = _key(_MODES, "batch", "As for the log.")
    batch: BatchKeys = field(
        default_factory=lambda: BatchKeys(
            max_size=400,
            max_wait=30.0,
            throttle_enable=True,
            throttle_qps=10.0,
            throttle_burst=15,
        )
    )
    truncate: TruncateKeys = field(default_factory=TruncateKeys)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a configuration says, with the defaults of what it doesn't.

    Sizes are in bytes, durations in seconds, ages timedeltas; None is no limit, no such
    thing. The text at each key tells more.
    """

    enabled: bool = _key(BOOLEAN, False, "Whether anything is recorded.", loft=True)
    preset: Preset | None = _key(
        Choice(("application", "loft", "loft-strict", "vcluster-platform")),
        None,
        "Defaults of a product. `application` is for applications with paths of their"
        " own: each `level` (1, if none is given) records every request. `loft` logs to"
        " `/var/log/loft/audit.log`, `vcluster-platform` to `/var/lib/loft/audit.log`;"
        " both leave out the stage ResponseStarted. `loft-strict` is `loft` with"
        " requests that are for no resource recorded, too.",
    )
    compat: Literal["seeds", "types", "platform"] = _key(
        Choice(("seeds", "types", "platform")),
        "seeds",
        "Whose reading counts where Loft's documents differ. `seeds`: nothing is"
        " recorded without `level` and rules, and the request target VCluster stands"
        " for ProjectVCluster, too. `types`: targets are what they are called."
        " `platform`: as `types`, and without `level` and rules level 1 holds.",
    )
    level: int | None = _key(
        Integer(1, 4),
        None,
        "Loft's audit level: 1 changes, with the bodies of what is created; 2 reads as"
        " well; 3 all request bodies; 4 response bodies. Ignored if there are rules."
        " From 2 on, only requests for resources are recorded, unless `preset` is"
        " `application`: then 1 is every request, 2 with the bodies of changes, 3 with"
        " all request bodies, 4 with response bodies.",
        loft=True,
    )
    policy: nodes.Mapping | None = _key(
        POLICY,
        None,
        "`rules` and `omitStages`, with `requestTargets` and `clusters` in rules, as"
        " Loft has them; or a Policy of Kubernetes.",
        loft=True,
    )
    policy_file: str | None = _key(
        PATH,
        None,
        "A file with a policy, instead of `policy` and `level`. A relative name is"
        " looked for beside the configuration.",
    )
    path: str | None = _key(
        PATH,
        None,
        "The log; `-` is standard output, without rotation. Needed if `enabled`,"
        " unless `preset` has one.",
        loft=True,
        fixed=True,
    )
    max_age: timedelta | None = _key(
        DAYS, None, "How long backups are kept, in days; 0 is for ever.", loft=True
    )
    max_backups: int = _key(
        Integer(0), 0, "How many backups are kept; 0 is all.", loft=True
    )
    max_size: int = _key(
        Megabytes(low=1, of_zero=100 * MIB, none=0),
        100 * MIB,
        "The size at which the log is rotated, in megabytes; 0 is 100, `none` never"
        " rotates.",
        loft=True,
    )
    compress: Compression | None = _key(
        COMPRESSION,
        None,
        "How backups are compressed; true is gzip.",
        loft=True,
    )
    data_store_endpoint: str | None = _key(
        ENDPOINT,
        None,
        "A database that events are stored in, besides the log. This version has no"
        " store: it checks the value and warns.",
        loft=True,
    )
    data_store_ttl: timedelta | None = _key(
        HOURS,
        None,
        "How long the database keeps them, in hours; null is for ever.",
        name="dataStoreTTL",
        loft=True,
    )
    data_store_identity_provider: Literal["aws"] | None = _key(
        Choice(("aws",)),
        None,
        "Who gives the password of the database.",
        loft=True,
    )
    data_store_ca_file: str | None = _key(
        PATH,
        None,
        "Certificates that the database's is checked with.",
        name="dataStoreCAFile",
        loft=True,
    )
    disable_agent_sync_back: bool = _key(
        BOOLEAN,
        False,
        "Whether agents keep their events. Of no effect here: this package sends none.",
        loft=True,
    )
    ha: bool = _key(
        BOOLEAN,
        False,
        "Whether several replicas run; they need a database on the network.",
    )
    mode: Mode = _key(
        _MODES,
        "blocking",
        "`blocking-strict` refuses requests that can't be recorded; `batch` writes"
        " later, and drops what `batch.bufferSize` doesn't hold.",
    )
    batch: BatchKeys = field(default_factory=BatchKeys)
    truncate: TruncateKeys = field(default_factory=TruncateKeys)
    form: Form = _key(
        Choice(("json", "bare", "legacy")),
        "json",
        "How a line is written: as Kubernetes does, without `kind` and `apiVersion` as"
        " Loft does, or as text.",
    )
    max_event_size: int | None = _key(
        ByteSize(
            MIN_EVENT_BYTES,
            tuple((name, limit) for name, limit in MAX_EVENT_BYTES.items()),
        ),
        None,
        "The longest line, in bytes or by who reads it; longer ones are shortened, and"
        " none is dropped.",
    )
    masks: MaskKeys = field(default_factory=MaskKeys)
    latencies: bool = _key(
        BOOLEAN,
        False,
        "Whether requests of more than half a second are annotated with where the time"
        " went.",
    )
    max_total_size: int | None = _key(
        Megabytes(low=1, of_zero=None),
        None,
        "What all backups may take on disk, in megabytes.",
    )
    compress_level: int | None = _key(
        Integer(0, 22), None, "How hard, as the format counts."
    )
    durability: Literal["process", "interval", "sync"] = _key(
        Choice(("process", "interval", "sync")),
        "process",
        "What an event survives: the death of processes; loss of power but for"
        " `syncInterval`; loss of power, before the request goes on.",
        fixed=True,
    )
    sync_interval: float = _key(DURATION, 1.0, "How often `interval` syncs.")
    ring_size: int = _key(
        Megabytes(low=RING_BYTES_MIN, high=RING_BYTES_MAX, of_zero=None),
        8 * MIB,
        "The ring in which events wait to be written, in megabytes.",
        fixed=True,
    )
    on_full: Literal["block", "drop", "raise"] = _key(
        Choice(("block", "drop", "raise")),
        "block",
        "What becomes of an event when the ring is full; `raise` and `drop` lose it,"
        " and `blocking-strict` then refuses the request.",
    )
    block_timeout: float | None = _key(
        DURATION,
        5.0,
        "How long `block` waits; null is for ever. An event loop is never held up for"
        " more than 50ms.",
    )
    on_timeout: Literal["raise", "drop"] = _key(
        Choice(("raise", "drop")),
        "drop",
        "What it does then, with this event and those that follow it, until there is"
        " room again; `blocking-strict` refuses their requests.",
    )
    state_dir: str | None = _key(
        PATH, None, "Where rings are kept; null is beside the log.", fixed=True
    )
    dialect: Literal["lumberjack", "stdlib"] = _key(
        Choice(("lumberjack", "stdlib")),
        "lumberjack",
        "Names of backups: `audit-2026-11-22T01-02-03.004.log`, or `audit.log.1`.",
        fixed=True,
    )
    file_mode: int = _key(FILE_MODE, 0o600, "Permissions of new files.", fixed=True)
    group: str | int | None = _key(
        GROUP, None, "A group that may read and write the log.", fixed=True
    )
    keep_for_followers: bool = _key(
        BOOLEAN, True, "Whether backups wait for followers that haven't read them."
    )
    space_warn: int | None = _key(
        Megabytes(low=1, of_zero=None),
        None,
        "Free space on the disk that is warned of, in megabytes.",
        fixed=True,
    )
    space_critical: int | None = _key(
        Megabytes(low=1, of_zero=None),
        None,
        "Free space at which the oldest backup goes, if any may.",
        fixed=True,
    )
    wipe_on_drain: bool = _key(
        BOOLEAN, False, "Whether the ring is overwritten once events are in the file."
    )
    allow_network_fs: bool = _key(
        BOOLEAN,
        False,
        "Whether the log may be on NFS and the like, where nothing is promised.",
        name="allowNetworkFS",
        fixed=True,
    )
    webhook: WebhookKeys = field(default_factory=WebhookKeys)


def _keys(holder: Any, above: tuple[str, ...], path: str) -> Iterator[Key]:  # noqa: ANN401  # one of the classes above
    for each in fields(holder):
        value = getattr(holder, each.name)
        attributes = (*above, each.name)
        told = each.metadata
        name = told.get("name") or re.sub(
            r"_(\w)", lambda found: found[1].upper(), each.name
        )
        if is_dataclass(value):
            yield from _keys(value, attributes, f"{path}{name}.")
            continue
        yield Key(
            path=path + name,
            attributes=attributes,
            type=told["type"],
            default=value,
            text=told["text"],
            is_loft=told["loft"],
            is_fixed=told["fixed"],
        )


KEYS: Mapping[str, Key] = {key.path: key for key in _keys(Settings(), (), "")}
"""All keys by their paths, in the order of the reference."""


def value_at(settings: Settings, key: Key) -> Any:  # noqa: ANN401  # of the key's type
    """Return what *settings* have for a key."""
    value: Any = settings
    for name in key.attributes:
        value = getattr(value, name)
    return value


def settings_of(given: Mapping[str, Any]) -> Settings:
    """Return the settings with the values *given* by path, and else the defaults."""
    settings = Settings()
    for path, value in given.items():
        settings = _changed(settings, KEYS[path].attributes, value)
    return settings


def _changed(holder: Any, attributes: tuple[str, ...], value: Any) -> Any:  # noqa: ANN401  # see _keys
    first, *rest = attributes
    if rest:
        value = _changed(getattr(holder, first), tuple(rest), value)
    return replace(holder, **{first: value})
