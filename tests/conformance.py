"""Run the case files of a folder, whose answers Kubernetes' own code gave.

    python tests/conformance.py DIR [--allow PCT]

Prints for each file how many cases passed and which didn't, and why. Exits 1 when more
than PCT per cent of a file's cases fail, 2 when DIR has no case file.
"""

import argparse
import importlib
import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from conformance_kinds import Case

from auditring.documents.linesplitter import LINE_MAX_BYTES, too_long
from auditring.event.recordedlog import read_lines

KINDS_FOLDER = Path(__file__).parent / "conformance_kinds"
KINDS = (
    "event_encoding",
    "policy",
    "policy_validation",
    "requestinfo",
    "sourceip",
    "stage",
    "truncate",
)
CASE_FILE = re.compile(
    rf"(?:.*[_.-])?({'|'.join(KINDS)})_cases(?:[_.-].*)?\.jsonl(?:\.gz)?"
)
ALLOWED_PCT = 0.2
REASON_MAX_CHARS = 500

Check = Callable[[Case], str | None]


@dataclass
class Result:
    """How a case file went: of each failure the case's id and the reason."""

    total: int = 0
    failures: list[tuple[str, str]] = field(default_factory=list)

    @property
    def failed_pct(self) -> float:
        return 100 * len(self.failures) / max(self.total, 1)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument(
        "--allow",
        type=float,
        default=ALLOWED_PCT,
        metavar="PCT",
        help="per cent of a file's cases that may fail (default: %(default)s)",
    )
    options = parser.parse_args(arguments)
    files = list(case_files(options.folder))
    if not files:
        print(f"{options.folder}: no case file", file=sys.stderr)
        return 2
    within = [run_file(path, kind, options.allow) for path, kind in files]
    return 0 if all(within) else 1


def case_files(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield each case file of *folder* with its kind, in the order of names."""
    for path in sorted(folder.iterdir()):
        name = CASE_FILE.fullmatch(path.name)
        if name and path.is_file():
            yield path, name[1]


def run_file(path: Path, kind: str, allowed_pct: float) -> bool:
    """Run a case file and print how it went; tell whether that is good enough."""
    check = find_check(kind)
    if check is None:
        print(f"{path.name}: not yet")
        return True
    result = run_cases(read_cases(path), check)
    print(f"{path.name}: {result.total - len(result.failures)}/{result.total}")
    for identity, reason in result.failures:
        print(f"  {identity}: {reason:.{REASON_MAX_CHARS}}")
    return result.failed_pct <= allowed_pct


def find_check(kind: str) -> Check | None:
    """Return the function that checks a case of *kind*; None if nobody wrote one."""
    if not (KINDS_FOLDER / f"{kind}.py").exists():
        return None
    check: Check = importlib.import_module(f"conformance_kinds.{kind}").check
    return check


def read_cases(path: Path) -> Iterator[Case]:
    def refuse(number: int, size: int) -> None:
        raise ValueError(f"{path}:{number}: {too_long(size, LINE_MAX_BYTES)}")

    for line in read_lines(path, on_long=refuse):
        yield json.loads(line)


def run_cases(cases: Iterator[Case], check: Check) -> Result:
    result = Result()
    for case in cases:
        result.total += 1
        try:
            reason = check(case)
        except Exception as error:  # of the case, and the others still have to run
            reason = f"{type(error).__name__}: {error}"
        if reason is not None:
            result.failures.append((case["id"], reason))
    return result


if __name__ == "__main__":
    sys.exit(main())
