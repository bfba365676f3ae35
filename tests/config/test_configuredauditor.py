"""An auditor that follows its configuration: what changes, what stays, what is told."""

import json
import logging
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from configs import enabled
from configsite import TEXT, Site, level_of, request_of

from auditring import LogWriter, follow
from auditring.audit.auditor import Auditor
from auditring.backends.log import LogBackend
from auditring.config import ConfiguredAuditor, open_auditor
from auditring.event import Level
from auditring.metrics import exposition
from auditring.policy import Policy


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.fixture
def auditor(site: Site) -> Iterator[ConfiguredAuditor]:
    with_log = site.open()
    yield with_log
    with_log.close()


# Opening.


def test_a_mapping_makes_an_auditor_with_its_log(tmp_path: Path) -> None:
    given = enabled(tmp_path, level=3, maxSize="64Ki", maxBackups=2, compress="zstd")
    auditor = open_auditor(given, environ={})

    with auditor.begin(request_of()) as request:
        request.start_response(200)

    assert auditor.writer is not None
    assert auditor.writer._settings()["max_bytes"] == 65536
    auditor.close()
    (line,) = (tmp_path / "audit.log").read_bytes().splitlines()
    assert json.loads(line)["stage"] == "ResponseComplete"
    assert auditor.writer.closed


def test_a_disabled_configuration_opens_nothing(tmp_path: Path) -> None:
    auditor = open_auditor(enabled(tmp_path, enabled=False), environ={})

    with auditor.begin(request_of()):
        pass

    auditor.close()
    assert list(tmp_path.iterdir()) == []


