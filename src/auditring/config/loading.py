"""A configuration, loaded: `Config`, and what it is made from, `load_config`."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

from ..documents.namedfile import read_named
from ..errors import ConfigError, ConfigProblem
from ..policy.policy import Policy
from ..redact.masks import KEY_MIN_BYTES
from .environment import CONFIG_VARIABLE, read_environment
from .flags import read_flags
from .hiddenvalues import hidden_problem
from .keys import Settings, settings_of
from .policy import PolicyReading, read_policy_of
from .rules import PRESET_PATHS, broken_rules
from .text import Origin, Reading, Setting, read_config_text, read_mapping

__all__ = ["Config", "Source", "load_config", "parse_config"]

Source = str | os.PathLike[str] | Mapping[str, object]
"""A file, or what one says as a mapping."""

# What kube-apiserver has where Loft keeps everything; source: Kubernetes v1.36.
_KUBERNETES: Mapping[str, object] = {"maxAge": timedelta(days=366), "maxBackups": 100}


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A configuration that is valid.

    Attributes:
        settings: What it says, with the defaults of what it doesn't.
        policy: What is recorded; None for nothing.
        policy_origin: What the policy was made from, in words.
        mask_key: What `settings.masks.key_file` holds.
        origins: Where settings come from, by the path of their keys; what isn't there
            is a default.
        warnings: What has no effect, or not the one that it looks like.
        files: What was read to make it.
        source: What it was loaded from; None if there was none.
        flags: The arguments that it was loaded with.
        prefix: What paths of keys begin with in its file, such as ``audit.``.
    """

    settings: Settings = field(default_factory=Settings)
    policy: Policy | None = None
    policy_origin: str = ""
    mask_key: bytes | None = field(default=None, repr=False)
    origins: Mapping[str, Origin] = field(default_factory=dict)
    warnings: tuple[ConfigProblem, ...] = ()
    files: tuple[Path, ...] = ()
    source: Source | None = None
    flags: tuple[str, ...] = ()
    prefix: str = ""


def load_config(
    source: Source | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    flags: Sequence[str] = (),
    is_check: bool = False,
) -> Config:
    """Load a configuration: Loft's ``audit:`` block, with this package's keys in it.

    A flag wins over a variable, a variable over the file, the file over the defaults.
    What keys mean together:

    ===================================== ============================================
    ``enabled: false``                    nothing is recorded; errors are warnings
    neither ``level`` nor rules           nothing is recorded, with a warning; with
                                          ``compat: platform`` level 1
    ``level`` and rules                   the rules, with a warning; an error if it is
                                          checked
    ``omitStages`` without rules          added to the level, else an error
    ``rules: []``                         as if they weren't there
    ``maxSize: 0``                        100; of kube-apiserver's flag, no rotation
    ``maxAge: 0``, ``maxBackups: 0``      everything is kept
    ``dataStoreTTL: 0``                   an error: null is for ever
    ``path: -`` with rotation             that is ignored, with a warning
    ``ha: true``                          an error without a database on the network
    ===================================== ============================================

    Args:
        source: The name of a file, YAML or JSON, or a mapping with what it would say.
            The keys may stand below ``audit:``. None: the file that the variable
            AUDITRING_CONFIG names, if there is one.
        environ: Where variables are looked for; None for those of the process, an empty
            mapping for none.
        flags: A command line with kube-apiserver's ``--audit-*`` flags. Its other
            arguments aren't looked at. Without a source kube-apiserver's defaults hold.
        is_check: Whether what is wrong, but has a meaning, is an error.

    Raises:
        ConfigError: It can't be used; `problems` tells everything that is wrong.
        OSError: The file can't be read.
    """
    variables = os.environ if environ is None else environ
    if source is None:
        source = variables.get(CONFIG_VARIABLE) or None
    if source is None:
        reading, file = Reading(), None
    elif isinstance(source, Mapping):
        reading, file = read_mapping(source), None
    else:
        file = Path(source)
        reading = read_config_text(read_named(file, may_be_pipe=True), str(file))
    loading = _Loading(reading, file, source is not None)
    config = loading.finish(variables, flags, is_check)
    # A program may go to another directory before it is loaded again.
    found = source if file is None else file.absolute()
    return replace(config, source=found, flags=tuple(flags))


