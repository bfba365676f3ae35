"""What every workload of the comparison has."""

from collections.abc import Sequence
from typing import ClassVar, Literal

from lines import Account
from stand import Measured, Stand

__all__ = ["Unit", "Workload"]

Unit = Literal["lines", "events", "requests", "MB"]


class Workload:
    """A question that all contenders are asked.

    `run` is called in a process of its own; all else in the harness's, also after
    runs that hung or crashed.

    Attributes:
        name: Stands in the results.
        title: What it does, in a line.
        unit: What is counted.
        baseline: The contender whose speed the others are given as a multiple of.
        limits: Contenders of which the slower one is the limit.
        rivals: Those that only this workload has, and that are no limits.
        line_bytes: About, of a line in the file; 0 where none is written.
        threads, processes: How many write at once.
    """

    name: str
    title: str
    unit: Unit = "lines"
    baseline: ClassVar[str | None] = "RotatingFileHandler"
    limits: Sequence[str] = ()
    rivals: Sequence[str] = ()
    line_bytes: int = 1024
    threads: int = 1
    processes: int = 1

    def contenders(self) -> list[str]:
        """Return those that can take part, installed or not."""
        raise NotImplementedError

    def prepare(self, stand: Stand) -> None:
        """Make in `stand.prepared` what all runs share."""

    def count(self, stand: Stand, contender: str) -> int:
        """Return how many operations a run is about."""
        raise NotImplementedError

    def run(self, stand: Stand, contender: str) -> Measured:
        raise NotImplementedError

    def account(self, stand: Stand, contender: str) -> Account | None:
        """Compare what is in `stand.logs`; None if no file was to be written."""
        raise NotImplementedError
