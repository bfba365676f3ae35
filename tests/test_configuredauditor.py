"""An auditor that follows its configuration: what changes, what stays, what is told."""

import json
import logging
import os
import signal
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

import pytest
from configs import enabled, load, wait_until
from reload_storm import (
    BROKEN,
    MARKS,
    TEXTS,
    Begin,
    JudgedTwice,
    account_of,
    begin_once,
    storm,
)

from auditring import follow
from auditring.attributes import Attributes
from auditring.config import ConfiguredAuditor, open_auditor
from auditring.event import Level, UserInfo
from auditring.metrics import exposition
from auditring.policy import Policy

TEXT = """\
audit:
  enabled: true
  path: {path}
  level: {level}
"""


def request_of(method: str = "GET") -> Attributes:
    target = "/api/v1/namespaces/shop/configmaps/prices"
    return Attributes.from_request(method, target, user=UserInfo("alice"))


class Site:
    """A configuration file with its log."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "audit.yaml"
        self.log = folder / "audit.log"
        self.write()

    def write(self, level: object = 2, more: str = "") -> None:
        text = TEXT.format(path=self.log, level=level)
        self.replace(text + more)

    def replace(self, text: str) -> None:
        """Put a whole new file in the place of the one there."""
        new = self.file.with_suffix(".new")
        new.write_text(text)
        new.replace(self.file)

    def open(self, **options: float) -> ConfiguredAuditor:
        return open_auditor(self.file, environ={}, **options)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.fixture
def auditor(site: Site) -> Iterator[ConfiguredAuditor]:
    with_log = site.open()
    yield with_log
    with_log.close()


def level_of(auditor: ConfiguredAuditor, method: str = "GET") -> Level:
    return auditor.begin(request_of(method)).level


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
        f"{site.file}:5: audit.maxsize: no such key; did you mean maxSize?",
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


# Storms.


def run_storm(folder: Path, changes: int, begin: Begin) -> None:
    """Check that every request is of one configuration, while it changes often."""
    file, log = folder / "audit.yaml", folder / "audit.log"
    texts = {name: text.format(path=log) for name, text in TEXTS.items()}
    file.write_text(texts["all stages, no bodies"])
    auditor = open_auditor(file, environ={})
    outcomes: list[str] = []

    def change() -> None:
        for number, text in zip(range(changes), cycle(texts.values()), strict=False):
            file.write_text(text)
            outcomes.append(auditor.refresh())
            if number % 10 == 0:
                file.write_text(BROKEN.format(path=log))
                outcomes.append(auditor.refresh())

    made = storm(auditor, 3, change, begin)
    counts = auditor.counts()
    auditor.close()
    account = account_of(log, made)

    assert not account.mixed, f"{len(account.mixed)} are mixed: {account.mixed[:3]}"
    assert account.unknown == 0
    assert outcomes.count("refused") == -(-changes // 10)
    assert outcomes.count("applied") >= changes - 1
    assert set(account.by_configuration) == {*TEXTS}
    assert set(counts.lost.values()) <= {0}
    # Those that bear no marks are those that were never decided on.
    decided = sum(counts.requests.values())
    assert account.by_configuration["nothing"] == len(made) - decided
    expected = sum(
        len(marks) * account.by_configuration[name] for marks, name in MARKS.items()
    )
    assert sum(counts.events.values()) == expected


def test_no_request_is_lost_doubled_or_mixed_while_the_configuration_changes(
    tmp_path: Path,
) -> None:
    run_storm(tmp_path, 300, begin_once)


def test_the_storm_finds_requests_that_are_judged_twice(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="are mixed"):
        run_storm(tmp_path, 30, JudgedTwice)


# Watching.


def swap_link(folder: Path, text: str, name: str) -> None:
    """Give a ConfigMap's folder another content, as a kubelet does."""
    (folder / name).mkdir()
    (folder / name / "audit.yaml").write_text(text)
    (folder / "..new").symlink_to(name)
    os.replace(folder / "..new", folder / "..data")


def test_a_file_that_is_replaced_is_noticed(site: Site) -> None:
    auditor = site.open(watch=0.01)

    site.write(level=4)

    wait_until(lambda: level_of(auditor) is Level.REQUEST_RESPONSE)
    auditor.close()


