"""A revolver: opens a log, writes some lines and closes it, again and again.

Usage: revolver.py STREAM LOG LEDGER ROUNDS LINES
"""

import sys

from ledger import Ledger

from auditring import LogWriter


def main() -> None:
    """Do what the arguments say."""
    stream, path, ledger_path, rounds, lines = sys.argv[1:]
    ledger = Ledger(ledger_path)
    for _ in range(int(rounds)):
        with LogWriter(path, ring_bytes=65_536, max_bytes=100_000) as log:
            ledger.write(log, int(stream), int(lines))


if __name__ == "__main__":
    main()
