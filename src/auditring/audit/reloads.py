"""How often a configuration was loaded again, and what became of it."""

from dataclasses import dataclass
from typing import Literal

__all__ = ["Outcome", "ReloadCounts"]

Outcome = Literal["applied", "unchanged", "refused"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReloadCounts:
    """What became of a configuration each time that it was loaded again.

    Attributes:
        applied: It was another one, and holds since then.
        unchanged: It says what it said before.
        refused: It was wrong; the one before still holds.
        is_good: Whether the last one wasn't refused.
        good_at_s: When one was last found good, in seconds since the epoch.
    """

    applied: int = 0
    unchanged: int = 0
    refused: int = 0
    is_good: bool = True
    good_at_s: float = 0.0
