"""From a configuration to its parts: the open log, the backends, the redactor."""

import logging

from ..backends.backend import Backend
from ..backends.batch import Batch, BatchSettings
from ..backends.log import LogBackend
from ..backends.truncate import Truncate
from ..event.truncation import TruncationLimits
from ..log.writer import LogWriter
from ..redact.redactor import DEFAULT_RULES, Redactor
from .loading import Config
from .rules import writer_options

__all__ = ["make_backends", "make_redactor", "open_log"]

_logger = logging.getLogger("auditring.config")


def open_log(config: Config) -> LogWriter | None:
    """Open the log; None if nothing is recorded.

    Raises:
        OSError: It can't be opened.
    """
    settings = config.settings
    if not settings.enabled or settings.path is None:
        return None
    return LogWriter(settings.path, on_error=_tell, **writer_options(settings))


def _tell(error: Exception) -> None:
    _logger.error("the log: %s", error)


def make_backends(config: Config, writer: LogWriter | None) -> tuple[Backend, ...]:
    """Return where events go, each wrapped as Kubernetes does it: batches inside."""
    if writer is None:
        return ()
    settings = config.settings
    backend: Backend = LogBackend(
        writer,
        mode="blocking-strict" if settings.mode == "blocking-strict" else "blocking",
        form=settings.form,
        # Lines of text have no limit.
        max_event_bytes=None if settings.form == "legacy" else settings.max_event_size,
    )
    if settings.mode == "batch":
        backend = Batch(backend, _batch_settings(config))
    if settings.truncate.enabled:
        limits = TruncationLimits(
            max_event_bytes=settings.truncate.max_event_size,
            max_batch_bytes=settings.truncate.max_batch_size,
        )
        backend = Truncate(backend, limits)
    return (backend,)


def _batch_settings(config: Config) -> BatchSettings:
    keys = config.settings.batch
    return BatchSettings(
        buffer_events=keys.buffer_size,
        max_events=keys.max_size,
        max_wait_s=keys.max_wait,
        qps=keys.throttle_qps if keys.throttle_enable else None,
        burst=max(keys.throttle_burst, 1),
        # Batches of a log are written one after the other, as in Kubernetes.
        is_concurrent=False,
    )


def make_redactor(config: Config) -> Redactor | None:
    """Return what masks secrets; None if it is turned off."""
    masks = config.settings.masks
    if not masks.enabled:
        return None
    built_in = DEFAULT_RULES if masks.built_in else ()
    return Redactor(
        rules=(*built_in, *masks.rules),
        key=config.mask_key,
        env_values=masks.env_values,
    )
