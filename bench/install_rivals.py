"""Installs what the benchmarks compare us with, one by one, as far as it can be had.

Nothing here fails because a rival does. What became of each, and pip's reason where it
couldn't be installed, is kept in build/rivals.json and stands in the results.

Usage: install_rivals.py [--limit SECONDS]
"""

import argparse
import json
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

__all__ = ["RECORD", "install", "rivals_of", "states"]

REPOSITORY = Path(__file__).parent.parent
RECORD = REPOSITORY / "build" / "rivals.json"
# Some are compiled: spdlog takes minutes on a busy machine.
LIMIT_S = 900
REASON_CHARS = 300


def rivals_of(pyproject: str) -> list[str]:
    """Return the requirements of the dependency group "rivals"."""
    groups: dict[str, list[str]] = tomllib.loads(pyproject)["dependency-groups"]
    return groups["rivals"]


def install(requirement: str, limit_s: float) -> str:
    """Install *requirement*; return why it couldn't be, or nothing."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", requirement]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=limit_s, check=False
        )
    except subprocess.TimeoutExpired:
        return f"not built within {limit_s:.0f} s"
    return "" if done.returncode == 0 else _reason(done.stderr)


def states() -> dict[str, str]:
    """Return for each rival its version, or why there is none."""
    told: dict[str, str] = {}
    if RECORD.exists():
        told = json.loads(RECORD.read_text())
    pyproject = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    return {name: _state(name, told) for name in rivals_of(pyproject)}


def _state(name: str, told: dict[str, str]) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return f"not installed: {told.get(name) or 'make bench was not asked to'}"


def _reason(errors: str) -> str:
    """Return pip's last words that say what is wrong."""
    lines = [line for line in errors.splitlines() if line.startswith("ERROR:")]
    words = " ".join(lines) or errors.strip()
    # Where packages come from is nobody's business but the machine's.
    return re.sub(r"(?:https?|file)://\S+", "(an index)", words)[-REASON_CHARS:]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--limit", type=float, default=LIMIT_S, help="seconds for each; default: 900"
    )
    limit_s = parser.parse_args().limit
    pyproject = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    reasons = {}
    for name in rivals_of(pyproject):
        reasons[name] = install(name, limit_s)
        print(f"{name}: {reasons[name] or metadata.version(name)}", flush=True)
    RECORD.parent.mkdir(exist_ok=True)
    RECORD.write_text(json.dumps(reasons, indent=1) + "\n")


if __name__ == "__main__":
    main()
