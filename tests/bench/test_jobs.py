"""A run shows what its contender did, whatever that is."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from catalogue import workload_named
from jobs import run_job
from rounds import Run
from stand import Parameters, Stand

FORMS = ["W1_text", "W3_events", "W4_lines"]
COUNT = 100


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Run]:
    """Run one of the cheats in a workload."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    (tmp_path / "logs").mkdir()

    def run_cheat(name: str, workload: str) -> Run:
        limit_s = 1 if name == "Hangs" else 60
        parameters = Parameters(fast_count=COUNT, slow_count=COUNT, run_limit_s=limit_s)
        stand = Stand(tmp_path, parameters)
        contender = f"cheats:{name}"
        account = partial(workload_named(workload).account, stand, contender)
        return run_job(stand, workload, contender, COUNT, account)

    return run_cheat


@pytest.mark.parametrize("workload", [*FORMS, "W2_text_4_threads"])
def test_a_run_that_wrote_every_line_is_exact(
    run: Callable[[str, str], Run], workload: str
) -> None:
    done = run("Honest", workload)

    assert (done.outcome, done.count, done.detail) == ("done", COUNT, "")
    assert done.seconds > 0
    assert done.account is not None
    assert done.account.is_exact


@pytest.mark.parametrize("workload", FORMS)
@pytest.mark.parametrize(
    ("cheat", "lost", "duplicated", "foreign"),
    [("Forgets", 1, 0, 0), ("Doubles", 0, 1, 0), ("Tears", 1, 0, 2)],
)
def test_a_cheat_is_found_out(
    run: Callable[[str, str], Run],
    workload: str,
    cheat: str,
    lost: int,
    duplicated: int,
    foreign: int,
) -> None:
    account = run(cheat, workload).account

    assert account is not None
    assert not account.is_exact
    found = (account.lost, account.duplicated, account.foreign)
    assert found == (lost, duplicated, foreign)


def test_a_hang_is_a_result(run: Callable[[str, str], Run]) -> None:
    hung = run("Hangs", "W4_lines")

    assert hung.outcome == "hung"
    assert "3 s were not enough" in hung.detail


def test_a_crash_is_a_result(run: Callable[[str, str], Run]) -> None:
    crashed = run("Dies", "W4_lines")

    assert (crashed.outcome, crashed.detail) == ("crashed", "SIGSEGV")
    assert crashed.account is not None
    assert crashed.account.lost >= COUNT - 6


@pytest.mark.parametrize("workload", ["W4_lines", "W2_text_4_threads"])
def test_an_exception_is_a_result_also_in_a_thread(
    run: Callable[[str, str], Run], workload: str
) -> None:
    failed = run("Raises", workload)

    assert failed.outcome == "failed"
    assert failed.detail == "ValueError: no seventh line"
