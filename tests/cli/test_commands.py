"""Every command ends in one line and the right status, whatever goes wrong.

One table: a wrong path, one that is no file, no permission, a full disk, a closed pipe,
Ctrl-C, a wrong value, help. Who else may be there: a full disk behind standard output,
a reader that ended, a person at a terminal.
"""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

AUDITRING = (sys.executable, "-m", "auditring")
POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
rules:
- level: Metadata
"""
EVENT = (
    '{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"a",'
    '"stage":"ResponseComplete","requestURI":"/x","verb":"get","user":{"username":"u"},'
    '"requestReceivedTimestamp":"2026-01-02T03:04:05.000001Z",'
    '"stageTimestamp":"2026-01-02T03:04:05.000900Z"}\n'
)
# Each command with a file that it reads or writes, which FILE stands for.
COMMANDS = {
    "write": ["write", "FILE"],
    "recover": ["recover", "FILE"],
    "sidecar": ["sidecar", "--stop-at-end", "--from-start", "FILE"],
    "tail": ["tail", "FILE"],
    "config check": ["config", "check", "FILE"],
    "config show": ["config", "show", "FILE"],
    "policy check": ["policy", "check", "FILE"],
    "policy eval": ["policy", "eval", "FILE", "GET /x"],
    "policy explain": ["policy", "explain", "FILE", "GET /x"],
    "policy simulate": ["policy", "simulate", "FILE", "log.jsonl"],
    "policy simulate a log": ["policy", "simulate", "policy.yaml", "FILE"],
    "bench": ["bench", "FILE"],
    "bench by a policy": ["bench", "--policy", "FILE"],
}
READERS = {name: words for name, words in COMMANDS.items() if name != "write"}
GOOD = {
    "sidecar": ["sidecar", "--stop-at-end", "--from-start", "log.jsonl"],
    "tail": ["tail", "log.jsonl"],
    "config check": ["config", "check", "--no-env", "config.yaml"],
    "config show": ["config", "show", "--no-env", "config.yaml"],
    "config schema": ["config", "schema"],
    "config reference": ["config", "reference"],
    "policy check": ["policy", "check", "policy.yaml"],
    "policy simulate": ["policy", "simulate", "policy.yaml", "log.jsonl"],
    "policy preset": ["policy", "preset", "1"],
    "recover": ["recover", "log.jsonl"],
    "version": ["--version"],
    "help": ["--help"],
}
GROUPS = [[], ["config"], ["policy"]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "policy.yaml").write_text(POLICY)
    (tmp_path / "config.yaml").write_text("audit: {enabled: false}\n")
    (tmp_path / "log.jsonl").write_text(EVENT)
    (tmp_path / "directory").mkdir()
    (tmp_path / "file").write_text("x")
    return tmp_path


# Root may open everything, unless these rights of it are taken away.
_RIGHTS = "-dac_override,-dac_read_search"
WITHOUT_RIGHTS: tuple[str, ...] = ()
if os.geteuid() == 0:
    WITHOUT_RIGHTS = ("setpriv", f"--inh-caps={_RIGHTS}", f"--bounding-set={_RIGHTS}")


def run(
    folder: Path,
    words: list[str],
    stdout: int = subprocess.PIPE,
    before: tuple[str, ...] = (),
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*before, *AUDITRING, *words],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
    )


def with_file(words: list[str], file: str) -> list[str]:
    return [file if word == "FILE" else word for word in words]


def assert_told(done: "subprocess.CompletedProcess[str]", *words: str) -> None:
    """Check that the last line says it, without a traceback."""
    assert "Traceback" not in done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert all(word in last for word in words), done.stderr


@pytest.mark.parametrize("words", READERS.values(), ids=READERS)
def test_a_path_that_is_not_there_fails_and_is_named(
    folder: Path, words: list[str]
) -> None:
    done = run(folder, with_file(words, "nowhere/x.log"))

    assert done.returncode == 2
    assert_told(done, "nowhere/x.log")
    assert not (folder / "nowhere").exists()


@pytest.mark.parametrize(
    "words",
    [words for name, words in COMMANDS.items() if name != "bench"],
    ids=[name for name in COMMANDS if name != "bench"],
)
def test_a_directory_in_place_of_a_file_fails_and_is_named(
    folder: Path, words: list[str]
) -> None:
    done = run(folder, with_file(words, "directory"))

    assert done.returncode == 2
    assert_told(done, "directory")


def test_a_log_below_a_file_fails_and_is_named(folder: Path) -> None:
    done = run(folder, ["write", "file/x.log"])

    assert done.returncode == 2
    assert_told(done, "file/x.log", os.strerror(errno.ENOTDIR))


@pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS)
def test_a_file_without_permission_fails_and_is_named(
    folder: Path, words: list[str]
) -> None:
    (folder / "closed").mkdir(mode=0)

    done = run(folder, with_file(words, "closed/x.log"), before=WITHOUT_RIGHTS)

    assert done.returncode == 2
    assert_told(done, "closed")


@pytest.mark.parametrize("words", GOOD.values(), ids=GOOD)
def test_a_full_disk_behind_standard_output_is_told_as_such(
    folder: Path, words: list[str]
) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        done = run(folder, words, full)
    finally:
        os.close(full)

    assert done.returncode == 2
    assert_told(done, "standard output", os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("words", GOOD.values(), ids=GOOD)
def test_a_closed_pipe_ends_a_command_without_a_traceback(
    folder: Path, words: list[str]
) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    try:
        done = run(folder, words, write_end)
    finally:
        os.close(write_end)

    assert done.returncode == 1
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["write", "--max-size", "5Q", "x"], "5Q"),
        (["write", "--ring-size", "1K", "x"], "at least 64K"),
        (["write", "--on-full", "wait", "x"], "wait"),
        (["write", "--mode", "9", "x"], "octal"),
        (["sidecar", "--max-line", "much", "x"], "much"),
        (["bench", "--ring-size", "2T"], "at most 1G"),
        (["demo", "--size", "-1"], "-1"),
        (["config", "check", "--form", "xml", "config.yaml"], "--form"),
        (["policy", "check", "--format", "xml", "policy.yaml"], "xml"),
        (["tail", "--lines", "many", "log.jsonl"], "--lines"),
        (["nothing"], "nothing"),
    ],
)
def test_a_wrong_value_is_named(folder: Path, words: list[str], told: str) -> None:
    done = run(folder, words)

    assert done.returncode == 2
    assert_told(done, told)


def test_sizes_have_units(folder: Path) -> None:
    done = run(folder, ["write", "--max-size", "512K", "--ring-size", "1.5M", "a.log"])

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["write", "a.log"], 130),
        (["sidecar", "log.jsonl"], 0),
        (["policy", "eval", "policy.yaml", "-"], 130),
        (["policy", "simulate", "policy.yaml", "-"], 130),
        (["config", "check", "-"], 130),
        (["bench", "--seconds", "60"], 130),
    ],
)
def test_ctrl_c_ends_a_command_without_a_traceback(
    folder: Path, words: list[str], status: int
) -> None:
    with subprocess.Popen(
        [*AUDITRING, *words],
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        _await_waiting(process.pid)
        process.send_signal(signal.SIGINT)
        if words[0] == "write":  # which reads on to the end of its input
            status = 0
            assert process.stdin is not None
            process.stdin.close()
            process.stdin = None
        _, told = process.communicate(timeout=60)

    assert process.returncode == status
    assert "Traceback" not in told


def _await_waiting(pid: int) -> None:
    """Wait until a command has begun and waits, or works, with its own handlers."""
    import time

    limit = time.monotonic() + 60
    before = -1
    while time.monotonic() < limit:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks = int(fields[11]) + int(fields[12])
        handled = _handles_sigint(pid)
        if handled and (fields[0] == "S" and ticks == before):
            return
        if handled and ticks > 200:  # works on: bench
            return
        before = ticks
        time.sleep(0.2)
    raise AssertionError("it never got so far")


def _handles_sigint(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("SigCgt")]
    return bool(int(line.split()[1], 16) >> (signal.SIGINT - 1) & 1)


@pytest.mark.parametrize("group", GROUPS, ids=["auditring", "config", "policy"])
def test_every_command_has_help_that_begins_with_its_usage(
    folder: Path, group: list[str]
) -> None:
    listed = run(folder, [*group, "--help"]).stdout.partition("Commands:\n")[2]
    names = [line.split()[0] for line in listed.splitlines() if line[2:3].strip()]

    assert len(names) >= 4
    for name in names:
        done = run(folder, [*group, name, "--help"])
        assert done.returncode == 0
        usage = " ".join(["Usage: auditring", *group, name, ""])
        assert done.stdout.startswith(usage)