def parse_config(
    text: str | bytes,
    *,
    name: str = "<text>",
    environ: Mapping[str, str] | None = None,
    flags: Sequence[str] = (),
    is_check: bool = False,
) -> Config:
    """Load a configuration from a text; errors call it *name*. See `load_config`.

    Raises:
        ConfigError: It can't be used.
    """
    variables = os.environ if environ is None else environ
    loading = _Loading(read_config_text(text, name), None, True)
    return loading.finish(variables, flags, is_check)


class _Loading:
    """Puts what the sources say together."""

    def __init__(self, reading: Reading, file: Path | None, has_source: bool) -> None:
        self._reading = reading
        self._file = file
        self._has_source = has_source
        self._is_readable = bool(reading.settings) or not reading.problems
        self._files = [] if file is None else [file.absolute()]
        self._problems: list[ConfigProblem] = []
        # Keys whose values are wrong: it's said, and that they're missing isn't.
        self._failed: set[str] = set()

    def finish(
        self, environ: Mapping[str, str], flags: Sequence[str], is_check: bool
    ) -> Config:
        given = self._gather(environ, flags)
        settings = settings_of({key: each.value for key, each in given.items()})
        origins = {key: each.origin for key, each in given.items()}
        policy = read_policy_of(
            settings,
            origins,
            file=self._beside(settings.policy_file, origins.get("policyFile")),
            is_check=is_check,
        )
        if is_check and self._reading.arguments:
            policy = _as_elsewhere(policy)
        if policy.policy is not None and settings.policy_file:
            self._watch(settings.policy_file, origins["policyFile"])
        mask_key = self._read_mask_key(settings, origins)
        broken = broken_rules(settings, origins)
        self._note(policy.problems)
        self._note(each for each in broken if each.key not in self._failed)
        if not self._failed & {"enabled", "policy", "policyFile", "level"}:
            self._note(_silence(settings, origins, policy))
        if self._has_source and not origins and not self._problems:
            told = "nothing is recorded, as nothing is set"
            place = "" if self._file is None else str(self._file)
            self._note([ConfigProblem(place, None, "", told, "warning")])
        warnings = self._judge(settings, origins)
        return Config(
            settings=settings,
            policy=policy.policy if settings.enabled else None,
            policy_origin=policy.origin,
            mask_key=mask_key,
            origins=origins,
            warnings=warnings,
            files=tuple(self._files),
            prefix=self._reading.prefix,
        )

    def _gather(
        self, environ: Mapping[str, str], flags: Sequence[str]
    ) -> dict[str, Setting]:
        """Return every setting by its key, the strongest source of each."""
        variables = read_environment(environ)
        known = self._reading.settings | variables.settings
        found = read_flags((*self._reading.arguments, *flags), known)
        given = known | found.reading.settings
        if found.is_used and (not self._has_source or self._reading.arguments):
            given = _as_kubernetes(given)
        preset = given.get("preset")
        path = None if preset is None else PRESET_PATHS.get(preset.value)
        if path is not None and ("path" not in given or given["path"].value is None):
            assert preset is not None
            origin = Origin("preset", f"preset {preset.value}")
            given["path"] = Setting(path, origin)
        for reading in (self._reading, variables, found.reading):
            self._problems += reading.problems
            self._failed |= reading.failed
        return given

    def _beside(self, name: str | None, origin: Origin | None) -> Path | None:
        """Return where a file is that the configuration names: in its folder."""
        if name is None or origin is None:
            return None
        if origin.kind == "file" and self._file is not None:
            return self._file.parent / name
        return Path(name)

    def _watch(self, name: str, origin: Origin) -> None:
        path = self._beside(name, origin)
        if path is not None:
            self._files.append(path.absolute())

    def _read_mask_key(
        self, settings: Settings, origins: Mapping[str, Origin]
    ) -> bytes | None:
        name = settings.masks.key_file
        path = self._beside(name, origins.get("masks.keyFile"))
        if path is None:
            return None
        self._files.append(path.absolute())
        origin = origins["masks.keyFile"]
        try:
            key = read_named(path).rstrip(b"\r\n")
        except OSError as error:
            told = f"can't read {str(path)!r}: {error.strerror}"
        else:
            if len(key) >= KEY_MIN_BYTES:
                return key
            told = f"expected {KEY_MIN_BYTES} bytes in {str(path)!r}, got {len(key)}"
        self._note([ConfigProblem(origin.place, origin.line, "masks.keyFile", told)])
        return None

    def _note(self, problems: Iterable[ConfigProblem]) -> None:
        """Take problems whose keys are paths of settings, not yet of the file."""
        file = [o.place for o in self._origins() if o.kind == "file"][:1]
        prefix = self._reading.prefix
        self._problems += [
            replace(each, key=prefix + each.key) if [each.place] == file else each
            for each in problems
        ]

    def _origins(self) -> Iterable[Origin]:
        return (setting.origin for setting in self._reading.settings.values())

    def _judge(
        self, settings: Settings, origins: Mapping[str, Origin]
    ) -> tuple[ConfigProblem, ...]:
        """Return the warnings.

        Raises:
            ConfigError: There are errors, too.
        """
        every = dict.fromkeys(map(hidden_problem, self._problems))
        problems = sorted(every, key=self._rank)
        if "enabled" in origins and not settings.enabled and self._is_readable:
            # What isn't used does no harm.
            problems = [replace(each, severity="warning") for each in problems]
        if any(each.severity == "error" for each in problems):
            raise ConfigError(problems)
        return tuple(problems)

    def _rank(self, problem: ConfigProblem) -> tuple[bool, str, int]:
        is_of_file = self._file is not None and problem.place == str(self._file)
        return not is_of_file, problem.place, problem.line or 0


