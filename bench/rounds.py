"""Interleaved rounds: every contender runs once a round, and the medians count.

What the machine does meanwhile then strikes all contenders alike. Between two runs the
files of the first are deleted and its write-back ends, so none pays for another.
"""

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Literal

from lines import Account

__all__ = ["Outcome", "Result", "Run", "fresh_folder", "run_rounds", "warm_pages"]

WARM_CHUNK = bytes(1024 * 1024)


Outcome = Literal["done", "hung", "crashed", "failed"]


@dataclass(frozen=True, slots=True)
class Run:
    """One timed run of one contender.

    `count` operations took `seconds`; `account` is None where no file was written;
    `figures` are further values, the unit at the end of each name. A run that isn't
    done took no time that would tell anything; `detail` says what became of it.
    """

    count: int
    seconds: float
    account: Account | None = None
    figures: Mapping[str, float] = field(default_factory=dict)
    outcome: Outcome = "done"
    detail: str = ""

    @property
    def per_s(self) -> float:
        return self.count / self.seconds


@dataclass(frozen=True, slots=True)
class Result:
    """All runs of one contender in one workload, in the order of the rounds."""

    workload: str
    contender: str
    runs: tuple[Run, ...]

    @property
    def done(self) -> list[Run]:
        """The runs that came to their end: only these have a speed."""
        return [run for run in self.runs if run.outcome == "done"]

    @property
    def median_per_s(self) -> float:
        return median(run.per_s for run in self.done)

    @property
    def is_exact(self) -> bool | None:
        """Whether each line was found once; None where no file was written."""
        if len(self.done) < len(self.runs):
            return False
        accounts = [run.account for run in self.runs if run.account]
        return all(account.is_exact for account in accounts) if accounts else None

    @property
    def trouble(self) -> str:
        """What became of the runs that aren't done; empty if all are."""
        failed = [run for run in self.runs if run.outcome != "done"]
        if not failed:
            return ""
        details = "; ".join(sorted({run.detail for run in failed}))
        return f"{len(failed)} of {len(self.runs)} runs {failed[0].outcome}: {details}"

    def median_figure(self, name: str) -> float:
        return median(run.figures[name] for run in self.runs)

    def as_json(self) -> dict[str, Any]:
        speeds = [run.per_s for run in self.done]
        accounts = [run.account for run in self.runs if run.account]
        return {
            "workload": self.workload,
            "contender": self.contender,
            "rounds": len(self.runs),
            "count": self.runs[0].count,
            "median_per_s": median(speeds) if speeds else None,
            "min_per_s": min(speeds, default=None),
            "max_per_s": max(speeds, default=None),
            "exact": self.is_exact,
            "lost": sum(account.lost for account in accounts),
            "duplicated": sum(account.duplicated for account in accounts),
            "foreign": sum(account.foreign for account in accounts),
            "trouble": self.trouble,
            "figures": {name: self._spread(name) for name in self._figure_names()},
        }

    def _figure_names(self) -> list[str]:
        return sorted({name for run in self.done for name in run.figures})

    def _spread(self, name: str) -> dict[str, float]:
        # A count that a run doesn't speak of is 0, such as that of a system call.
        values = [run.figures.get(name, 0) for run in self.done]
        return {"median": median(values), "min": min(values), "max": max(values)}


def run_rounds(
    workload: str, contenders: Mapping[str, Callable[[], Run]], round_count: int
) -> list[Result]:
    """Run each contender once a round, in turn: A B C, A B C, ..."""
    runs: dict[str, list[Run]] = {name: [] for name in contenders}
    for _ in range(round_count):
        for name, run in contenders.items():
            runs[name].append(run())
    return [Result(workload, name, tuple(done)) for name, done in runs.items()]


def fresh_folder(folder: Path) -> Path:
    """Empty *folder* and let the disk finish what it still has to do."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    os.sync()
    return folder


def warm_pages(folder: Path, size_bytes: int) -> None:
    """Have the kernel hold free pages for files of *size_bytes*, ready to use.

    A virtual machine gives free memory back to its host within seconds and then waits
    for each page it needs again: several times longer than the copy into it takes.
    Without this, chance decides which contender pays for that. A file is written and
    deleted, as the kernel picks pages for a file unlike those for memory.
    """
    path = folder / "warm"
    with path.open("wb", buffering=0) as file:
        for _ in range(size_bytes * 3 // 2 // len(WARM_CHUNK) + 1):
            file.write(WARM_CHUNK)
    path.unlink()
