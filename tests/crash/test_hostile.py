"""Rubbish in shared memory crashes nobody, hangs nobody and gets into no file."""

import hostile
import pytest


@pytest.mark.parametrize("seed", [1, 2])
def test_rubbish_in_the_shared_files_harms_nobody(seed: int) -> None:
    result = hostile.trial(1.5, seed)

    assert not any(result["endings"]), result
    assert result["odd"] == []
