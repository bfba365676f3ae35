"""Commands that take long say how far they are, on a terminal and nowhere else."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

# More than a moment's work for any machine.
LINES = 60_000
EVENT = (
    b'{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"a",'
    b'"stage":"ResponseComplete","requestURI":"/","verb":"get","user":{"username":"a"}}'
)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("progress") / "audit.log"
    path.write_bytes((EVENT + b"\n") * LINES)
    return path


def simulate(log: Path, stderr: int) -> subprocess.Popen[bytes]:
    policy = log.with_name("policy.yaml")
    policy.write_text(
        "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: None}]\n"
    )
    command = [sys.executable, "-m", "auditring", "policy", "simulate", policy, log]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr)


def read_terminal(terminal: int) -> bytes:
    said = b""
    while True:
        try:
            said += os.read(terminal, 65536)
        except OSError:  # nobody has its other side any more
            return said


def test_a_simulation_says_on_a_terminal_how_far_it_is(log: Path) -> None:
    terminal, other = pty.openpty()
    process = simulate(log, other)
    os.close(other)

    said = read_terminal(terminal)
    out, _ = process.communicate(timeout=60)

    os.close(terminal)
    assert process.returncode == 0
    assert f"lines of {log}".encode() in said
    # What was shown last is gone.
    assert said.endswith(b"\r")
    assert not said.split(b"\r")[-2].strip()
    assert b"lines of" not in out


def test_a_simulation_says_nothing_of_it_elsewhere(log: Path) -> None:
    process = simulate(log, subprocess.PIPE)

    _, said = process.communicate(timeout=60)

    assert (process.returncode, said) == (0, b"")
