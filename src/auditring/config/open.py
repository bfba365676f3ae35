"""Open the auditor that a configuration describes: `open_auditor`."""

import logging
from collections.abc import Mapping, Sequence

from .auditor import ConfiguredAuditor
from .loading import Config, Source, load_config

__all__ = ["open_auditor"]

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