def _as_kubernetes(given: Mapping[str, Setting]) -> dict[str, Setting]:
    """Add what holds where there are but flags: a log's path turns auditing on."""
    origin = Origin("default", "kube-apiserver's default")
    added = {key: Setting(value, origin) for key, value in _KUBERNETES.items()}
    if "path" in given:
        added["enabled"] = Setting(True, given["path"].origin)
    return added | dict(given)


def _as_elsewhere(policy: PolicyReading) -> PolicyReading:
    """Warn of a policy's file that isn't here: a manifest is of another machine."""
    problems = [
        replace(
            each,
            severity="warning",
            message=f"{each.message}; where kube-apiserver runs, it has to be there",
        )
        if each.key == "policyFile" and each.message.startswith("can't read")
        else each
        for each in policy.problems
    ]
    return replace(policy, problems=problems)


def _silence(
    settings: Settings, origins: Mapping[str, Origin], policy: PolicyReading
) -> list[ConfigProblem]:
    """Return a warning if nothing at all is recorded, and it isn't said."""
    if settings.enabled:
        has_errors = any(each.severity == "error" for each in policy.problems)
        if policy.policy is not None or has_errors or policy.problems:
            return []
        origin = origins["enabled"]
        told = "true, but NOTHING IS RECORDED: there is no level and there are no rules"
        if origin.kind == "flag":
            told = "NOTHING IS RECORDED: --audit-policy-file isn't given"
        return [ConfigProblem(origin.place, origin.line, "enabled", told, "warning")]
    if "enabled" in origins or not origins:
        return []
    origin = next(iter(origins.values()))
    told = "nothing is recorded, as it isn't set; true records"
    if all(each.kind in ("flag", "default") for each in origins.values()):
        told = "nothing is recorded: --audit-log-path isn't given"
    return [ConfigProblem(origin.place, None, "enabled", told, "warning")]
