"""CPython's own tests of its file handlers pass with ours."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

SUITE = Path(__file__).parents[1] / "support" / "stdlib_suite.py"

# At least so many tests ran when this was written (3.11.7); a class that lost its tests
# would pass by having none.
CLASSES = {
    "FileHandlerTest": 2,
    "HandlerTest": 5,
    "RotatingFileHandlerTest": 6,
    "TimedRotatingFileHandlerTest": 12,
}


def has_suite() -> bool:
    try:
        return importlib.util.find_spec("test.test_logging") is not None
    except ModuleNotFoundError:
        return False


@pytest.mark.skipif(
    not has_suite(), reason="this interpreter comes without its test package"
)
@pytest.mark.parametrize("name", CLASSES)
def test_every_test_of_the_class_passes(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "dev", SUITE, name],
        capture_output=True,
        text=True,
        timeout=100,
    )
    outcomes = dict(line.split("\t") for line in done.stdout.splitlines())

    assert len(outcomes) >= CLASSES[name], done.stderr
    failed = [test for test, outcome in outcomes.items() if outcome == "failed"]
    assert failed == [], done.stderr
