"""The files of a log: their names, what may stand there, and who may use them."""

import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bystander import wait_until

from auditring import LogWriter

only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root changes owners")


def open_log(directory: Path, **options: Any) -> LogWriter:  # noqa: ANN401 - passed on
    """Open a log with the smallest ring."""
    return LogWriter(directory / "audit.log", ring_bytes=64 * 1024, **options)


def content(directory: Path) -> bytes:
    """Return what the live file holds."""
    return (directory / "audit.log").read_bytes()


def run(program: str, *arguments: object) -> subprocess.CompletedProcess[bytes]:
    """Run a Python program in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        capture_output=True,
        timeout=30,
    )


# Names.


@pytest.mark.parametrize(
    "name", [".hidden", "audit", "two words.log", "журнал.log", "a.b.c", "-", "x" * 200]
)
def test_a_log_may_have_any_name(tmp_path: Path, name: str) -> None:
    with LogWriter(tmp_path / name) as log:
        log.write(b"one\n")
        log.rotate()
        log.write(b"two\n")

    assert (tmp_path / name).read_bytes() == b"two\n"
    (backup,) = {path.name for path in tmp_path.iterdir() if path.is_file()} - {name}
    assert (tmp_path / backup).read_bytes() == b"one\n"


def test_a_name_that_is_not_utf_8_is_kept(tmp_path: Path) -> None:
    name = os.fsdecode(b"\xff.log")
    with LogWriter(tmp_path / name) as log:
        log.write(b"one\n")

    assert (tmp_path / name).read_bytes() == b"one\n"


@pytest.mark.parametrize("name", ["x" * 201, "x" * 300])
def test_a_name_that_leaves_no_room_for_the_names_of_backups_is_refused(
    tmp_path: Path, name: str
) -> None:
    with pytest.raises(OSError, match="File name too long"):
        LogWriter(tmp_path / name)

    assert os.listdir(tmp_path) == []


def test_a_path_may_be_text_or_a_path_object(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    for spelling in (path, str(path)):
        with LogWriter(spelling) as log:
            assert log.path == path
            assert repr(log) == f"<LogWriter {str(path)!r}>"


def test_missing_directories_are_made(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "audit.log"
    with LogWriter(path) as log:
        log.write(b"one\n")

    assert path.read_bytes() == b"one\n"


def make_directory(path: Path) -> None:
    path.mkdir()


def make_fifo(path: Path) -> None:
    os.mkfifo(path)


def make_link_to_link(path: Path) -> None:
    path.with_name("second").symlink_to("target")
    path.symlink_to("second")


def make_link_to_directory(path: Path) -> None:
    path.with_name("target").mkdir()
    path.symlink_to("target")


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (make_directory, "Is a directory"),
        (make_fifo, "not a regular file"),
        (make_link_to_link, "a symbolic link to a symbolic link"),
        (make_link_to_directory, "Is a directory"),
    ],
)
def test_what_is_no_file_is_refused_and_nothing_made_beside_it(
    tmp_path: Path, make: Callable[[Path], None], text: str
) -> None:
    make(tmp_path / "audit.log")
    before = sorted(os.listdir(tmp_path))

    with pytest.raises(OSError, match=text):
        open_log(tmp_path)

    assert sorted(os.listdir(tmp_path)) == before


@pytest.mark.parametrize("end", ["/", "/.", "/.."])
def test_a_path_that_names_a_directory_is_refused(tmp_path: Path, end: str) -> None:
    with pytest.raises(IsADirectoryError):
        LogWriter(f"{tmp_path}{end}")


def test_a_device_is_refused() -> None:
    before = os.listdir("/dev")

    with pytest.raises(OSError, match="not a regular file"):
        LogWriter("/dev/null")

    assert os.listdir("/dev") == before


def test_a_file_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises((NotADirectoryError, FileExistsError)):
        LogWriter(tmp_path / "file" / "audit.log")


def test_a_log_that_is_a_link_is_the_log_that_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "audit.log").symlink_to("logs/real.log")
    with open_log(tmp_path) as log:
        log.write(b"one\n")
        log.rotate()
        log.write(b"two\n")

    assert (tmp_path / "logs" / "real.log").read_bytes() == b"two\n"
    assert (tmp_path / "audit.log").is_symlink()
    assert len(list((tmp_path / "logs").glob("real-*.log"))) == 1


@only_root
def test_a_link_of_another_user_is_refused(tmp_path: Path) -> None:
    (tmp_path / "audit.log").symlink_to("real.log")
    os.chown(tmp_path / "audit.log", 1, 1, follow_symlinks=False)

    with pytest.raises(PermissionError, match="link of another user"):
        open_log(tmp_path)


def test_a_live_file_that_is_replaced_by_a_fifo_does_not_hang_the_log(
    tmp_path: Path,
) -> None:
    with open_log(tmp_path) as log:
        log.write(b"one\n")
        log.flush()
        (tmp_path / "audit.log").unlink()
        os.mkfifo(tmp_path / "audit.log")
        log.write(b"two\n")
        wait_until(lambda: log.stats().health == "disk-error")

        (tmp_path / "audit.log").unlink()
        assert log.flush(timeout=30)

        assert log.stats().health == "ok"
        assert b"two\n" in content(tmp_path)


# Rights.


def rights_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_files_have_the_mode_that_was_asked_for_whatever_the_umask(
    tmp_path: Path, umask: int
) -> None:
    before = os.umask(umask)
    try:
        with open_log(tmp_path, mode=0o640, compress="gzip") as log:
            log.write(b"one\n")
            log.rotate()
            log.write(b"two\n")
            wait_until(lambda: log.stats().backups_compressed)
    finally:
        os.umask(before)

    (backup,) = tmp_path.glob("*.gz")
    assert rights_of(tmp_path / "audit.log") == 0o640
    assert rights_of(backup) == 0o640


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_nobody_else_may_look_into_a_log_or_its_rings_by_default(
    tmp_path: Path, umask: int
) -> None:
    before = os.umask(umask)
    try:
        with open_log(tmp_path):
            state = tmp_path / ".audit.log.ring"
            assert rights_of(tmp_path / "audit.log") == 0o600
            assert rights_of(state) == 0o700
            assert {rights_of(path) for path in state.iterdir()} == {0o600}
    finally:
        os.umask(before)


def test_a_live_file_that_was_there_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "audit.log").write_bytes(b"")
    (tmp_path / "audit.log").chmod(0o644)

    open_log(tmp_path, mode=0o600).close()

    assert rights_of(tmp_path / "audit.log") == 0o644


@only_root
@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_the_group_of_a_shared_log_may_use_all_of_it(
    tmp_path: Path, umask: int
) -> None:
    group = 12345
    before = os.umask(umask)
    try:
        with open_log(tmp_path, group=group) as log:
            log.write(b"one\n")
            log.rotate()
            state = tmp_path / ".audit.log.ring"
            assert stat.S_IMODE(state.stat().st_mode) == 0o2770
            for path in [*tmp_path.glob("*.log"), *state.iterdir()]:
                assert (path.stat().st_gid, rights_of(path)) == (group, 0o660)
    finally:
        os.umask(before)


@only_root
def test_members_of_the_group_share_a_log_across_users() -> None:
    group = 12345
    program = f"""\
