"""Whoever names a file may name anything: none is waited for, and none replaced.

Who may be there: a FIFO that nobody writes to, a socket, a device without an end, a
directory, a file larger than the memory; a pipe that a shell gave by the name of its
descriptor; a file that becomes a FIFO while a program watches it.
"""

import contextlib
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from auditring import Policy
from auditring.config import open_auditor
from auditring.config.loading import load_config
from auditring.config.watch import FileStates
from auditring.cursor import Cursor, CursorFile
from auditring.documents.namedfile import NAMED_FILE_MAX_BYTES, read_named
from auditring.errors import ConfigError
from auditring.handlers import AuditHandler

COMMAND = Path(sys.executable).parent / "auditring"
LIMIT_S = 60
POLICY = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Metadata\n"


def make_fifo(path: Path) -> None:
    os.mkfifo(path)


def make_socket(path: Path) -> None:
    with contextlib.chdir(path.parent), socket.socket(socket.AF_UNIX) as one:
        one.bind(path.name)


def make_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def make_link(path: Path) -> None:
    os.mkfifo(path.with_name("pipe"))
    path.symlink_to("pipe")


SPECIAL = {
    make_fifo: "it is a FIFO, not a regular file",
    make_socket: "it is a socket, not a regular file",
    make_device: "it is a device, not a regular file",
    make_link: "it is a FIFO, not a regular file",
    Path.mkdir: "Is a directory",
}


