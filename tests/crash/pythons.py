"""Other interpreters than the one that runs the tests, with the package in them."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

__all__ = ["find_python", "install_for"]

_ROOT = Path(__file__).parents[2]
_SOURCES = ("csrc", "src", "setup.py", "pyproject.toml", "README.md", "LICENSE")
_IGNORED = shutil.ignore_patterns("*.so", "__pycache__", "*.egg-info")
_ASK = "import ensurepip, json, sys, venv; print(json.dumps(sys.version_info[:2]))"
_NEWEST_MINOR = 20
_LIMIT_S = 500


def find_python(at_least: tuple[int, int]) -> str | None:
    """Return the newest CPython that is there, None if all are older than *at_least*.

    Looked for among AUDITRING_PYTHONS (paths, separated by colons), what runs the
    tests, PATH and pyenv's directory.
    """
    found = {_version_of(path): path for path in _candidates()}
    return max(
        ((version, path) for version, path in found.items() if version >= at_least),
        default=((0, 0), None),
    )[1]


def install_for(python: str) -> str:
    """Build and install the package into an environment of *python*; return its python.

    It stays under build/ until the sources change.

    Raises:
        subprocess.CalledProcessError: It can't be built; its output says why.
    """
    if python == sys.executable:
        return python
    version = ".".join(map(str, _version_of(python)))
    place = _ROOT / "build" / "pythons" / version
    inside = place / "venv" / "bin" / "python"
    mark = place / "digest"
    digest = _digest()
    if mark.exists() and mark.read_text() == digest:
        return str(inside)
    shutil.rmtree(place, ignore_errors=True)
    for name in _SOURCES:
        _copy(_ROOT / name, place / "source" / name)
    _run(python, "-m", "venv", place / "venv")
    _run(inside, "-m", "pip", "install", "--quiet", place / "source")
    mark.write_text(digest)
    return str(inside)


def _candidates() -> Iterator[str]:
    yield sys.executable
    given = os.environ.get("AUDITRING_PYTHONS", "")
    yield from filter(None, given.split(os.pathsep))
    for minor in range(sys.version_info.minor, _NEWEST_MINOR):
        if path := shutil.which(f"python3.{minor}"):
            yield path
    home = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    yield from map(str, sorted(home.glob("versions/*/bin/python3")))


def _version_of(python: str) -> tuple[int, ...]:
    """Ask an interpreter for its version; one that can't make environments has none."""
    try:
        done = subprocess.run(
            [python, "-c", _ASK], capture_output=True, check=True, timeout=10
        )
    except (OSError, subprocess.SubprocessError):
        return (0, 0)
    return tuple(json.loads(done.stdout))


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=_IGNORED)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)


def _digest() -> str:
    """Return a hash of all that goes into the package."""
    digest = hashlib.sha256()
    for name in _SOURCES:
        path = _ROOT / name
        for file in sorted(path.rglob("*.[chp]*")) if path.is_dir() else [path]:
            if file.suffix != ".pyc":
                digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def _run(*command: str | os.PathLike[str]) -> None:
    subprocess.run(
        command, check=True, capture_output=True, text=True, timeout=_LIMIT_S
    )
