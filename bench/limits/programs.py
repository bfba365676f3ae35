"""The limits that are programs in C: memcpy, and a loop around write(2)."""

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

__all__ = ["build", "copy_lines", "loop_files", "loop_lines"]

HERE = Path(__file__).parent
BATCH_BYTES = 1024 * 1024
RING_BYTES = 8 * 1024 * 1024


def build(folder: Path) -> None:
    """Compile the programs into *folder*; raise CalledProcessError if that fails."""
    folder.mkdir(parents=True, exist_ok=True)
    compiler = os.environ.get("CC", "cc").split()
    for source in HERE.glob("*.c"):
        program = str(folder / source.stem)
        command = [*compiler, "-std=c11", "-O2", "-o", program, str(source)]
        subprocess.run(command, check=True)


def loop_lines(
    programs: Path, folder: Path, lines: Sequence[bytes], count: int, max_bytes: int
) -> float:
    """Write a cycle of *lines* with rotation; return the seconds that it took."""
    path = folder / "audit.log"
    # 0 would be a file of one line each.
    size = max_bytes or 2**62
    arguments = [path, _lines_file(folder, lines), count, size, BATCH_BYTES]
    return _seconds(programs / "write_loop", *arguments)


def loop_files(folder: Path) -> list[Path]:
    path = folder / "audit.log"
    return [*sorted(folder.glob(f"{path.name}.*")), path]


def copy_lines(
    programs: Path, folder: Path, lines: Sequence[bytes], count: int
) -> float:
    """Copy a cycle of *lines* into 8 MiB of memory; return the seconds it took."""
    lines_file = _lines_file(folder, lines)
    return _seconds(programs / "memory_copy", lines_file, count, RING_BYTES)


def _lines_file(folder: Path, lines: Sequence[bytes]) -> Path:
    path = folder / "lines"
    path.write_bytes(b"".join(lines))
    return path


def _seconds(program: Path, *arguments: object) -> float:
    command = [str(program), *map(str, arguments)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return float(json.loads(done.stdout)["seconds"])