@pytest.fixture(params=SPECIAL, ids=lambda make: make.__name__)
def special(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Give something that is no regular file."""
    path = tmp_path / "special"
    request.param(path)
    return path


@pytest.fixture
def told(request: pytest.FixtureRequest) -> str:
    """Give what is said of it."""
    return SPECIAL[request.node.callspec.params["special"]]


def run(*arguments: str | Path, stdin: bytes = b"") -> tuple[int, str]:
    """Run a command to its end; return its status and what it said on both outputs."""
    done = subprocess.run(
        [COMMAND, *arguments],
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=LIMIT_S,
    )
    return done.returncode, done.stdout.decode()


def test_nothing_but_a_file_is_read(special: Path, told: str) -> None:
    with pytest.raises(OSError, match=told):
        read_named(special)


SWAPPING = """\
import os, sys
path, spare = sys.argv[1], sys.argv[1] + ".spare"
os.mkfifo(path + ".fifo")
os.link(path, path + ".file")
while True:
    for kind in (".fifo", ".file"):
        os.link(path + kind, spare)
        os.replace(spare, path)
"""


def test_what_becomes_a_fifo_before_it_is_opened_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "swapped"
    path.write_bytes(b"content")
    contents = set()

    with subprocess.Popen([sys.executable, "-c", SWAPPING, path]) as swapper:
        while not path.is_fifo():
            assert swapper.poll() is None
        for _ in range(20_000):
            with contextlib.suppress(OSError):
                contents.add(read_named(path))
        swapper.kill()

    assert contents == {b"content"}


@pytest.mark.parametrize("key", ["policyFile", "masks.keyFile"])
def test_a_configuration_names_nothing_but_files(
    key: str, special: Path, told: str, tmp_path: Path
) -> None:
    file = tmp_path / "audit.yaml"
    block, _, name = key.rpartition(".")
    named = f"{block}: {{{name}: special}}" if block else f"{name}: special"
    file.write_text(f"audit:\n  enabled: true\n  path: a.log\n  {named}\n")

    with pytest.raises(ConfigError) as caught:
        load_config(file, environ={})

    told = f"audit.yaml:4: audit.{key}: can't read '{special}': {told}"
    assert told in str(caught.value)
    assert run("config", "check", "--no-env", file)[0] == 1


def test_a_flag_names_nothing_but_files(special: Path, told: str) -> None:
    flag = f"--audit-policy-file={special}"

    with pytest.raises(ConfigError, match=re.escape(told)) as caught:
        load_config(environ={}, flags=["--audit-log-path=a.log", flag])

    assert "policyFile" in str(caught.value) or "--audit-policy-file" in str(
        caught.value
    )


def test_a_configuration_is_a_file(special: Path, told: str) -> None:
    with pytest.raises(OSError, match=told):
        open_auditor(special)

    status, said = run("config", "check", special)

    assert (status, said) == (2, f"auditring: {special}: {told}\n")


def test_a_policy_is_a_file(special: Path, told: str, tmp_path: Path) -> None:
    with pytest.raises(OSError, match=told):
        Policy.from_file(special)
    with pytest.raises(OSError, match=f"policy: {told}.*{special}"):
        AuditHandler(tmp_path / "a.log", policy=special)

    for command in ("policy check", "policy eval", "bench --seconds 1 --policy"):
        status, said = run(*command.split(), special)
        assert (status, said) == (2, f"auditring: {special}: {told}\n")


def test_a_cursor_is_a_file_and_replaces_nothing_else(
    special: Path, told: str, tmp_path: Path
) -> None:
    before = os.stat(special)

    status, said = run("sidecar", tmp_path / "a.log", "--cursor", special)

    assert status == 2
    assert f"{special}: {told}" in said or "is a directory" in said
    if not special.is_symlink():
        with pytest.raises(OSError, match=told):
            CursorFile(special).save(Cursor())
    assert os.path.samestat(os.stat(special), before)


@pytest.mark.parametrize("name", [".cursor.tmp", ".cursor.note"])
def test_what_is_beside_a_cursor_is_never_waited_for(name: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / name)
    file = CursorFile(tmp_path / "cursor")

    with contextlib.suppress(OSError):
        file.save(Cursor())
        file.note(Cursor())

    with contextlib.suppress(OSError):
        file.load()


def test_a_watched_file_that_becomes_special_counts_as_unreadable(
    special: Path,
) -> None:
    assert FileStates().look([special]) == (None,)


def test_a_file_that_is_too_large_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(NAMED_FILE_MAX_BYTES + 1)

    with pytest.raises(OSError, match=f"it has more than {NAMED_FILE_MAX_BYTES} bytes"):
        read_named(path)
    assert run("policy", "check", path)[0] == 2
    with path.open("rb") as file:
        file.seek(NAMED_FILE_MAX_BYTES - 10)
    os.truncate(path, NAMED_FILE_MAX_BYTES)
    assert len(read_named(path)) == NAMED_FILE_MAX_BYTES


@pytest.fixture
def pipe() -> Iterator[Callable[[bytes], str]]:
    """Give what makes the name of a descriptor from which bytes come."""
    with contextlib.ExitStack() as stack:

        def make(data: bytes) -> str:
            reading, writing = os.pipe()
            stack.callback(os.close, reading)
            os.write(writing, data)
            os.close(writing)
            return f"/dev/fd/{reading}"

        yield make


def test_the_name_of_a_descriptor_is_read_to_its_end(
    pipe: Callable[[bytes], str],
) -> None:
    policy = Policy.from_file(pipe(POLICY.encode()))

    assert len(policy.rule_set.rules) == 1
    with pytest.raises(OSError, match="FIFO"):
        read_named(pipe(b"in a configuration, say"))


@pytest.mark.parametrize("name", ["-", "/dev/stdin"])
def test_standard_input_has_two_names(name: str) -> None:
    status, said = run("policy", "check", name, stdin=POLICY.encode())

    assert (status, said.startswith(f"{name}: Kubernetes takes it")) == (0, True)


def test_a_closed_standard_input_is_told() -> None:
    done = subprocess.run(
        ["sh", "-c", '"$0" policy check - <&-', COMMAND],
        capture_output=True,
        timeout=LIMIT_S,
    )

    assert done.returncode == 2
    assert done.stderr == b"auditring: -: standard input is closed\n"
