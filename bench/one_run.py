"""The child's side of a run: does the work and leaves a file that says how it went.

Usage: one_run.py STAND WORKLOAD CONTENDER RESULT
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path

from catalogue import workload_named
from stand import Stand

__all__: list[str] = []


def main(stand: str, workload: str, contender: str, result: str) -> None:
    measured = workload_named(workload).run(Stand.from_json(stand), contender)
    unfinished = Path(result).with_suffix(".part")
    unfinished.write_text(json.dumps(asdict(measured)))
    unfinished.rename(result)


if __name__ == "__main__":
    main(*sys.argv[1:])
