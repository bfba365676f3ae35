"""Audit as a configuration file says: Loft's ``audit:`` block, or Kubernetes' flags.

::

    from auditring.config import open_auditor

    auditor = open_auditor("audit.yaml", watch=1.0)
    app = AuditMiddleware(app, auditor)

The reference of all keys is docs/reference/configuration.md.
"""

import logging
from collections.abc import Mapping, Sequence

from .configkeys import KEYS, Settings
from .configloading import Config, Source, load_config, parse_config
from .configuredauditor import ConfiguredAuditor
from .errors import ConfigError, ConfigProblem

__all__ = [
    "KEYS",
    "Config",
    "ConfigError",
    "ConfigProblem",
    "ConfiguredAuditor",
    "Settings",
    "Source",
    "load_config",
    "open_auditor",
    "parse_config",
]

_logger = logging.getLogger("auditring.config")


def open_auditor(
    source: Source | Config | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    flags: Sequence[str] = (),
    watch: float | None = None,
) -> ConfiguredAuditor:
    """Open the auditor that a configuration describes, with its log and all else.

    Warnings go to the logger ``auditring.config``. Closing the auditor closes its log.

    Args:
        source: As for `load_config`, or what that returned.
        environ: See `load_config`.
        flags: See `load_config`; a `Config` has its own.
        watch: How often its files are looked after, in seconds; None for never.

    Raises:
        ConfigError: The configuration can't be used.
        OSError: A file of it can't be read, or the log can't be opened.
    """
    if isinstance(source, Config):
        config = source
    else:
        config = load_config(source, environ=environ, flags=flags)
    for problem in config.warnings:
        _logger.warning("%s", problem)
    auditor = ConfiguredAuditor(config, environ=environ)
    if watch is not None:
        auditor.watch(watch)
    return auditor
