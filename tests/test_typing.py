"""A program that is checked strictly sees our types, and its mistakes."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mypy", reason="needs mypy")

PROGRAM = """\
from datetime import timedelta
from pathlib import Path
from typing import assert_type

from auditring import (
    Attributes, ClosedError, Level, LogWriter, Policy, PolicyError, RingFullError, Stats
)

def report(error: Exception) -> None: ...

with LogWriter(
    Path("audit.log"),
    max_age=timedelta(days=1),
    compress="zstd",
    on_full="drop",
    group="adm",
    on_error=report,
) as log:
    assert_type(log, LogWriter)
    assert_type(log.write(b"one"), bool)
    assert_type(log.write(memoryview(b"two")), bool)
    assert_type(log.write_lines(bytearray(b"three")), int)
    assert_type(log.write_json({"verb": "get"}), bool)
    assert_type(log.flush(timeout=1.5), bool)
    assert_type(log.sync(), bool)
    assert_type(log.closed, bool)
    assert_type(log.record_limit, int)
    assert_type(log.stats(), Stats)
    assert_type(log.stats().dropped_records, int)
    assert_type(log.stats().health, str)

try:
    log.write(b"late")
except (ClosedError, RingFullError):
    pass

try:
    policy = Policy.from_yaml(b"rules: []", dialect="loft", strict=True)
    assert_type(policy, Policy)
    assert_type(Policy.preset(1), Policy)
    assert_type(policy.evaluate(Attributes.from_request("GET", "/")).level, Level)
except PolicyError as error:
    assert_type(error.errors, list[tuple[str, str, str]])
    assert_type(error.problems[0].line, int | None)

log.write("text")  # error: arg-type
log.write(data=b"")  # error: call-arg
log.stats().syncs = 1  # error: misc
log.closed = True  # error: misc
LogWriter("audit.log", 1000)  # error: call-arg
LogWriter("audit.log", compress="bzip2")  # error: arg-type
LogWriter("audit.log", on_full="wait")  # error: arg-type
LogWriter("audit.log", max_size=1)  # error: call-arg
LogWriter(b"audit.log")  # error: arg-type
LogWriter()  # error: call-arg
Policy.from_yaml({})  # error: arg-type
Policy.from_yaml("", dialect="moon")  # error: arg-type
policy.evaluate("GET")  # error: arg-type
"""


def test_a_checker_accepts_right_uses_and_finds_wrong_ones(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)

    mypy = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", tmp_path / "cache"]
    done = subprocess.run(
        [*mypy, "program.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
    )

    lines = enumerate(PROGRAM.splitlines(), start=1)
    wrong = {(number, line.partition("# error: ")[2]) for number, line in lines}
    found = re.findall(r"^program\.py:(\d+): error: .*\[(.*)\]$", done.stdout, re.M)
    assert {(int(number), code) for number, code in found} == {
        (number, code) for number, code in wrong if code
    }, done.stdout + done.stderr