def test_warnings_are_logged_when_it_is_opened(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    open_auditor(enabled(tmp_path, level=None), environ={}).close()

    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "NOTHING IS RECORDED" in record.getMessage()


def test_the_metrics_tell_of_the_log_and_of_reloads(
    auditor: ConfiguredAuditor, site: Site
) -> None:
    site.write(level=9)
    auditor.refresh()

    text = exposition(auditor.families())

    assert 'auditring_config_reloads_total{result="refused"} 1\n' in text
    assert "auditring_config_last_reload_successful 0\n" in text
    assert 'auditring_records_total{log="audit"}' in text


def test_secrets_are_masked_by_rules_of_the_configuration(tmp_path: Path) -> None:
    rules = [{"resources": ["configmaps"], "paths": ["$.data"]}]
    given = enabled(tmp_path, level=3, masks={"rules": rules})
    auditor = open_auditor(given, environ={})
    with auditor.begin(request_of("PUT")) as request:
        request.record_request_object(b'{"data":{"a":"cash"}}')
        request.start_response(200)

    auditor.close()

    event = json.loads((tmp_path / "audit.log").read_bytes())
    assert event["requestObject"] == {"data": {"a": "[redacted]"}}


# Changing.


def test_a_new_level_holds_for_requests_that_come_later(
    auditor: ConfiguredAuditor, site: Site
) -> None:
    early = auditor.begin(request_of())
    site.write(level=4)

    outcome = auditor.refresh()

    assert outcome == "applied"
    assert early.level is Level.METADATA
    assert level_of(auditor) is Level.REQUEST_RESPONSE


def test_a_file_that_says_the_same_changes_nothing(
    auditor: ConfiguredAuditor, site: Site
) -> None:
    site.write(more="  # with a comment\n")
    policy = auditor.policy

    assert auditor.refresh() == "unchanged"
    assert auditor.policy is policy
    assert auditor.reloads.unchanged == 1


def test_a_broken_file_keeps_what_was_there_and_says_so(
    auditor: ConfiguredAuditor, site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    site.write(level=9, more="  maxsize: 3\n")

    outcome = auditor.refresh()

    assert outcome == "refused"
    assert level_of(auditor) is Level.METADATA
    assert str(auditor.last_error).splitlines() == [
        f"{site.file}:4: audit.level: expected an integer from 1 to 4,"
        " got the number 9",
        f"{site.file}:5: audit.maxsize: no such key, got the number 3; did you"
        " mean maxSize?",
    ]
    assert caplog.records[-1].levelno == logging.ERROR
    assert "audit.level" in caplog.records[-1].getMessage()


def test_a_file_that_was_put_right_is_taken(
    auditor: ConfiguredAuditor, site: Site
) -> None:
    site.write(level=9)
    auditor.refresh()
    site.write(level=3)

    assert auditor.refresh() == "applied"
    assert auditor.last_error is None
    assert auditor.reloads.is_good


def test_the_same_mistake_is_logged_once(
    auditor: ConfiguredAuditor, site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    site.write(level=9)

    for _ in range(3):
        auditor.refresh()

    assert len(caplog.records) == 1
    assert auditor.reloads.refused == 3


@pytest.mark.parametrize("text", ["", "# nothing\n", "audit:\n", "{}"])
def test_an_empty_file_does_not_end_auditing(
    auditor: ConfiguredAuditor, site: Site, text: str
) -> None:
    site.replace(text)

    assert auditor.refresh() == "refused"
    assert level_of(auditor) is Level.METADATA


def test_a_file_that_is_gone_does_not_end_auditing(
    auditor: ConfiguredAuditor, site: Site
) -> None:
    site.file.unlink()

    assert auditor.refresh() == "refused"
    assert isinstance(auditor.last_error, FileNotFoundError)
    assert level_of(auditor) is Level.METADATA


def test_enabled_false_ends_auditing_and_true_begins_it_again(
    auditor: ConfiguredAuditor, site: Site
) -> None:
    site.replace(f"enabled: false\npath: {site.log}\n")
    auditor.refresh()
    off = level_of(auditor)
    site.write()
    auditor.refresh()

    assert (off, level_of(auditor)) == (Level.NONE, Level.METADATA)


def test_a_log_is_opened_when_auditing_is_turned_on(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.replace(f"enabled: false\npath: {site.log}\n")
    auditor = site.open()
    site.write()

    auditor.refresh()
    with auditor.begin(request_of()):
        pass

    auditor.close()
    assert len(site.log.read_bytes().splitlines()) == 1


def test_a_log_that_can_not_be_opened_leaves_all_as_it_is(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.replace("enabled: false\n")
    auditor = site.open()
    site.replace(TEXT.format(path=tmp_path, level=2))

    assert auditor.refresh() == "refused"
    assert isinstance(auditor.last_error, IsADirectoryError)
    assert auditor.config.settings.enabled is False
    auditor.close()


def test_keys_that_take_a_restart_are_told_and_the_others_change(
    auditor: ConfiguredAuditor, site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    text = TEXT.format(path=site.log.with_name("other.log"), level=4)
    site.replace(f"{text}  ringSize: 16\n")

    outcome = auditor.refresh()

    assert outcome == "applied"
    assert level_of(auditor) is Level.REQUEST_RESPONSE
    assert [str(each) for each in auditor.held_back] == [
        f"{site.file}:3: warning: audit.path: '{site.log.with_name('other.log')}' takes"
        f" a restart; until then it stays '{site.log}'",
        f"{site.file}:5: warning: audit.ringSize: 16 takes a restart; until then it"
        " stays 8",
    ]
    assert auditor.config.settings.path == str(site.log)
    told = [record.getMessage() for record in caplog.records]
    assert set(map(str, auditor.held_back)) <= set(told)


def test_rotation_changes_while_the_log_is_open(
    auditor: ConfiguredAuditor, site: Site
) -> None:
    writer = auditor.writer
    assert writer is not None
    site.write(more="  maxSize: 3\n  maxAge: 2\n  compress: lz4\n  onFull: drop\n")

    auditor.refresh()

    assert auditor.writer is writer
    settings = writer._settings()
    assert settings["max_bytes"] == 3 * 1024**2
    assert settings["max_age_s"] == 2 * 86400
    assert settings["compress"] == 3


def test_the_policy_file_is_followed_too(site: Site) -> None:
    policy = site.file.with_name("policy.yaml")
    head = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: "
    policy.write_text(f"{head}Metadata\n")
    site.replace(f"enabled: true\npath: {site.log}\npolicyFile: policy.yaml\n")
    auditor = site.open()
    before = level_of(auditor)
    policy.write_text(f"{head}Request\n")

    outcome = auditor.refresh()

    assert (outcome, before, level_of(auditor)) == (
        "applied",
        Level.METADATA,
        Level.REQUEST,
    )
    auditor.close()


def test_variables_win_after_a_reload_too(site: Site) -> None:
    auditor = open_auditor(site.file, environ={"AUDITRING_LEVEL": "3"})
    site.write(level=4)

    auditor.refresh()

    assert level_of(auditor) is Level.REQUEST
    auditor.close()


def test_a_backend_is_closed_when_its_last_request_is_over(
    auditor: ConfiguredAuditor, site: Site
) -> None:
    site.write(more="  mode: batch\n  batch: {maxSize: 100, maxWait: 1h}\n")
    auditor.refresh()
    early = auditor.begin(request_of())
    site.write()
    auditor.refresh()

    assert auditor.sweep() == 1
    early.start_response(200)
    early.complete()
    del early

    assert auditor.sweep() == 0
    assert auditor.writer is not None
    auditor.writer.flush()
    assert len(site.log.read_bytes().splitlines()) == 1


def test_what_a_backend_lost_is_counted_after_it_is_gone(
    auditor: ConfiguredAuditor, site: Site
) -> None:
    site.write(more="  truncate: {enabled: true, maxEventSize: 1}\n")
    auditor.refresh()
    with auditor.begin(request_of()):
        pass
    site.write()
    auditor.refresh()

    lost = auditor.counts().lost["truncate"]
    auditor.sweep()

    assert lost == auditor.counts().lost["truncate"] == 1


# What Auditor.replace promises by itself.


def test_events_of_a_request_go_where_it_began(
    auditor: ConfiguredAuditor, site: Site
) -> None:
    early = auditor.begin(request_of())
    auditor.replace(Policy.preset(4), ())
    late = auditor.begin(request_of())

    for request in (early, late):
        request.start_response(200)
        request.complete()

    auditor.flush()
    assert [json.loads(line)["level"] for line, _ in follow(site.log, wait=False)] == [
        "Metadata"
    ]


def test_a_request_whose_beginning_is_interrupted_goes_where_it_began(
    tmp_path: Path,
) -> None:
    def replace_all() -> int:
        auditor.replace(Policy.preset(4), ())
        return time.time_ns()

    path = tmp_path / "audit.log"
    with LogWriter(path) as log:
        auditor = Auditor(Policy.preset(2), LogBackend(log), clock_ns=replace_all)
        auditor.begin(request_of()).complete()

        assert auditor.backends == ()
        log.flush()
        assert len(path.read_bytes().splitlines()) == 1


def test_a_closed_auditor_is_not_loaded_again(site: Site) -> None:
    auditor = site.open()
    auditor.close()
    site.write(level=4, more="  maxSize: 7\n")

    assert auditor.refresh() == "unchanged"
