"""Charts of the comparison, each as PNG and as SVG."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["draw_all"]


def draw_all(
    folder: Path, facts: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]
) -> None: ...
