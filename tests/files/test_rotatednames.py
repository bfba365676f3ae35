"""Names that past files have, whoever rotates: our handlers or logrotate.

Who else may be there: other programs' files, editors' and packers' half-made ones, a
log whose name is the beginning of another's, dates that no calendar has.
"""

import logging
import re
import time
from pathlib import Path

import pytest

from auditring.files.rotated import read_name
from auditring.handlers import TimedRotatingFileHandler

SUFFIXES = ["", ".gz", ".zst", ".lz4", ".bz2", ".xz"]
# Of one log, app.log, each older than the one behind it.
ROWS = {
    "lumberjack": [
        "app-2026-11-22T01-02-03.004.log",
        "app-2026-11-22T01-02-03.005.log",
        "app-2026-11-22T01-02-04.000.log",
    ],
    "dated: days": ["app.log.2026-11-22", "app.log.2026-11-23"],
    "dated: hours": ["app.log.2026-11-22_03", "app.log.2026-11-22_04"],
    "dated: minutes": ["app.log.2026-11-22_03-04", "app.log.2026-11-22_03-05"],
    "dated: seconds": ["app.log.2026-11-22_03-04-05", "app.log.2026-11-22_03-04-06"],
    "dated: a second one": [
        "app.log.2026-11-22",
        "app.log.2026-11-22.1",
        "app.log.2026-11-22.10",
    ],
    "suffix: %Y-%m-%d.%H": ["app.log.2026-11-22.09", "app.log.2026-11-22.10"],
    "suffix: %Y.%m.%d.%H.%M": ["app.log.2026.11.22.09.59", "app.log.2026.11.22.10.00"],
    "suffix: %Y%m%d": ["app.log.20261122", "app.log.20261123"],
    "suffix: %Y-%m": ["app.log.2026-11", "app.log.2026-12"],
    "suffix: %Y%m": ["app.log.202611", "app.log.202612"],
    "suffix: %Y-%m-%d.log": ["app.log.2026-11-22.log", "app.log.2026-11-23.log"],
    "suffix: %s": ["app.log.1795305600", "app.log.1795305601"],
    "namer": ["app.2026-11-22.log", "app.2026-11-23.log"],
    "dateext": ["app.log-20261122", "app.log-20261123"],
    "dateformat: -%Y%m%d-%s": [
        "app.log-20261122-1795305600",
        "app.log-20261122-1795305601",
    ],
    "dateformat: -%Y%m%d%H": ["app.log-2026112203", "app.log-2026112204"],
    "dateformat: -%Y%m%d_%H%M%S": [
        "app.log-20261122_030405",
        "app.log-20261122_030406",
    ],
    "dateformat: -%s": ["app.log-1795305600", "app.log-1795305601"],
    "dateformat: .%Y-%m-%d": ["app.log.2026-11-22", "app.log.2026-11-23"],
    "extension .log": ["app-20261122.log", "app-20261123.log"],
    "numbered": ["app.log.100", "app.log.11", "app.log.2", "app.log.1"],
    "extension .log, numbered": ["app.11.log", "app.2.log"],
}


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("names", ROWS.values(), ids=ROWS)
def test_a_past_file_is_known_and_its_place_in_the_row(
    names: list[str], suffix: str
) -> None:
    read = [read_name(name + suffix, "app.log") for name in names]

    places = []
    for name, one in zip(names, read, strict=True):
        assert one is not None
        assert (one.plain, one.suffix) == (name, suffix)
        assert (one.index is None) is (one.time_ms is not None)
        places.append((-(one.index or 0), one.time_ms or 0, one.tie))
    assert places == sorted(set(places))
    assert len({one.scheme for one in read if one is not None}) == 1


def test_schemes_differ_by_more_than_digits() -> None:
    names = [row[0] for name, row in ROWS.items() if not name.startswith("dateformat:")]
    names.remove("app.log.2026-11-22")  # one of two
    names.remove("app.log.2026-11-22.09")  # as if it were the ninth of the day

    schemes = [one.scheme for name in names if (one := read_name(name, "app.log"))]

    assert len(set(schemes)) == len(names)


@pytest.mark.parametrize(
    "name",
    [
        "app.log.22-11-2026",
        "app.log-22112026",
        "app.log.Nov-22-2026",
        "app.log.2026-W47",
        "app.log.2026-326",
        "app.log.221126-0304",
    ],
)
def test_a_date_in_another_order_is_one_without_a_time(name: str) -> None:
    read = read_name(name, "app.log")

    assert read is not None
    assert (read.index, read.time_ms) == (None, None)


@pytest.mark.parametrize(
    "name",
    [
        "app.log",
        "app.log.gz",
        "app.log.gaps",
        "app.log.bak",
        "app.log.old",
        "app.log.1.bak",
        "app.log.1~",
        "app.log.1.swp",
        "app.log.1.gz.tmp",
        "app.log1",
        ".app.log.1.gz.tmp",
        ".app.log.swp",
        "app.log.0",
        "app.log.01",
        "app.log.1.2",
        "app.log.2026-13-22",
        "app.log.2026-02-30",
        "app.log-20261322",
        "app-old.log",
        "app.log.2026-11-22.part",
        "app.log.2026-11-22.gz.asc",
        "app.log-notes",
        "other.log.1",
        "other-20261122.log",
        "app2.log.1",
        "app-1.log",
        "xapp.log.1",
        "app.log.1.gz.gz",
        "app.log.2026-11-22_25",
        "app.log." + chr(0x0661),
        "app.log.",
    ],
)
def test_what_is_somebody_elses_is_nothing(name: str) -> None:
    assert read_name(name, "app.log") is None


@pytest.mark.parametrize(
    ("log", "name"),
    [
        ("audit", "audit-2026-11-22T01-02-03.004"),
        (".hidden", "-2026-11-22T01-02-03.004.hidden"),
        ("a.b.log", "a.b-2026-11-22T01-02-03.004.log"),
    ],
)
def test_names_of_our_writers_are_in_order_whatever_the_clocks_did(
    log: str, name: str
) -> None:
    read = read_name(name, log)

    assert read is not None
    assert read.is_exact


def test_a_long_name_is_read_at_once() -> None:
    started_s = time.process_time()

    for text in ("1" * 250, "1-" * 120, "Tue" * 80, "2026-11-22." * 20):
        read_name(f"app.log.{text}x", "app.log")

    assert time.process_time() - started_s < 0.5


@pytest.mark.parametrize(
    "when", ["S", "M", "H", "D", "MIDNIGHT", *(f"W{day}" for day in range(7))]
)
@pytest.mark.parametrize("utc", [False, True])
def test_every_name_that_the_timed_handler_gives_is_known(
    tmp_path: Path, when: str, utc: bool
) -> None:
    log = tmp_path / "app.log"
    handler = TimedRotatingFileHandler(log, when=when, utc=utc)
    try:
        handler.handle(logging.makeLogRecord({"msg": "one"}))
        name = f"app.log.{time.strftime(handler.suffix, time.gmtime(1795305600))}"
    finally:
        handler.close()

    read = read_name(name, "app.log")

    assert read is not None
    assert read.time_ms is not None
    assert re.fullmatch(r"[-d_.]+", read.scheme)
