"""However a process ends, the next opening finds what it was acknowledged.

After an end that Python has a say in, it is in the log at once.
"""

import signal
from pathlib import Path

import pytest
from ledger import Ledger
from oracle import judge, read_log
from scene import started_scene

from auditring import LogWriter

ROUNDS = 5
SLOW_WAYS = {"fall_asleep", "become_another"}
WAYS = {
    "leave": 0,
    "leave_at_once": 0,
    "fail": 1,
    "terminate": -signal.SIGTERM,
    "abort": -signal.SIGABRT,
    "crash": -signal.SIGSEGV,
    "fall_asleep": -signal.SIGALRM,
    "become_another": 0,
}
# The limit of the flush at the end is 5 s; with a disk that takes the lines it takes a
# fraction of that, however long threads go on to write.
END_LIMIT_S = 20


def let_end(way: str, path: Path, ledger: Ledger) -> None:
    with started_scene("ends.py", way, path, ledger.path) as process:
        out, err = process.communicate(timeout=END_LIMIT_S)
    assert process.returncode == WAYS[way], out + err
    assert not err or "on purpose" in err, err


@pytest.mark.parametrize("way", WAYS)
def test_an_end_loses_nothing(tmp_path: Path, way: str) -> None:
    for number in range(1 if way in SLOW_WAYS else ROUNDS):
        path = tmp_path / f"{number}.log"
        ledger = Ledger(tmp_path / f"{number}.ledger")
        let_end(way, path, ledger)

        LogWriter(path).close()

        reading = read_log(path)
        finding = judge(reading, dict(ledger))
        assert finding.is_good, finding
        assert reading.gap_reasons() <= {"abandoned-reservation"}
        assert reading.lines >= 500


@pytest.mark.parametrize("way", ["leave", "fail"])
def test_an_orderly_end_leaves_nothing_in_the_ring(tmp_path: Path, way: str) -> None:
    path = tmp_path / "audit.log"
    ledger = Ledger(tmp_path / "ledger")

    let_end(way, path, ledger)

    finding = judge(read_log(path), dict(ledger))
    assert finding.is_good, finding
    assert list(tmp_path.glob(".audit.log.ring/ring.*")) == []
