"""``auditring config ...``: what it prints, and how it ends."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

GOOD = "audit:\n  enabled: true\n  path: audit.log\n  level: 2\n  maxSize: 5\n"
BAD = "audit:\n  enabled: true\n  level: 7\n  pth: audit.log\n"
WARNED = GOOD + "  batch: {maxSize: 3}\n"
WARNING = (
    "warned.yaml:6: warning: audit.batch.maxSize: 3 is of no effect in mode blocking"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the configurations above."""
    for name, text in {"good": GOOD, "bad": BAD, "warned": WARNED}.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    return tmp_path


def run(
    folder: Path, *arguments: str, data: str = "", **environ: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "auditring", "config", *arguments],
        cwd=folder,
        input=data,
        capture_output=True,
        text=True,
        timeout=60,
        env={"PATH": os.environ["PATH"], **environ},
    )


GOOD_SUM = (
    "events by 5 rules (level 2), to audit.log, rotated at 5 MiB,"
    " kept: every backup, secrets masked\n"
)


def test_check_says_what_a_good_configuration_comes_to(folder: Path) -> None:
    done = run(folder, "check", "good.yaml")

    assert (done.returncode, done.stdout, done.stderr) == (0, GOOD_SUM, "")
    assert not (folder / "audit.log").exists()


def test_check_tells_every_error_with_file_and_line(folder: Path) -> None:
    done = run(folder, "check", "bad.yaml")

    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "bad.yaml:2: audit.path: is needed, as enabled is true; - is standard output,"
        " and preset: loft (/var/log/loft/audit.log) or loft-strict"
        " (/var/log/loft/audit.log) or vcluster-platform (/var/lib/loft/audit.log)",
        "bad.yaml:3: audit.level: expected an integer from 1 to 4, got the number 7",
        "bad.yaml:4: audit.pth: no such key, got the string 'audit.log'; did you mean"
        " path?",
    ]


def test_check_marks_warnings_and_lets_them_pass(folder: Path) -> None:
    done = run(folder, "check", "warned.yaml")

    assert (done.returncode, done.stdout) == (0, f"{WARNING}\n{GOOD_SUM}")


def test_check_prints_json(folder: Path) -> None:
    done = run(folder, "check", "--format", "json", "bad.yaml")

    _, second, _ = json.loads(done.stdout)
    assert done.returncode == 1
    assert second == {
        "file": "bad.yaml",
        "line": 3,
        "severity": "error",
        "key": "audit.level",
        "message": "expected an integer from 1 to 4, got the number 7",
    }


def test_check_reads_standard_input(folder: Path) -> None:
    done = run(folder, "check", "-", data=BAD)

    assert done.returncode == 1
    assert done.stdout.startswith("-:2: audit.path: ")


def test_check_looks_at_variables_unless_told_not_to(folder: Path) -> None:
    wrong = {"AUDITRING_LEVEL": "8"}

    done = run(folder, "check", "good.yaml", **wrong)
    alone = run(folder, "check", "--no-env", "good.yaml", **wrong)

    told = "AUDITRING_LEVEL: level: expected an integer from 1 to 4, got the number 8\n"
    assert (done.returncode, done.stdout) == (1, told)
    assert (alone.returncode, alone.stdout) == (0, GOOD_SUM)


def test_check_takes_flags_with_a_file_and_without(folder: Path) -> None:
    wrong = "--audit-log-maxage=old"

    for arguments in (["good.yaml", wrong], ["--audit-log-path", "a.log", wrong]):
        done = run(folder, "check", *arguments)

        assert done.returncode == 1
        assert done.stdout.splitlines()[0] == (
            "--audit-log-maxage: maxAge: expected an integer, got 'old'"
        )


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "nowhere.yaml"],
        ["check", "."],
        ["check", "good.yaml", "bad.yaml"],
        ["check", "--loud"],
        ["check"],
        ["show", "nowhere.yaml"],
    ],
)
def test_wrong_usage_ends_with_status_2(folder: Path, arguments: list[str]) -> None:
    done = run(folder, *arguments)

    assert done.returncode == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert done.stderr


def test_show_prints_what_holds_and_where_it_comes_from(folder: Path) -> None:
    flags = ["--audit-log-maxbackup=3"]

    done = run(folder, "show", "good.yaml", *flags, AUDITRING_MAX_AGE="7")

    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert done.returncode == 0
    assert "path: audit.log # good.yaml:3" in lines
    assert "maxAge: 7 # AUDITRING_MAX_AGE" in lines
    assert "maxBackups: 3 # --audit-log-maxbackup" in lines
    assert "maxSize: 5 # good.yaml:5" in lines
    assert "durability: process # default" in lines
    assert lines[-1] == "# 5 rules by level 2"


def test_show_prints_json(folder: Path) -> None:
    done = run(folder, "show", "--format", "json", "good.yaml")

    shown = json.loads(done.stdout)
    assert shown["settings"]["maxSize"] == {
        "value": 5,
        "source": "file",
        "place": "good.yaml",
        "line": 5,
    }
    assert shown["policy"]["kind"] == "Policy"
    assert shown["policyOrigin"] == "level 2"


def test_show_does_not_show_a_password(folder: Path) -> None:
    endpoint = "mysql://loft:hunter2@tcp(db:3306)/audit"

    done = run(folder, "show", "good.yaml", AUDITRING_DATA_STORE_ENDPOINT=endpoint)

    assert "mysql://***@tcp(db:3306)/audit" in done.stdout
    assert "hunter2" not in done.stdout + done.stderr


def test_show_refuses_what_can_not_be_used(folder: Path) -> None:
    done = run(folder, "show", "bad.yaml")

    assert (done.returncode, done.stdout) == (1, "")
    assert "bad.yaml:3: audit.level" in done.stderr
