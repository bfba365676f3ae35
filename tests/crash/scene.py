"""A scene: a program of this folder, run by itself in a session of its own.

What it starts is in that session too and ends with it, so a test that fails leaves no
process behind.
"""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

__all__ = ["run_scene", "started_scene"]

_FOLDER = Path(__file__).parent


@contextlib.contextmanager
def started_scene(
    program: str,
    *arguments: str | os.PathLike[str],
    environment: Mapping[str, str] | None = None,
    python: str | os.PathLike[str] = sys.executable,
) -> Iterator[subprocess.Popen[str]]:
    """Start the program *program* of this folder; kill what is left of it at the end.

    Warnings are errors in it, as they are in the tests.
    """
    process = subprocess.Popen(
        [python, "-W", "error", _FOLDER / program, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **(environment or {})},
        start_new_session=True,
    )
    with process:
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def run_scene(
    program: str,
    *arguments: str | os.PathLike[str],
    limit_s: float = 60,
    environment: Mapping[str, str] | None = None,
    python: str | os.PathLike[str] = sys.executable,
) -> str:
    """Run the program *program* of this folder to its end and return what it prints.

    Raises:
        AssertionError: It failed, or printed to standard error.
        subprocess.TimeoutExpired: It did not end within the limit.
    """
    with started_scene(
        program, *arguments, environment=environment, python=python
    ) as process:
        out, err = process.communicate(timeout=limit_s)
    assert process.returncode == 0, f"exit {process.returncode}\n{out}\n{err}"
    assert not err, err
    return out
