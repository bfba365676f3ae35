"""An auditor that was opened from a configuration, and follows its changes."""

import logging
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..audit.auditor import Auditor
from ..audit.reloads import Outcome, ReloadCounts
from ..errors import ConfigError, ConfigProblem
from ..log.options import LASTING
from ..log.writer import LogWriter
from ..metrics import Family, families
from ..policy.policy import Policy
from ..process._cooperativelock import CooperativeLock
from ..process.afterfork import renew_after_fork
from .assembly import make_backends, make_redactor, open_log
from .hiddenvalues import hidden_text
from .keys import KEYS, Key, Settings, settings_of, value_at
from .loading import Config, load_config
from .rules import writer_options
from .watch import ConfigWatch

__all__ = ["ConfiguredAuditor"]

_logger = logging.getLogger("auditring.config")

# What makes another backend, redactor or outlet.
_OF_COURSE = (
    "mode",
    "batch.",
    "truncate.",
    "form",
    "maxEventSize",
    "masks.",
    "latencies",
)


class ConfiguredAuditor(Auditor):
    """Audits as a configuration says, and as it says later.

    A new configuration or policy holds for requests that begin from then on; what was
    begun goes on as it was begun, to its end. One that is wrong changes nothing: the
    one before holds on.

    Thread-safety: any thread.

    Attributes:
        last_error: Why the last configuration was refused; None if it wasn't.
        held_back: Keys that say something else now, which takes a restart.
    """

    # As in Loft: a configuration without a policy, which says so, records nothing.
    _without_policy = None

    def __init__(
        self, config: Config, *, environ: Mapping[str, str] | None = None
    ) -> None:
        """Open the log and begin; see `config.open_auditor`.

        Raises:
            OSError: The log can't be opened.
        """
        self._config = config
        self._environ = environ
        # Guards what a configuration changes; no request comes by it.
        self._config_lock = CooperativeLock()
        self._counts = ReloadCounts(good_at_s=time.time())
        self._watch: ConfigWatch | None = None
        self._is_closed = False
        self.last_error: ConfigError | OSError | None = None
        self.held_back: tuple[ConfigProblem, ...] = ()
        self._writer = open_log(config)
        super().__init__(
            config.policy,
            make_backends(config, self._writer),
            redactor=make_redactor(config),
            latencies=config.settings.latencies,
        )
        renew_after_fork(self)

    def begin_in_child(self) -> None:
        """Drop locks that another thread of the parent may have held."""
        if self._watch is None:  # which does it itself, before its thread begins
            self._renew_locks()

    def _renew_locks(self) -> None:
        self._lock = CooperativeLock()
        self._config_lock = CooperativeLock()

    @property
    def config(self) -> Config:
        """What holds now."""
        return self._config

    @property
    def writer(self) -> LogWriter | None:
        """The log; None if nothing was ever recorded."""
        return self._writer

    @property
    def logs(self) -> Mapping[str, LogWriter]:
        """The log, by the name that metrics call it."""
        return {} if self._writer is None else {"audit": self._writer}

    @property
    def reloads(self) -> ReloadCounts:
        """How often the configuration was loaded again."""
        return self._counts

    def families(self) -> list[Family]:
        """Return the metrics of the auditor, its log and its configuration."""
        return families(self)

    # Changing.

    def refresh(self) -> Outcome:
        """Load the configuration again from where it came, and apply it.

        Never raises for what is wrong with it: that is told in the log of the program,
        logger ``auditring.config``, in `last_error` and in the metrics. Does nothing
        once the auditor is closed.
        """
        with self._config_lock:
            held_back = self.held_back
            if self._is_closed:
                return "unchanged"
            try:
                config = self._load()
                is_other = self.apply(config)
            except (ConfigError, OSError) as error:
                self._refuse(error)
                return "refused"
            self.last_error = None
            outcome: Outcome = "applied" if is_other else "unchanged"
            self._count(outcome, is_good=True)
            if is_other:
                _logger.info("the configuration has changed, and holds from now on")
                _tell(config.warnings)
            if self.held_back != held_back:
                _tell(self.held_back)
            return outcome

    def _load(self) -> Config:
        before = self._config
        config = load_config(before.source, environ=self._environ, flags=before.flags)
        is_empty = not any(o.kind == "file" for o in config.origins.values())
        if is_empty and any(o.kind == "file" for o in before.origins.values()):
            # Of a file that is just being written; to record nothing takes a word.
            told = "nothing is in it; enabled: false ends auditing"
            raise ConfigError([ConfigProblem(str(before.source), None, "", told)])
        return config

    def _refuse(self, error: ConfigError | OSError) -> None:
        is_news = str(error) != str(self.last_error)
        self.last_error = error
        self._count("refused", is_good=False)
        if is_news:
            told = "the new configuration is refused, the one before holds on:\n%s"
            _logger.error(told, error)

    def _count(self, outcome: Outcome, *, is_good: bool) -> None:
        counts = self._counts
        more: dict[str, Any] = {outcome: getattr(counts, outcome) + 1}
        if is_good:
            more["good_at_s"] = time.time()
        self._counts = replace(counts, is_good=is_good, **more)

    def apply(self, config: Config) -> bool:
        """Let another configuration hold for requests that begin from now on.

        Keys that take a restart stay as they are; `held_back` tells which.

        Returns:
            Whether anything is another than before.

        Raises:
            OSError: The log can't be opened. Everything stays as it is.
        """
        with self._config_lock:
            before = self._config
            changed = [key for key in KEYS.values() if _differs(key, before, config)]
            held: list[Key] = []
            if self._writer is not None:
                held = [key for key in changed if key.is_fixed]
            self.held_back = tuple(_held_back(key, before, config) for key in held)
            settings = _with_values(config.settings, before.settings, held)
            config = replace(config, settings=settings)
            moved = [key for key in changed if key not in held]
            is_same_policy = _same_policy(before.policy, config.policy)
            is_same_mask = before.mask_key == config.mask_key
            is_other = bool(moved) or not is_same_policy or not is_same_mask
            if is_other:
                self._switch(config, moved, is_same_mask=is_same_mask)
            self._config = config
            return is_other

    def _switch(self, config: Config, moved: list[Key], *, is_same_mask: bool) -> None:
        writer, is_new = self._writer, False
        if writer is None:
            writer = open_log(config)
            is_new = writer is not None
        elif writer_options(self._config.settings) != writer_options(config.settings):
            writer.reconfigure(**_changing(writer_options(config.settings)))
        is_same_course = is_same_mask and not any(
            key.path.startswith(_OF_COURSE) for key in moved
        )
        if is_same_course and not is_new:
            self.reload(config.policy)
        else:
            self._writer = writer
            self.replace(
                config.policy,
                make_backends(config, writer),
                redactor=make_redactor(config),
                latencies=config.settings.latencies,
            )

    # Watching.

    def watch(self, interval_s: float | None = 1.0) -> None:
        """Look after the files of the configuration in a thread, from now on.

        Args:
            interval_s: How often; None only looks when `reload_on` says so.
        """
        with self._config_lock:
            if self._watch is None:
                self._watch = ConfigWatch(
                    self.refresh, self._files, self.sweep, self._renew_locks
                )
            self._watch.begin(interval_s)

    def _files(self) -> tuple[Path, ...]:
        return self._config.files

    def reload_on(self, signal_number: int) -> None:
        """Load the configuration again whenever the process gets this signal.

        SIGHUP, say. Only in the main thread. A thread does it; a handler that was there
        before is called as well.
        """
        # Imported late: most programs have no such signal.
        from ..process.signals import call_on_signal

        if self._watch is None:
            self.watch(None)
        if self._watch is not None:
            call_on_signal(signal_number, self._watch.wake)

    def close(self) -> None:
        """Stop watching, flush and close the backends and the log."""
        if self._watch is not None:
            self._watch.end()
        with self._config_lock:
            self._is_closed = True
        super().close()
        if self._writer is not None:
            self._writer.close()


