"""A revolver: opens a log, writes some lines and closes it, again and again.

Usage: revolver.py STREAM LOG LEDGER ROUNDS LINES OPTIONS, the last as JSON.
"""

import json
import sys

from ledger import Ledger

from auditring import LogWriter


def main() -> None:
    """Do what the arguments say."""
    stream, path, ledger_path, rounds, lines, options = sys.argv[1:]
    ledger = Ledger(ledger_path)
    for _ in range(int(rounds)):
        with LogWriter(path, **json.loads(options)) as log:
            ledger.write(log, int(stream), int(lines))


if __name__ == "__main__":
    main()
