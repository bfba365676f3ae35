"""What redacting hostile bodies and queries costs, in instructions.

It needs no quiet machine. Each is redacted at half its size and at its size under
callgrind. A body of 1 MB and a query of 64 KB may take as many instructions as there
are in 20 ms; with twice the size they may double. Beyond that it fails.

Usage: bench_redaction.py [NAME ...]
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import callgrind
from hostile_texts import BODIES, QUERIES
from report import table

__all__ = ["costs", "fault_of", "main"]

EXIT_ENVIRONMENT = 2
BODY_BYTES = 1_000_000
QUERY_BYTES = 64 * 1024
# In 20 ms, at the 15 a nanosecond that the costliest, a block of YAML, comes to.
BUDGET = 300_000_000
GROWTH_MAX = 2.2
# A system call that nothing else makes here: callgrind writes what it counted.
MARK = "getpgrp"
LIMIT_S = 1200


def main() -> int:
    options = _parse_options()
    if not callgrind.is_available():
        print("bench-redaction: missing: valgrind (Debian: apt install valgrind)")
        return EXIT_ENVIRONMENT
    names = options.names or [*_all_names()]
    rows, is_good = [], True
    for name, (half, whole) in costs(names).items():
        fault = fault_of(half, whole)
        is_good = is_good and not fault
        rows.append([name, f"{whole:,}", f"{whole / half:.2f}", fault])
    print(table(["redacted", "instructions", "over half the size", ""], rows))
    return 0 if is_good else 1


def fault_of(half: int, whole: int) -> str:
    """Say what is wrong with the instructions for half a size and for all of it."""
    if whole > GROWTH_MAX * half:
        return "grows faster than the size"
    return "takes too long" if whole > BUDGET else ""


def costs(names: list[str]) -> dict[str, tuple[int, int]]:
    """Return the instructions for each at half its size and at its size."""
    with tempfile.TemporaryDirectory(prefix="bench-redaction-") as folder:
        dump = Path(folder) / "callgrind"
        tool = [
            *("valgrind", "--tool=callgrind", f"--dump-before={MARK}"),
            f"--callgrind-out-file={dump}",
        ]
        subprocess.run(
            [*tool, sys.executable, __file__, "--redact", *names],
            check=True,
            env={**os.environ, "PYTHONHASHSEED": "0"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=LIMIT_S,
        )
        # What comes before the first mark and between two others isn't of redacting.
        counts = [
            _total(dump.with_name(f"callgrind.{number}"))
            for number in range(2, 4 * len(names) + 1, 2)
        ]
    return {
        name: (counts[2 * index], counts[2 * index + 1])
        for index, name in enumerate(names)
    }


def _total(dump: Path) -> int:
    return callgrind.costs_of_dump(dump.read_text().splitlines()).total


def _redact(names: list[str]) -> None:
    """Redact each at half its size and at its size, with a mark before and after."""
    from auditring.event import Event
    from auditring.redact import Redactor

    redactor = Redactor()
    redactor.redact(Event(request_object=b'{"token":"abcdefgh"}'))
    for name in names:
        kind, _, shape = name.partition(": ")
        for share in (2, 1):
            if kind == "query":
                uri = "/x?" + QUERIES[shape](QUERY_BYTES // share)
                event = Event(request_uri=uri)
            else:
                body = BODIES[shape](BODY_BYTES // share)
                event = Event(request_uri="/x", request_object=body.encode())
            os.getpgrp()
            redactor.redact(event)
            os.getpgrp()


def _all_names() -> list[str]:
    return [
        *(f"body: {name}" for name in BODIES),
        *(f"query: {name}" for name in QUERIES),
    ]


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition(":")[0])
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--redact", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    for name in options.names:
        if name not in _all_names():
            parser.error(f"{name!r}: expected one of {', '.join(_all_names())}")
    return options


if __name__ == "__main__":
    if "--redact" in sys.argv[1:2]:
        _redact(sys.argv[2:])
        sys.exit(0)
    sys.exit(main())