def _tell(problems: tuple[ConfigProblem, ...]) -> None:
    for problem in problems:
        _logger.warning("%s", problem)


def _differs(key: Key, before: Config, after: Config) -> bool:
    # A policy is compared by what it comes to.
    if key.path in ("policy", "policyFile", "level", "enabled"):
        return False
    return bool(value_at(before.settings, key) != value_at(after.settings, key))


def _same_policy(before: Policy | None, after: Policy | None) -> bool:
    if before is None or after is None:
        return before is after
    return before.rule_set == after.rule_set


def _with_values(settings: Settings, old: Settings, keys: list[Key]) -> Settings:
    """Return *settings* with the old values of some *keys*."""
    if not keys:
        return settings
    values = {key.path: value_at(settings, key) for key in KEYS.values()}
    return settings_of(values | {key.path: value_at(old, key) for key in keys})


def _held_back(key: Key, before: Config, after: Config) -> ConfigProblem:
    new = key.type.dump(value_at(after.settings, key))
    old = key.type.dump(value_at(before.settings, key))
    origin = after.origins.get(key.path)
    told = hidden_text(f"{new!r} takes a restart; until then it stays {old!r}")
    if origin is None:
        return ConfigProblem("", None, key.path, told, "warning")
    path = after.prefix * (origin.kind == "file") + key.path
    return ConfigProblem(origin.place, origin.line, path, told, "warning")


def _changing(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options of a writer that an open log takes."""
    return {name: value for name, value in options.items() if name not in LASTING}
