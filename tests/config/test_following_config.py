"""An auditor looks after its configuration: files, links, signals, forks."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from configs import wait_until
from configsite import TEXT, Site, level_of
from kernelthreads import threads_called

from auditring.config import ConfiguredAuditor, open_auditor
from auditring.event import Level


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.fixture
def auditor(site: Site) -> Iterator[ConfiguredAuditor]:
    with_log = site.open()
    yield with_log
    with_log.close()


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


def test_the_policy_of_flags_is_noticed(tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    text = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: {}\n"
    policy.write_text(text.format("Metadata"))
    flags = [f"--audit-policy-file={policy}", f"--audit-log-path={tmp_path}/audit.log"]
    auditor = open_auditor(environ={}, flags=flags, watch=0.01)

    policy.write_text(text.format("Request"))

    wait_until(lambda: level_of(auditor) is Level.REQUEST)
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

    assert threads_called("auditring-conf") == []
    assert auditor.reloads.applied == 0


@pytest.mark.parametrize("interval", [0, -1.0])
def test_an_interval_that_is_none_is_refused(
    auditor: ConfiguredAuditor, interval: float
) -> None:
    with pytest.raises(ValueError, match=f"interval_s: .* got {interval!r}"):
        auditor.watch(interval)


def test_a_program_may_go_to_another_directory(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    auditor = open_auditor("audit.yaml", environ={}, watch=0.01)
    monkeypatch.chdir("/")

    site.write(level=4)

    wait_until(lambda: level_of(auditor) is Level.REQUEST_RESPONSE)
    auditor.close()


def test_what_is_missing_is_tried_again_when_it_is_there(site: Site) -> None:
    auditor = site.open(watch=0.01)
    site.file.unlink()
    wait_until(lambda: auditor.last_error is not None)

    site.write(level=4)

    wait_until(lambda: level_of(auditor) is Level.REQUEST_RESPONSE)
    auditor.close()


def test_parent_and_child_follow_the_configuration_behind_a_fork(site: Site) -> None:
    program = Path(__file__).parents[1] / "support" / "fork_with_watch.py"
    # A fork with threads would be warned of, from Python 3.12 on.
    command = [sys.executable, "-W", "error", str(program), str(site.file)]

    done = subprocess.run(command, timeout=60, capture_output=True, text=True)

    assert (done.returncode, done.stderr) == (0, "")
