"""The order in which things end with the process, whatever was opened first."""

import subprocess
import sys
from pathlib import Path

# A log that is opened after the batches which are for it.
LATE_LOG = """
import sys
from auditring import LogWriter
from auditring.backends.batch import Batch, BatchSettings

class Late:
    name = "late"
    log = None

    def process(self, events):
        for _ in events:
            self.log.write(b"event\\n")
        return True

    def losses(self):
        return ()

    def flush(self, timeout=None):
        return True

class Event:
    event = line = None

late = Late()
batch = Batch(late, BatchSettings(max_events=100, max_wait_s=None))
late.log = LogWriter(sys.argv[1])
batch.process([Event()] * 3)
"""


def test_events_that_wait_find_a_log_open_that_was_opened_after(tmp_path: Path) -> None:
    log = tmp_path / "audit.log"

    subprocess.run([sys.executable, "-c", LATE_LOG, str(log)], check=True, timeout=60)

    assert log.read_bytes() == b"event\n" * 3


def test_steps_are_taken_in_order_and_each_whatever_becomes_of_others() -> None:
    code = (
        "from auditring.process.exits import Step, at_exit\n"
        "at_exit(Step.LOGS, lambda: print('logs'))\n"
        "def fail():\n"
        "    print('batches')\n"
        "    raise ValueError('broken')\n"
        "at_exit(Step.BATCHES, fail)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60
    )

    assert done.stdout.split() == ["batches", "logs"]
    assert "broken" in done.stderr
