"""Every mistake of a corpus is told in one line: file, line, key and value.

The files and what is to be said of them are in tests/data/config_mistakes.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from auditring.config import ConfigError, load_config

FOLDER = Path(__file__).parents[1] / "data" / "config_mistakes"
LINES = (FOLDER / "expected.jsonl").read_text().splitlines()
EXPECTED = [json.loads(line) for line in LINES]


def test_the_corpus_is_whole() -> None:
    files = {path.name for path in FOLDER.iterdir()}
    needed = {"expected.jsonl", "good-policy.yaml", "short.key"}

    assert files - needed == {each["file"] for each in EXPECTED}
    assert len(EXPECTED) >= 60


@pytest.mark.parametrize("expected", EXPECTED, ids=lambda each: each["file"])
def test_a_mistake_is_told_in_one_line(
    expected: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(FOLDER)

    with pytest.raises(ConfigError) as raised:
        load_config(expected["file"], environ={}, is_check=True)

    assert str(raised.value) == expected["told"]
    (problem,) = raised.value.problems
    assert (problem.place, problem.line, problem.key) == (
        expected["file"],
        expected["line"],
        expected["key"],
    )
    assert expected["value"] in problem.message
    key = f" {expected['key']}:" if expected["key"] else ""
    assert expected["told"].startswith(f"{expected['file']}:{expected['line']}:{key}")


def test_the_command_tells_the_same() -> None:
    told = [each["told"] for each in EXPECTED[:3]]

    for each, line in zip(EXPECTED[:3], told, strict=True):
        command = [sys.executable, "-m", "auditring", "config", "check", each["file"]]
        done = subprocess.run(
            command, cwd=FOLDER, capture_output=True, text=True, timeout=60, env={}
        )
        assert (done.returncode, done.stdout, done.stderr) == (1, f"{line}\n", "")
