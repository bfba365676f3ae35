"""Options that the standard library's handlers don't have."""

import grp
import os
import pwd
import stat
from pathlib import Path
from typing import Any

import pytest

from auditring.handlers import RotatingFileHandler
from auditring.handlers.options import FileRights, HandlerOptions, read_options
from auditring.log.options import OPTIONS

ME = pwd.getpwuid(os.getuid()).pw_name
MY_GROUP = grp.getgrgid(os.getgid()).gr_name
# What a handler has that was asked for nothing.
BOUNDED = {"block_timeout": 5.0, "on_timeout": "drop"}


def test_options_of_the_writer_are_passed_on() -> None:
    given = {"compress": "zstd", "durability": "sync", "on_full": "drop"}

    writer = read_options("X", given).writer

    assert writer == {**BOUNDED, **given}


def test_a_bound_can_be_taken_away() -> None:
    given = {"block_timeout": None, "on_timeout": "raise"}

    assert read_options("X", given).writer == given


def test_every_option_of_the_writer_is_one_of_a_handler() -> None:
    # What a handler decides itself.
    own = {"max_bytes", "max_backups", "dialect", "mode", "adopt_settings"}
    names = set(OPTIONS)

    assert names - own <= set(HandlerOptions.__annotations__)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"use_gzip": True}, {"compress": "gzip"}),
        ({"use_gzip": False}, {}),
        ({"use_gzip": True, "compress": "gzip"}, {"compress": "gzip"}),
        ({"use_gzip": False, "compress": "lz4"}, {"compress": "lz4"}),
        ({"lock_file_directory": "/locks"}, {"state_dir": "/locks"}),
        ({"keep_file_open": False, "debug": True}, {}),
    ],
)
def test_names_of_concurrent_log_handler_are_understood(
    given: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert read_options("X", given).writer == {**BOUNDED, **expected}


def test_checking_makes_no_directory(tmp_path: Path) -> None:
    read_options("X", {"state_dir": tmp_path / "rings"})

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("given", "error", "text"),
    [
        ({"compres": "gzip"}, TypeError, r"Name\(\) got .* argument 'compres'"),
        ({"compress": "bzip2"}, ValueError, "compress: .* got 'bzip2'"),
        ({"durability": "most"}, ValueError, "durability: .* got 'most'"),
        ({"on_full": "wait"}, ValueError, "on_full: .* got 'wait'"),
        ({"ring_bytes": 1}, ValueError, "ring_bytes: .* got 1"),
        ({"use_gzip": 1}, TypeError, "use_gzip: .* got 1"),
        ({"use_gzip": True, "compress": "lz4"}, ValueError, "use_gzip: .*'lz4'"),
        (
            {"lock_file_directory": "/a", "state_dir": "/b"},
            ValueError,
            "lock_file_directory: '/a', but state_dir='/b'",
        ),
        ({"owner": "me"}, TypeError, "owner: .* got 'me'"),
        ({"owner": ("no such user", "x")}, ValueError, "owner: .* 'no such user'"),
        ({"owner": (0, "no such group")}, ValueError, "owner: .* 'no such group'"),
        ({"owner": (0, 1.5)}, TypeError, "owner: .* got 1.5"),
        ({"chmod": "0600"}, TypeError, "chmod: .* got '0600'"),
        ({"chmod": 0o10000}, ValueError, "chmod: .* got 4096"),
        ({"umask": -1}, ValueError, "umask: .* got -1"),
        ({"newline": "x"}, ValueError, "newline: .* got 'x'"),
        ({"terminator": b"\n"}, TypeError, "terminator: .* got b"),
        ({"unicode_error_policy": 1}, TypeError, "unicode_error_policy: .* got 1"),
    ],
)
def test_a_wrong_option_is_refused_by_name(
    given: dict[str, Any], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        read_options("Name", given)


def test_owners_have_names_or_numbers() -> None:
    by_name = read_options("X", {"owner": (ME, MY_GROUP)}).rights
    by_number = read_options("X", {"owner": [os.getuid(), os.getgid()]}).rights

    assert by_name == by_number == FileRights(os.getuid(), os.getgid())


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"chmod": 0o640}, 0o640),
        ({"umask": 0o007}, 0o660),
        ({"umask": 0o007, "chmod": 0o604}, 0o604),
    ],
)
def test_a_file_is_made_with_the_rights_asked_for(
    tmp_path: Path, options: dict[str, Any], expected: int
) -> None:
    handler = RotatingFileHandler(tmp_path / "app.log", **options)
    handler.close()

    assert stat.S_IMODE((tmp_path / "app.log").stat().st_mode) == expected


def test_a_file_that_is_there_keeps_its_rights(tmp_path: Path) -> None:
    (tmp_path / "app.log").touch(0o600)

    RotatingFileHandler(tmp_path / "app.log", chmod=0o644).close()

    assert stat.S_IMODE((tmp_path / "app.log").stat().st_mode) == 0o600
