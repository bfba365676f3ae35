"""Fork while an auditor follows its configuration; both sides follow on."""

import os
import sys
import threading
import time
from pathlib import Path

from auditring import Attributes, Level, UserInfo
from auditring.config import ConfiguredAuditor, open_auditor

LIMIT_S = 20.0


def has_level(auditor: ConfiguredAuditor, level: Level) -> bool:
    """Wait until the auditor decides so."""
    asked = Attributes.from_request("GET", "/api/v1/pods", user=UserInfo("alice"))
    pause = threading.Event()
    end = time.monotonic() + LIMIT_S
    while auditor.begin(asked).level is not level:
        if time.monotonic() > end:
            return False
        pause.wait(0.01)
    return True


def main(file: Path) -> int:
    """Return 0 if parent and child took the new level."""
    auditor = open_auditor(file, environ={}, watch=0.01)
    if not has_level(auditor, Level.METADATA):
        return 1
    child = os.fork()
    if child == 0:
        file.write_text(file.read_text().replace("level: 2", "level: 4"))
        os._exit(0 if has_level(auditor, Level.REQUEST_RESPONSE) else 1)
    is_good = has_level(auditor, Level.REQUEST_RESPONSE)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    auditor.close()
    return 0 if is_good and status == 0 else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
