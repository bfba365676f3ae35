"""Hostile bodies are counted in instructions, and what isn't linear fails."""

import shutil

import pytest
from bench_redaction import BUDGET, costs, fault_of


@pytest.mark.parametrize(
    ("half", "whole", "fault"),
    [
        (1_000, 2_000, ""),
        (1_000, 4_000, "grows faster than the size"),
        (BUDGET, BUDGET + 1, "takes too long"),
    ],
)
def test_growth_beyond_the_size_and_a_long_time_are_faults(
    half: int, whole: int, fault: str
) -> None:
    assert fault_of(half, whole) == fault


@pytest.mark.skipif(shutil.which("valgrind") is None, reason="needs valgrind")
def test_twice_the_percents_take_twice_the_instructions() -> None:
    names = ["body: a form of percents", "query: percents"]

    counted = costs(names)

    assert [*counted] == names
    assert [fault_of(*each) for each in counted.values()] == ["", ""]