import os, sys
from auditring import LogWriter
os.setgroups([{group}])
os.setgid({group})
os.setuid(int(sys.argv[2]))
with LogWriter(sys.argv[1], group={group}) as log:
    log.write(sys.argv[2].encode())
    log.rotate()
"""
    # Not tmp_path: only its owner gets there.
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        os.chown(directory, 0, group)
        directory.chmod(0o2770)

        for user in (54321, 54322):
            done = run(program, directory / "audit.log", user)
            assert (done.returncode, done.stderr) == (0, b"")

        backups = [path.read_bytes() for path in directory.glob("audit-*")]
    assert sorted(backups) == [b"54321\n", b"54322\n"]


# state_dir.


def test_state_dir_takes_the_rings_elsewhere(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere" / "rings"
    with open_log(tmp_path, state_dir=elsewhere) as log:
        log.write(b"one\n")

        assert [path.name[:5] for path in elsewhere.iterdir()] == ["ring."]
        assert not list((tmp_path / ".audit.log.ring").glob("ring.*"))
    assert content(tmp_path) == b"one\n"
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize(("first", "second"), [(None, "b"), ("a", None), ("a", "b")])
@pytest.mark.parametrize("is_open", [True, False])
def test_another_state_dir_than_the_log_was_founded_with_is_refused(
    tmp_path: Path, first: str | None, second: str | None, *, is_open: bool
) -> None:
    def state_dir(name: str | None) -> Path | None:
        return None if name is None else tmp_path / name

    log = open_log(tmp_path, state_dir=state_dir(first))
    if not is_open:
        log.close()

    with pytest.raises(OSError, match="state_dir"):
        open_log(tmp_path, state_dir=state_dir(second))

    log.close()
    open_log(tmp_path, state_dir=state_dir(first)).close()
