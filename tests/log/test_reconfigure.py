"""Options of a log that change while it is open."""

import threading
from pathlib import Path

import pytest
from bystander import Bystander
from configs import wait_until

from auditring import ClosedError, LogWriter, RingFullError, follow


def lines_of(path: Path) -> list[bytes]:
    """Return all lines of a log, the oldest first."""
    return [line.removesuffix(b"\n") for line, _ in follow(path, wait=False)]


def test_a_smaller_size_rotates_an_open_log(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    with LogWriter(path, max_bytes=0) as log:
        log.write(b"a" * 99)
        log.reconfigure(max_bytes=100)

        log.write(b"b" * 99)
        log.flush()

        assert log.stats().rotations == 1
        assert path.read_bytes() == b"b" * 99 + b"\n"


def test_options_that_are_not_named_stay(tmp_path: Path) -> None:
    with LogWriter(tmp_path / "audit.log", max_bytes=500, max_age=3) as log:
        before = log._settings()

        log.reconfigure(max_backups=7)

        assert log._settings() == {**before, "max_backups": 7}


def test_every_writer_of_the_log_has_the_new_options(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    with LogWriter(path) as log, LogWriter(path) as other:
        log.reconfigure(max_backups=5)

        assert other._settings()["max_backups"] == 5


def test_backups_are_compressed_once_that_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    with LogWriter(path, max_bytes=100) as log:
        log.write(b"a" * 99)
        log.reconfigure(compress="gzip")
        log.write(b"b" * 99)
        log.flush()

        wait_until(lambda: log.stats().backups_compressed == 1)


def test_a_full_ring_is_met_in_the_new_way(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    with Bystander(path) as leader:
        leader.stop()
        log = LogWriter(path, ring_bytes=64 * 1024)
        log.reconfigure(on_full="drop")

        written = [log.write(b"x" * 1000) for _ in range(100)]
        log.reconfigure(on_full="raise")
        with pytest.raises(RingFullError):
            log.write(b"x" * 1000)

    assert written[0]
    assert not written[-1]
    log.close()


def test_nothing_is_lost_while_options_change(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    log = LogWriter(path)
    is_over = threading.Event()
    written: list[list[bytes]] = [[], []]

    def work(mine: list[bytes], name: bytes) -> None:
        while not is_over.is_set():
            for _ in range(50):
                mine.append(b"%s %d" % (name, len(mine)))
                log.write(mine[-1])
            is_over.wait(0.001)  # else a busy machine writes millions of lines

    workers = [
        threading.Thread(target=work, args=(written[n], b"%d" % n)) for n in (0, 1)
    ]
    for worker in workers:
        worker.start()
    for number in range(100):
        log.reconfigure(max_bytes=20_000 + 100 * number, wipe_on_drain=number % 2 == 0)
    is_over.set()
    for worker in workers:
        worker.join()
    log.close()

    found = lines_of(path)
    assert sorted(found) == sorted(written[0] + written[1])
    for name, mine in zip((b"0 ", b"1 "), written, strict=True):
        assert [line for line in found if line.startswith(name)] == mine


@pytest.mark.parametrize(
    ("option", "value"),
    [("ring_bytes", 2**20), ("durability", "sync"), ("space_warn_bytes", 5)],
)
def test_what_stays_while_a_log_is_open_is_refused(
    tmp_path: Path, option: str, value: object
) -> None:
    with (
        LogWriter(tmp_path / "audit.log") as log,
        pytest.raises(ValueError, match=f"{option}: can't change, got {value!r}"),
    ):
        log.reconfigure(**{option: value})


def test_what_stays_may_be_named_as_it_is(tmp_path: Path) -> None:
    with LogWriter(tmp_path / "audit.log") as log:
        log.reconfigure(durability="process", max_backups=1)

        assert log._settings()["max_backups"] == 1


def test_a_wrong_option_changes_nothing(tmp_path: Path) -> None:
    with LogWriter(tmp_path / "audit.log") as log:
        before = log._settings()

        with pytest.raises(ValueError, match=r"max_backups: .* got -1"):
            log.reconfigure(max_bytes=1, max_backups=-1)
        with pytest.raises(TypeError, match="colour: no such option"):
            log.reconfigure(colour="red")

        assert log._settings() == before


def test_a_closed_log_can_not_be_changed(tmp_path: Path) -> None:
    log = LogWriter(tmp_path / "audit.log")
    log.close()

    with pytest.raises(ClosedError, match="reconfigure after"):
        log.reconfigure(max_backups=1)


def test_standard_output_takes_what_is_its_own() -> None:
    with LogWriter("-") as log:
        log.reconfigure(on_full="drop")
