"""Builds and runs write_loop.c, the limit: a C loop around write(2)."""

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from lines import account_of_cycle
from rounds import Run

__all__ = ["build", "write_lines"]

SOURCE = Path(__file__).with_suffix(".c")
BATCH_BYTES = 1024 * 1024


def build(folder: Path) -> Path:
    """Compile the loop into *folder*; raise CalledProcessError if that fails."""
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / SOURCE.stem
    compiler = os.environ.get("CC", "cc").split()
    subprocess.run(
        [*compiler, "-std=c11", "-O2", "-o", program, SOURCE],
        check=True,
    )
    return program


def write_lines(
    program: Path, folder: Path, lines: Sequence[bytes], count: int, max_bytes: int
) -> Run:
    """Write the bytes of *lines* over and over; the program takes its own time."""
    lines_file = folder / "lines"
    lines_file.write_bytes(b"".join(lines))
    path = folder / "audit.log"
    arguments = map(str, (path, lines_file, count, max_bytes, BATCH_BYTES))
    done = subprocess.run(
        [program, *arguments], check=True, stdout=subprocess.PIPE, text=True
    )
    files = [*sorted(folder.glob(f"{path.name}.*")), path]
    account = account_of_cycle(files, lines, count)
    return Run(count, json.loads(done.stdout)["seconds"], account)