def test_a_file_that_is_written_in_place_is_noticed(site: Site) -> None:
    auditor = site.open(watch=0.01)

    for level, wanted in ((3, Level.REQUEST), (4, Level.REQUEST_RESPONSE)):
        site.file.write_text(TEXT.format(path=site.log, level=level))
        wait_until(lambda wanted=wanted: level_of(auditor) is wanted)
    auditor.close()


def test_a_configmap_that_is_swapped_is_noticed(tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    folder = tmp_path / "mount"
    folder.mkdir()
    swap_link(folder, TEXT.format(path=log, level=2), "..2026_1")
    (folder / "audit.yaml").symlink_to("..data/audit.yaml")
    auditor = open_auditor(folder / "audit.yaml", environ={}, watch=0.01)

    swap_link(folder, TEXT.format(path=log, level=4), "..2026_2")

    wait_until(lambda: level_of(auditor) is Level.REQUEST_RESPONSE)
    auditor.close()


def test_a_broken_file_is_told_by_the_watch_and_taken_once_it_is_right(
    site: Site,
) -> None:
    auditor = site.open(watch=0.01)
    site.write(level=9)
    wait_until(lambda: auditor.last_error is not None)

    site.write(level=4)

    wait_until(lambda: level_of(auditor) is Level.REQUEST_RESPONSE)
    assert auditor.last_error is None
    auditor.close()


def test_a_change_between_opening_and_watching_is_noticed(site: Site) -> None:
    auditor = site.open()
    site.write(level=4)

    auditor.watch(0.01)

    wait_until(lambda: level_of(auditor) is Level.REQUEST_RESPONSE)
    auditor.close()


def test_a_signal_has_it_loaded_again(site: Site) -> None:
    called: list[int] = []
    before = signal.signal(signal.SIGHUP, lambda number, frame: called.append(number))
    try:
        auditor = site.open()
        auditor.reload_on(signal.SIGHUP)
        site.write(level=4)

        signal.raise_signal(signal.SIGHUP)

        wait_until(lambda: level_of(auditor) is Level.REQUEST_RESPONSE)
        auditor.close()
    finally:
        signal.signal(signal.SIGHUP, before)
    assert called == [signal.SIGHUP]


def test_watching_ends_with_the_auditor(site: Site) -> None:
    auditor = site.open(watch=0.01)

    auditor.close()
    site.write(level=4)

    assert auditor.refresh() == "applied"  # by hand only
    assert auditor._watch is not None
    assert auditor._watch._thread is None


@pytest.mark.parametrize("interval", [0, -1.0])
def test_an_interval_that_is_none_is_refused(
    auditor: ConfiguredAuditor, interval: float
) -> None:
    with pytest.raises(ValueError, match=f"interval_s: .* got {interval!r}"):
        auditor.watch(interval)


def test_a_forked_child_follows_the_configuration_too(site: Site) -> None:
    import subprocess
    import sys

    program = f"""\
import os, threading, time
from auditring.config import open_auditor
from auditring import Attributes, UserInfo, Level
auditor = open_auditor({str(site.file)!r}, environ={{}}, watch=0.01)
ask = Attributes.from_request("GET", "/api/v1/pods", user=UserInfo("alice"))
pid = os.fork()
if pid == 0:
    with open({str(site.file)!r}) as file:
        text = file.read()
    with open({str(site.file)!r}, "w") as file:
        file.write(text.replace("level: 2", "level: 4"))
    end = time.monotonic() + 20
    while auditor.begin(ask).level is not Level.REQUEST_RESPONSE:
        if time.monotonic() > end:
            os._exit(1)
        time.sleep(0.01)
    os._exit(0)
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""
    warned = ["-W", "ignore::DeprecationWarning"]

    done = subprocess.run([sys.executable, *warned, "-c", program], timeout=60)

    assert done.returncode == 0


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


def test_loading_a_config_twice_gives_the_same(tmp_path: Path) -> None:
    assert load(enabled(tmp_path)).settings == load(enabled(tmp_path)).settings
