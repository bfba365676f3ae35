"""Programs that measure themselves, each in a process of its own.

A process of its own, because neither memory nor system calls of the benchmark may
count. Each prints one JSON object.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

__all__ = ["run_probe"]

BENCH = Path(__file__).parent.parent


def run_probe(
    name: str, *arguments: object, tracer: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Run one of the modules here, under *tracer* if given; return what it printed."""
    command = [*tracer, sys.executable, "-m", f"probes.{name}", *map(str, arguments)]
    done = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, text=True, cwd=BENCH
    )
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures
