"""Whose state directory is used: each row of the table in csrc/trust.h.

Who may be there: somebody who plants a directory or a link before the log is opened, in
a sticky directory and in one that isn't; the owner of the log's directory; a group that
shares it; root, and an ordinary user, as the one that opens the log.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

SERVICE, STRANGER, GROUP = 65534, 65533, 65530
LIMIT_S = 60

PROGRAM = """\
import os, sys, errno
import auditring.ring.distrust
from auditring import LogWriter
uid, groups, options = int(sys.argv[2]), eval(sys.argv[3]), eval(sys.argv[4])
if uid:
    os.setgroups(groups)
    os.setgid(uid)
    os.setuid(uid)
try:
    with LogWriter(sys.argv[1], **options) as writer:
        writer.write(b"line")
except PermissionError as error:
    print(error)
else:
    print("used")
"""


def open_log(
    log: Path, uid: int, *, groups: tuple[int, ...] = (), **options: object
) -> str:
    """Open a log as a user; return what came of it."""
    arguments = [str(log), str(uid), repr(list(groups)), repr(options)]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def folder() -> Iterator[Path]:
    """A directory of root that all may enter: those of `tmp_path` are one user's."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        os.chmod(name, 0o755)
        yield Path(name)


def plant(folder: Path, uid: int, mode: int = 0o700, gid: int = -1) -> Path:
    state = folder / ".app.log.ring"
    state.mkdir()
    os.chown(state, uid, gid)
    state.chmod(mode)
    return folder / "app.log"


@needs_root
@pytest.mark.parametrize("opener", [0, SERVICE])
@pytest.mark.parametrize("mode", [0o1777, 0o777])
def test_a_planted_state_directory_is_refused_with_what_to_do(
    folder: Path, mode: int, opener: int
) -> None:
    folder.chmod(mode)
    log = plant(folder, STRANGER)
    said = open_log(log, opener)
    assert f"{folder}/.app.log.ring belongs to" in said
    assert f"uid {STRANGER}" in said
    assert "remove it" in said
    assert not log.exists()


@needs_root
@pytest.mark.parametrize("opener", [0, SERVICE])
def test_a_state_directory_that_all_may_write_to_is_refused(
    folder: Path, opener: int
) -> None:
    folder.chmod(0o777)
    log = plant(folder, opener, 0o777)
    assert "writable by all: chmod o-w or +t it" in open_log(log, opener)


@needs_root
@pytest.mark.parametrize("opener", [0, SERVICE])
def test_a_link_in_the_place_of_the_state_directory_is_refused(
    folder: Path, opener: int
) -> None:
    folder.chmod(0o777)
    (folder / "elsewhere").mkdir()
    (folder / ".app.log.ring").symlink_to("elsewhere")
    assert "is a symbolic link" in open_log(folder / "app.log", opener)


@needs_root
@pytest.mark.parametrize("name", ["lock", "ctl"])
@pytest.mark.parametrize("kind", ["link", "stranger's"])
def test_a_file_of_a_stranger_in_the_state_directory_is_refused(
    folder: Path, name: str, kind: str
) -> None:
    log = plant(folder, 0)
    file = folder / ".app.log.ring" / name
    if kind == "link":
        file.symlink_to("/dev/null")
    else:
        file.touch()
        os.chown(file, STRANGER, STRANGER)
    assert "is another user's or a link" in open_log(log, 0)


@needs_root
def test_a_directory_for_rings_of_a_stranger_is_refused(folder: Path) -> None:
    rings = folder / "rings"
    rings.mkdir()
    os.chown(rings, STRANGER, STRANGER)
    said = open_log(folder / "app.log", 0, state_dir=str(rings))
    assert "directory of the rings" in said


@needs_root
@pytest.mark.parametrize("opener", [0, SERVICE])
def test_the_owner_of_the_log_s_directory_is_trusted(folder: Path, opener: int) -> None:
    os.chown(folder, SERVICE, SERVICE)
    assert open_log(plant(folder, SERVICE), opener) == "used"


@needs_root
@pytest.mark.parametrize("opener", [0, STRANGER])
@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.parametrize(
    ("mode", "uid", "is_used"),
    [
        (0o777, 0, False),
        (0o755, 65532, False),
        (0o1777, 0, True),
        (0o775, 0, True),
        (0o755, SERVICE, True),
    ],
    ids=["all's", "another's", "sticky", "a group's", "the service's"],
)
def test_an_owner_is_trusted_where_nobody_else_could_be_in_its_place(
    folder: Path, opener: int, depth: int, mode: int, uid: int, *, is_used: bool
) -> None:
    top = folder / "top"
    where = top.joinpath(*["between"] * (depth - 1), "service")
    where.mkdir(parents=True)
    for directory in (where, *where.parents[: depth - 1]):
        os.chown(directory, SERVICE, GROUP)
    where.chmod(0o2775)
    os.chown(top, uid, GROUP)
    top.chmod(mode)
    log = plant(where, SERVICE, 0o2770, GROUP)
    said = open_log(log, opener, groups=(GROUP,))
    assert (said == "used") is is_used, said
    if not is_used:
        assert f"{top} " in said
        assert open_log(log, opener, groups=(GROUP,), group=GROUP) == "used"
    if opener == 0:  # what it made is the owner's
        assert open_log(log, SERVICE) == "used"


@needs_root
def test_root_is_trusted_and_one_s_own(folder: Path) -> None:
    folder.chmod(0o777)
    assert open_log(plant(folder, SERVICE), SERVICE) == "used"


@needs_root
@pytest.mark.parametrize("opener", [0, SERVICE])
def test_a_group_that_may_replace_the_log_is_trusted(folder: Path, opener: int) -> None:
    os.chown(folder, 0, GROUP)
    folder.chmod(0o2775)
    log = plant(folder, STRANGER, 0o2770, GROUP)
    assert open_log(log, opener, groups=(GROUP,)) == "used"
    folder.chmod(0o3777)
    assert "belongs to" in open_log(log, opener, groups=(GROUP,))


@needs_root
@pytest.mark.parametrize(
    ("mode", "state_mode", "ring_mode"),
    [(0o644, 0o2700, 0o600), (0o664, 0o2770, 0o660), (0o666, 0o1777, 0o666)],
)
def test_who_may_write_the_log_may_have_a_ring(
    folder: Path, mode: int, state_mode: int, ring_mode: int
) -> None:
    os.chown(folder, SERVICE, GROUP)
    folder.chmod(0o2775)
    log = folder / "app.log"
    log.touch()
    os.chown(log, SERVICE, GROUP)
    log.chmod(mode)
    assert open_log(log, SERVICE, groups=(GROUP,)) == "used"
    state = folder / ".app.log.ring"
    assert state.stat().st_mode & 0o7777 == state_mode
    for name in ("ctl", "lock"):
        assert (state / name).stat().st_mode & 0o7777 == ring_mode
    if mode != 0o644:
        groups = (GROUP,) if mode == 0o664 else ()
        assert open_log(log, STRANGER, groups=groups) == "used"
        assert log.read_text() == "line\nline\n"
