"""Configurations for tests, and waiting for what a thread does."""

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from auditring.config import Config, ConfigError, load_config
from auditring.errors import ConfigProblem

WAIT_S = 20.0


def load(given: Mapping[str, object], **environ: str) -> Config:
    """Load a mapping, with nothing else in the environment."""
    return load_config(given, environ=environ)


def enabled(folder: Path, **members: object) -> dict[str, object]:
    """Return a configuration that records, with these *members*."""
    return {"enabled": True, "path": str(folder / "audit.log"), "level": 2, **members}


def problems_of(given: Mapping[str, object], **options: object) -> list[str]:
    """Return what is wrong with a mapping."""
    try:
        config = load_config(given, environ={}, **options)  # type: ignore[arg-type]
    except ConfigError as error:
        return texts_of(error.problems)
    return texts_of(config.warnings)


def texts_of(problems: tuple[ConfigProblem, ...]) -> list[str]:
    return [str(problem) for problem in problems]


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for what another thread does, and fail if it doesn't."""
    pause = threading.Event()
    end = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end, "it didn't come to it"
        pause.wait(0.002)
