"""What keys of a configuration say together: what contradicts, and what is in vain.

Each function looks at one matter. Source: the interplay of Loft's keys, as
`load_config` has it in a table, and Kubernetes v1.36's checks of its audit flags.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import ConfigProblem
from ..log.options import (
    DEFAULTS,
    OPTIONS,
    WrongOptionError,
    WrongOptionTypeError,
    check_options,
)
from .keys import KEYS, Settings, value_at
from .text import Origin

__all__ = ["PRESET_PATHS", "broken_rules", "writer_options"]

PRESET_PATHS = {
    "loft": "/var/log/loft/audit.log",
    "loft-strict": "/var/log/loft/audit.log",
    "vcluster-platform": "/var/lib/loft/audit.log",
}
"""Where the log is, by `Settings.preset`, if nobody says."""

_OF_ROTATION = (
    *("maxSize", "maxBackups", "maxAge", "maxTotalSize", "compress", "compressLevel"),
)
_OF_STORE = ("dataStoreTTL", "dataStoreIdentityProvider", "dataStoreCAFile")
_NETWORK_STORES = ("mysql:", "postgres:", "postgresql:")

# Keys that are called otherwise than the option of a log that they are.
_OTHER_NAMES = {
    "max_bytes": "maxSize",
    "max_total_bytes": "maxTotalSize",
    "ring_bytes": "ringSize",
    "mode": "fileMode",
    "space_warn_bytes": "spaceWarn",
    "space_critical_bytes": "spaceCritical",
}
_NO_KEYS = ("on_error", "adopt_settings")
_KEY_OF_ATTRIBUTES = {key.attributes: path for path, key in KEYS.items()}
# The key by the option of a log.
_WRITER_OPTIONS = {
    option: _OTHER_NAMES.get(option) or _KEY_OF_ATTRIBUTES[(option,)]
    for option in OPTIONS
    if option not in _NO_KEYS
}


def _presets_with_paths() -> str:
    return " or ".join(f"{name} ({path})" for name, path in PRESET_PATHS.items())


def writer_options(settings: Settings) -> dict[str, Any]:
    """Return the arguments of `LogWriter` beside the path."""
    options = {
        option: value_at(settings, KEYS[path])
        for option, path in _WRITER_OPTIONS.items()
    }
    if settings.path == "-":
        for option in ("compress", "compress_level", "max_age", "max_total_bytes"):
            options[option] = None
        options |= {"max_bytes": 0, "max_backups": 0}
    return options


def broken_rules(
    settings: Settings, origins: Mapping[str, Origin]
) -> list[ConfigProblem]:
    """Return what is wrong with *settings* as a whole.

    Args:
        settings: All of them, the preset's path included.
        origins: Where those come from that aren't defaults.
    """
    rules = _Rules(settings, origins)
    return [
        *rules.log(),
        *rules.store(),
        *rules.batch(""),
        *rules.truncation(""),
        *rules.form(),
        *rules.webhook(),
    ]


@dataclass(frozen=True, slots=True)
class _Rules:
    settings: Settings
    origins: Mapping[str, Origin]

    def _error(self, key: str, text: str, said_by: str = "") -> ConfigProblem:
        origin = self.origins.get(said_by or key, Origin("default"))
        return ConfigProblem(origin.place, origin.line, key, text)

    def _warning(self, key: str, text: str) -> ConfigProblem:
        origin = self.origins[key]
        return ConfigProblem(origin.place, origin.line, key, text, "warning")

    def _shown(self, key: str) -> str:
        """Return the value of *key* as it might stand in a file."""
        return str(KEYS[key].type.dump(value_at(self.settings, KEYS[key])))

    def log(self) -> Iterator[ConfigProblem]:
        """Tell of a path that is missing, and of options that can't be had."""
        settings = self.settings
        if settings.path is None:
            if settings.enabled:
                told = (
                    "is needed, as enabled is true; - is standard output, and "
                    f"preset: {_presets_with_paths()}"
                )
                yield self._error("path", told, "enabled")
        elif settings.path.endswith("/"):
            yield self._error("path", f"expected a file, got {settings.path!r}")
        elif settings.path == "-":
            yield from self._stream()
        yield from self._options()

    def _stream(self) -> Iterator[ConfigProblem]:
        for key in _OF_ROTATION:
            is_off = value_at(self.settings, KEYS[key]) in (None, 0)
            origin = self.origins.get(key)
            if origin is not None and origin.kind != "default" and not is_off:
                told = f"{self._shown(key)} is ignored: standard output isn't rotated"
                yield self._warning(key, told)
        if self.settings.durability != "process":
            told = (
                f"expected process for standard output, got {self._shown('durability')}"
            )
            yield self._error("durability", told)

    def _options(self) -> Iterator[ConfigProblem]:
        # Checking a state_dir makes it; the writer will do that.
        given = {**DEFAULTS, **writer_options(self.settings), "state_dir": None}
        try:
            check_options(given)
        except (WrongOptionError, WrongOptionTypeError) as error:
            yield self._error(_WRITER_OPTIONS[error.option], error.reason)

    def store(self) -> Iterator[ConfigProblem]:
        """Tell of a database that is missing, or that nobody writes to."""
        endpoint = self.settings.data_store_endpoint or ""
        is_network = endpoint.startswith(_NETWORK_STORES)
        if self.settings.ha and not is_network:
            told = "true needs a database on the network as dataStoreEndpoint"
            yield self._error("ha", told)
        if endpoint:
            told = (
                f"{self._shown('dataStoreEndpoint')} isn't written to: this version has"
                " no store; events are in the log"
            )
            yield self._warning("dataStoreEndpoint", told)
        for key in _OF_STORE:
            is_of_network = key != "dataStoreTTL"
            if key in self.origins and not (is_network if is_of_network else endpoint):
                wanted = "a database on the network" if is_of_network else "a database"
                told = f"{self._shown(key)} is of no effect without {wanted}"
                yield self._warning(key, told)

    def batch(self, block: str) -> Iterator[ConfigProblem]:
        """Tell of batches that are never sent, or that nobody makes."""
        holder = self.settings.webhook if block else self.settings
        if holder.mode != "batch":
            for key in KEYS:
                if key.startswith(f"{block}batch.") and self._is_said(key):
                    told = f"{self._shown(key)} is of no effect in mode {holder.mode}"
                    yield self._warning(key, told)
            return
        if not holder.batch.throttle_enable:
            return
        for name, value in (
            ("throttleQPS", holder.batch.throttle_qps),
            ("throttleBurst", holder.batch.throttle_burst),
        ):
            if not value:
                key = f"{block}batch.{name}"
                told = (
                    f"expected more than 0, as throttleEnable is true, got {value or 0}"
                )
                yield self._error(key, told, key if key in self.origins else "mode")

    def _is_said(self, key: str) -> bool:
        """Tell whether somebody wrote it; flags are given with their defaults, too."""
        origin = self.origins.get(key)
        return origin is not None and origin.kind != "flag"

    def truncation(self, block: str) -> Iterator[ConfigProblem]:
        """Tell of batches that are shorter than an event."""
        limits = (self.settings.webhook if block else self.settings).truncate
        if limits.max_batch_size < limits.max_event_size:
            key = f"{block}truncate.maxBatchSize"
            other = f"{block}truncate.maxEventSize"
            told = (
                f"expected at least truncate.maxEventSize, which is"
                f" {limits.max_event_size}, got {limits.max_batch_size}"
            )
            yield self._error(key, told, key if key in self.origins else other)

    def form(self) -> Iterator[ConfigProblem]:
        """Tell of a limit that lines of text don't keep."""
        if self.settings.form == "legacy" and self.settings.max_event_size is not None:
            told = f"{self._shown('maxEventSize')} is of no effect with form: legacy"
            yield self._warning("maxEventSize", told)

    def webhook(self) -> Iterator[ConfigProblem]:
        """Tell that there is none, and what would be wrong with it.

        A kube-apiserver's command line may have one beside its log: that it is read
        here says nothing of who sends its events.
        """
        if self.settings.webhook.config_file is None:
            return
        told = f"{self.settings.webhook.config_file!r}: this version sends no webhooks"
        key = "webhook.configFile"
        if self._is_said(key) or self.settings.path is None:
            yield self._error(key, told)
        else:
            yield self._warning(key, f"{told}; events are in the log")
        yield from self.batch("webhook.")
        yield from self.truncation("webhook.")
