"""Each adapter writes what it is told, every line of it, over several files."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from catalogue import NAMES, workload_named
from install_rivals import install, rivals_of
from jobs import run_job
from registry import CONTENDERS, contender_class, is_installed, side_of
from stand import Parameters, Stand

ROOT = Path(__file__).parent.parent.parent
WORKLOADS = {"text": "W1_text", "dict": "W3_events", "bytes": "W4_lines"}
COUNT = 600
MAX_BYTES = 200_000


def contenders() -> Iterator[Any]:
    for name in CONTENDERS:
        if side_of(name) != "limit":
            for form in sorted(contender_class(name).forms):
                yield pytest.param(name, WORKLOADS[form], id=f"{name}, {form}")


@pytest.mark.parametrize(("name", "workload"), [*contenders()])
def test_an_adapter_writes_every_line(tmp_path: Path, name: str, workload: str) -> None:
    if not is_installed(name):
        pytest.skip("this rival isn't installed")
    parameters = Parameters(fast_count=COUNT, slow_count=COUNT, max_bytes=MAX_BYTES)
    stand = Stand(tmp_path, parameters)
    stand.logs.mkdir()
    account = partial(workload_named(workload).account, stand, name)

    run = run_job(stand, workload, name, COUNT, account)

    assert (run.outcome, run.detail) == ("done", "")
    assert run.account is not None
    assert run.account.is_exact, run.account
    kind = contender_class(name)
    if kind.rotates and workload == "W4_lines":
        assert len(kind.files(stand.logs)) > 1


def test_every_rival_of_the_group_has_an_adapter() -> None:
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")

    distributions = {contender_class(name).distribution for name in CONTENDERS}

    assert set(rivals_of(pyproject)) == distributions - {None}


def test_a_rival_that_cannot_be_installed_has_a_reason(tmp_path: Path) -> None:
    reason = install(str(tmp_path / "nothing-here"), limit_s=60)

    assert "nothing-here" in reason


@pytest.mark.parametrize("name", NAMES)
def test_baselines_and_limits_take_part(name: str) -> None:
    workload = workload_named(name)

    assert workload.name == name
    assert set(workload.limits) <= set(workload.contenders())
    assert workload.baseline in {None, *workload.contenders()}
