"""From a configuration to backends, redactor and log."""

from pathlib import Path
from typing import Any

import pytest
from configs import enabled, load
from configsite import request_of

from auditring import Event, LogWriter
from auditring.backends.batch import Batch
from auditring.backends.log import LogBackend
from auditring.backends.truncate import Truncate
from auditring.config import open_auditor
from auditring.config.assembly import make_backends, make_redactor, open_log
from auditring.event import Level, ObjectReference


def backend_of(folder: Path, **members: object) -> Any:  # noqa: ANN401
    config = load(enabled(folder, **members))
    with LogWriter(folder / "other.log") as writer:
        (backend,) = make_backends(config, writer)
        backend.close()
    return backend


def test_a_log_is_written_directly_unless_anything_else_is_said(tmp_path: Path) -> None:
    backend = backend_of(tmp_path)

    assert isinstance(backend, LogBackend)
    assert backend.write_line is not None
    assert backend.lose(Event(), None)


def test_a_strict_log_has_requests_refused(tmp_path: Path) -> None:
    backend = backend_of(tmp_path, mode="blocking-strict")

    assert not backend.lose(Event(), None)


def test_batches_are_inside_of_truncation(tmp_path: Path) -> None:
    backend = backend_of(
        tmp_path,
        mode="batch",
        batch={"maxWait": "1s", "throttleEnable": True, "throttleQPS": 3}
        | {"throttleBurst": 2, "bufferSize": 9, "maxSize": 8},
        truncate={"enabled": True, "maxEventSize": "1Ki", "maxBatchSize": "2Ki"},
    )

    assert isinstance(backend, Truncate)
    batch = backend._delegate
    assert isinstance(batch, Batch)
    settings = batch._settings
    assert (settings.qps, settings.burst, settings.max_wait_s) == (3.0, 2, 1.0)
    assert (settings.buffer_events, settings.max_events) == (9, 8)
    assert not settings.is_concurrent
    assert backend._limits.max_event_bytes == 1024


@pytest.mark.parametrize(
    ("form", "start"), [("json", b'{"kind":'), ("bare", b'{"level":'), ("legacy", b"2")]
)
def test_lines_have_the_form_that_is_asked_for(
    tmp_path: Path, form: str, start: bytes
) -> None:
    auditor = open_auditor(enabled(tmp_path, form=form), environ={})
    with auditor.begin(request_of()):
        pass

    auditor.close()

    line = (tmp_path / "audit.log").read_bytes()
    assert line.startswith(start)


def test_every_option_reaches_the_log(tmp_path: Path) -> None:
    config = load(
        enabled(
            tmp_path,
            maxSize="64Ki",
            maxBackups=3,
            maxAge="36h",
            maxTotalSize=9,
            compress="zstd",
            compressLevel=5,
            durability="interval",
            syncInterval="250ms",
            ringSize="128Ki",
            stateDir=str(tmp_path / "rings"),
            fileMode="0640",
            keepForFollowers=False,
            wipeOnDrain=True,
        )
    )

    writer = open_log(config)

    assert writer is not None
    with writer:
        assert writer._settings() == writer._settings() | {
            "max_bytes": 65536,
            "max_backups": 3,
            "max_age_s": 36 * 3600,
            "max_total_bytes": 9 * 1024**2,
            "compress": 2,
            "compress_level": 5,
            "mode": 0o640,
            "keep_for_followers": 0,
            "wipe_on_drain": 1,
            "sync_interval_ns": 250_000_000,
        }
        assert writer.stats().ring_capacity >= 128 * 1024
        assert any((tmp_path / "rings").iterdir())
    assert (tmp_path / "audit.log").stat().st_mode & 0o777 == 0o640


SECRET = Event(
    level=Level.REQUEST,
    object_ref=ObjectReference(resource="secrets", api_version="v1"),
    request_object=b'{"kind":"Secret","data":{"a":"aHVudGVyMg=="}}',
)


@pytest.mark.parametrize(
    ("masks", "is_masked"),
    [
        (None, True),
        (False, False),
        ("off", False),
        (True, True),
        ({"enabled": True}, True),
        ({"envValues": False}, True),
        ({"enabled": False, "envValues": False}, False),
        ({"builtIn": False}, False),
    ],
)
def test_secrets_are_masked_unless_somebody_says_no(
    tmp_path: Path, masks: object, is_masked: bool
) -> None:
    redactor = make_redactor(load(enabled(tmp_path, masks=masks)))

    event = SECRET if redactor is None else redactor.redact(SECRET)

    assert event.request_object is not None
    assert (b"aHVudGVyMg==" not in event.request_object) is is_masked


def test_a_disabled_configuration_has_no_log(tmp_path: Path) -> None:
    config = load(enabled(tmp_path, enabled=False))

    assert open_log(config) is None
    assert make_backends(config, None) == ()
