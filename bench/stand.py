"""Where a workload of the comparison works, and how much it does."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

__all__ = ["QUICK", "Measured", "Parameters", "Stand"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """How much each workload does; sizes in bytes.

    `fast_count` and `slow_count` are lines a run, by what a contender is known for:
    figures are per second, and a run of the slow ones would take minutes. No round is
    begun that would end after `budget_s`.
    """

    rounds: int = 5
    budget_s: float = 86_400
    run_limit_s: float = 60
    fast_count: int = 500_000
    slow_count: int = 50_000
    max_bytes: int = 100 * 1024 * 1024
    paced_s: float = 10
    paced_per_s: int = 20_000
    paced_max_bytes: int = 20_000_000
    shared_max_bytes: int = 20_000_000
    request_count: int = 300_000
    served_count: int = 50_000
    packed_bytes: int = 200_000_000
    followed_bytes: int = 500_000_000
    killed_after_s: float = 1.0


QUICK = Parameters(
    rounds=3,
    budget_s=160,
    run_limit_s=4,
    fast_count=100_000,
    slow_count=5_000,
    # Or nobody would rotate.
    max_bytes=4_000_000,
    paced_s=0.5,
    paced_max_bytes=2_000_000,
    shared_max_bytes=2_000_000,
    request_count=40_000,
    served_count=5_000,
    packed_bytes=10_000_000,
    followed_bytes=60_000_000,
    killed_after_s=0.2,
)


@dataclass(frozen=True, slots=True)
class Stand:
    """What every workload works with.

    `folder` has a place for the files of one run, `logs`, which is emptied before each,
    and one for what all runs of a workload share, `prepared`.
    """

    folder: Path
    parameters: Parameters

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    @property
    def prepared(self) -> Path:
        return self.folder / "prepared"

    @property
    def programs(self) -> Path:
        return self.folder / "programs"

    def as_json(self) -> str:
        return json.dumps({"folder": str(self.folder), **asdict(self.parameters)})

    @classmethod
    def from_json(cls, text: str) -> "Stand":
        values = json.loads(text)
        return cls(Path(values.pop("folder")), Parameters(**values))


@dataclass(frozen=True, slots=True)
class Measured:
    """What one run says of itself: operations, seconds, and further figures."""

    count: int
    seconds: float
    figures: dict[str, float]
