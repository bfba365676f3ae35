"""A pass of the mill: what goes wrong is told, and it may be dropped at any step."""

import contextlib
import errno
import os
import random
import resource
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from millwork import (
    LIMIT_S,
    LINES,
    MIB,
    NEWEST,
    SUFFIX,
    assert_one_whole_copy,
    backup_name,
    every_format,
    files_in,
    in_child,
    mill_of,
    open_files,
    run,
    unpacked,
)

from auditring.backups.mill import Mill, MillSettings
from auditring.files.formats import Compression


def test_a_refused_write_leaves_the_backup_and_the_next_one_is_compressed(
    tmp_path: Path,
) -> None:
    large = random.Random(3).randbytes(200_000)
    (tmp_path / backup_name(0)).write_bytes(large)
    (tmp_path / backup_name(1)).write_bytes(LINES[:5000])
    seen: list[Exception] = []
    chosen = MillSettings(compress="gzip")

    def work() -> None:
        # Beyond this, write(2) fails with EFBIG as it fails with ENOSPC elsewhere.
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        mill = Mill(tmp_path / "audit.log", lambda: chosen, on_error=seen.append)
        run(mill)
        assert mill.counters.errors == 1
        assert backup_name(0) in mill.counters.last_error
        (error,) = seen
        assert isinstance(error, OSError)
        assert error.errno == errno.EFBIG

    assert in_child(work) == 0
    assert files_in(tmp_path) == [backup_name(1) + ".gz", backup_name(0)]
    assert (tmp_path / backup_name(0)).read_bytes() == large

    run(mill_of(tmp_path, compress="gzip"))

    assert files_in(tmp_path) == [backup_name(1) + ".gz", backup_name(0) + ".gz"]
    assert unpacked(tmp_path / (backup_name(0) + ".gz")) == large


@contextlib.contextmanager
def small_file_system(directory: Path, size_bytes: int) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("needs root to mount a tmpfs")
    mounted = directory / "small"
    mounted.mkdir()
    options = f"size={size_bytes}"
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(mounted)]
    if subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("needs root to mount a tmpfs")
    try:
        yield mounted
    finally:
        subprocess.run(["umount", str(mounted)], check=True)


@every_format
def test_a_full_disk_costs_no_backup(tmp_path: Path, compress: Compression) -> None:
    noise = random.Random(1).randbytes(600_000)
    with small_file_system(tmp_path, MIB) as full:
        (full / NEWEST).write_bytes(noise)
        mill = mill_of(full, compress=compress)

        run(mill)

        assert mill.counters.errors == 1
        assert "No space left" in mill.counters.last_error
        assert files_in(full) == [NEWEST]
        assert (full / NEWEST).read_bytes() == noise


def test_what_on_error_raises_is_counted(tmp_path: Path) -> None:
    (tmp_path / NEWEST).write_bytes(LINES)
    (tmp_path / (NEWEST + ".gz")).mkdir()

    def fail(error: Exception) -> None:
        raise KeyError("no thank you")

    chosen = MillSettings(compress="gzip")
    mill = Mill(tmp_path / "audit.log", lambda: chosen, on_error=fail)

    run(mill)

    assert mill.counters.errors == 2
    assert mill.counters.last_error == "KeyError: 'no thank you'"


def test_a_directory_that_has_gone_is_reported(tmp_path: Path) -> None:
    mill = mill_of(tmp_path / "nowhere", compress="gzip")

    mill.resolve()
    run(mill)

    assert mill.counters.errors == 2


@every_format
def test_a_pass_that_is_dropped_leaves_no_trace(
    tmp_path: Path, compress: Compression
) -> None:
    (tmp_path / NEWEST).write_bytes(LINES * 80)
    mill = mill_of(tmp_path, compress=compress)
    files_before = open_files()

    steps = sum(1 for _ in mill.run())
    (tmp_path / NEWEST).write_bytes(LINES * 80)
    (tmp_path / (NEWEST + SUFFIX[compress])).unlink()
    for step in range(1, steps):
        work = mill.run()
        for _ in range(step):
            next(work)
        assert len(files_in(tmp_path)) == 2
        work.close()

        assert files_in(tmp_path) == [NEWEST]
    assert open_files() == files_before
    assert mill.counters.errors == 0


@every_format
def test_another_thread_can_go_on_at_any_step(
    tmp_path: Path, compress: Compression
) -> None:
    (tmp_path / NEWEST).write_bytes(LINES * 80)
    work = mill_of(tmp_path, compress=compress).run()
    ends: list[bool] = []

    while not ends:
        thread = threading.Thread(
            target=lambda: next(work, None) is None and ends.extend(is_over(work))
        )
        thread.start()
        thread.join(LIMIT_S)

    assert_one_whole_copy(tmp_path, LINES * 80)


def is_over(work: object) -> list[bool]:
    return [True] if getattr(work, "gi_frame", None) is None else []


def test_a_forked_child_leaves_the_half_made_file_to_its_parent(
    tmp_path: Path,
) -> None:
    (tmp_path / NEWEST).write_bytes(LINES * 80)
    work = mill_of(tmp_path, compress="zstd").run()
    next(work)
    half_made = files_in(tmp_path)

    def drop() -> None:
        files_before = open_files()
        work.close()
        assert open_files() == files_before - 2

    assert in_child(drop) == 0
    assert files_in(tmp_path) == half_made
    for _ in work:
        pass
    assert_one_whole_copy(tmp_path, LINES * 80)
