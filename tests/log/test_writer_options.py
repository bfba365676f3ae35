"""A wrong option is refused by name and value; a right one is what the log does."""

import inspect
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from auditring import LogWriter

WRONG: list[tuple[str, object, type[Exception]]] = [
    ("path", "", ValueError),
    ("path", None, TypeError),
    ("path", 5, TypeError),
    ("path", b"audit.log", TypeError),
    ("max_bytes", -1, ValueError),
    ("max_bytes", 1.5, TypeError),
    ("max_bytes", True, TypeError),
    ("max_bytes", None, TypeError),
    ("max_bytes", 2**63, ValueError),
    ("max_backups", -1, ValueError),
    ("max_backups", "3", TypeError),
    ("max_age", -1, ValueError),
    ("max_age", timedelta(-1), ValueError),
    ("max_age", float("nan"), ValueError),
    ("max_age", "1 day", TypeError),
    ("max_total_bytes", -1, ValueError),
    ("max_total_bytes", 1e9, TypeError),
    ("compress", "bzip2", ValueError),
    ("compress", True, ValueError),
    ("compress_level", 100, ValueError),
    ("compress_level", "fast", TypeError),
    ("ring_bytes", 64 * 1024 - 1, ValueError),
    ("ring_bytes", 1024**3 + 1, ValueError),
    ("ring_bytes", None, TypeError),
    ("on_full", "wait", ValueError),
    ("on_full", None, ValueError),
    ("block_timeout", -0.1, ValueError),
    ("block_timeout", float("nan"), ValueError),
    ("block_timeout", "1", TypeError),
    ("on_timeout", "block", ValueError),
    ("durability", "fsync", ValueError),
    ("sync_interval", -1, ValueError),
    ("sync_interval", None, TypeError),
    ("state_dir", 5, TypeError),
    ("dialect", "logrotate", ValueError),
    ("mode", 0o10000, ValueError),
    ("mode", -1, ValueError),
    ("mode", "0600", TypeError),
    ("group", "no such group", ValueError),
    ("group", -1, ValueError),
    ("group", 2**32, ValueError),
    ("group", 1.0, TypeError),
    ("on_error", "log it", TypeError),
    ("space_warn_bytes", -1, ValueError),
    ("space_warn_bytes", 0.5, TypeError),
    ("space_critical_bytes", -1, ValueError),
    ("space_critical_bytes", "1G", TypeError),
    ("keep_for_followers", "yes", TypeError),
    ("wipe_on_drain", "yes", TypeError),
    ("adopt_settings", None, TypeError),
    ("allow_network_fs", 1, TypeError),
]
# What makes a wrong value of an option the only thing that is wrong.
COMPANIONS: dict[str, dict[str, object]] = {"compress_level": {"compress": "gzip"}}


@pytest.mark.parametrize(
    ("name", "value", "error"),
    WRONG,
    ids=[f"{name}={value!r}" for name, value, _ in WRONG],
)
def test_a_wrong_option_is_refused_by_name_and_value(
    tmp_path: Path, name: str, value: object, error: type[Exception]
) -> None:
    options: dict[str, Any] = {"path": tmp_path / "audit.log", name: value}

    with pytest.raises(error) as raised:
        LogWriter(**options, **COMPANIONS.get(name, {}))

    text = str(raised.value)
    assert text.startswith(f"{name}: ")
    assert repr(value) in text or name == "mode"
    assert os.listdir(tmp_path) == []


def test_every_option_is_among_the_wrong_ones() -> None:
    options = set(inspect.signature(LogWriter).parameters)

    assert {name for name, _, _ in WRONG} == options


def test_every_option_but_the_path_is_keyword_only(tmp_path: Path) -> None:
    parameters = list(inspect.signature(LogWriter).parameters.values())[1:]

    assert {one.kind for one in parameters} == {inspect.Parameter.KEYWORD_ONLY}


def test_a_path_is_required() -> None:
    with pytest.raises(TypeError, match="path"):
        LogWriter()  # type: ignore[call-arg]


def test_a_compress_level_without_a_compression_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="compress_level: 3 without"):
        LogWriter(tmp_path / "audit.log", compress_level=3)


@pytest.mark.parametrize("durability", ["interval", "sync"])
def test_standard_output_is_refused_a_durability_that_it_can_not_have(
    durability: Any,  # noqa: ANN401 - one of the literals
) -> None:
    with pytest.raises(ValueError, match=f"durability: .*'process'.*'{durability}'"):
        LogWriter("-", durability=durability)


def test_the_defaults_are_those_of_the_contract() -> None:
    parameters = inspect.signature(LogWriter).parameters

    assert {name: parameter.default for name, parameter in parameters.items()} == {
        "path": inspect.Parameter.empty,
        "max_bytes": 100 * 1024**2,
        "max_backups": 0,
        "max_age": None,
        "max_total_bytes": None,
        "compress": None,
        "compress_level": None,
        "ring_bytes": 8 * 1024**2,
        "on_full": "block",
        "block_timeout": None,
        "on_timeout": "raise",
        "durability": "process",
        "sync_interval": 1.0,
        "state_dir": None,
        "dialect": "lumberjack",
        "mode": 0o600,
        "group": None,
        "on_error": None,
        "space_warn_bytes": None,
        "space_critical_bytes": None,
        "keep_for_followers": True,
        "wipe_on_drain": False,
        "adopt_settings": False,
        "allow_network_fs": False,
    }


def test_ring_bytes_are_rounded_up_to_a_power_of_two(tmp_path: Path) -> None:
    with LogWriter(tmp_path / "audit.log", ring_bytes=100_000) as log:
        assert log.stats().ring_capacity == 2**17
        assert log.record_limit == 2**16 - 64


def test_wipe_on_drain_leaves_nothing_of_a_record_in_the_ring(tmp_path: Path) -> None:
    secret = b"a secret that nobody is to find\n"
    path = tmp_path / "audit.log"
    found = {}
    for wipes in (False, True):
        with LogWriter(path, wipe_on_drain=wipes, ring_bytes=64 * 1024) as log:
            log.write(secret)
            log.flush()
            (ring,) = (tmp_path / ".audit.log.ring").glob("ring.*")
            found[wipes] = secret in ring.read_bytes()

    assert found == {False: True, True: False}
