"""Forks of every kind lose nothing, write nothing twice and don't hang."""

import subprocess
from pathlib import Path

import pytest
from ledger import Ledger
from oracle import judge, read_log
from pythons import find_python, install_for
from scene import run_scene

WARNING_SINCE = (3, 12)
SCENES = (
    "fork",
    "fork_before_the_first_write",
    "fork_and_die",
    "fork_in_a_thread",
    "fork_in_c",
    "fork_without_a_warning",
    "daemon",
    "subprocesses",
    "multiprocessing_fork",
    "multiprocessing_fork_after_closing",
    "multiprocessing_forkserver",
    "multiprocessing_spawn",
)


def check_log(folder: Path) -> None:
    """Check that the log is whole as the processes left it, without another opening."""
    acknowledged = dict(Ledger(folder / "ledger"))

    reading = read_log(folder / "audit.log")

    finding = judge(reading, acknowledged, unacknowledged_limit=0)
    assert finding.is_good, finding
    assert reading.gaps == []
    assert reading.lines > 0


@pytest.mark.parametrize("scene", SCENES)
def test_every_line_is_written_once_on_both_sides_of(
    tmp_path: Path, scene: str
) -> None:
    run_scene("forks.py", scene, tmp_path)

    check_log(tmp_path)


@pytest.fixture(scope="module")
def newer_python() -> str:
    """Return an interpreter that warns of forks with threads."""
    python = find_python(WARNING_SINCE)
    if python is None:
        pytest.skip("needs CPython 3.12 or newer, with venv; see AUDITRING_PYTHONS")
    try:
        return install_for(python)
    except subprocess.SubprocessError as error:
        output = getattr(error, "stderr", None) or str(error)
        pytest.skip(
            f"needs an index of packages to build for {python}: {output[-500:]}"
        )


@pytest.mark.timeout(600)  # the first of them waits for a build of the package
@pytest.mark.parametrize(
    "scene",
    ["fork_without_a_warning", "fork", "daemon", "multiprocessing_fork"],
)
def test_on_a_newer_python_every_line_is_written_once_and_nobody_warns_in(
    tmp_path: Path, newer_python: str, scene: str
) -> None:
    run_scene(
        "forks.py", scene, tmp_path, python=newer_python, environment={"PYTHONPATH": ""}
    )

    check_log(tmp_path)
