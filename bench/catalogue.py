"""All workloads of the comparison, in their order."""

from workloads import events, ready_lines, text
from workloads.workload import Workload

__all__ = ["WORKLOADS", "workload_named"]

WORKLOADS: list[Workload] = [
    *text.WORKLOADS,
    *events.WORKLOADS,
    *ready_lines.WORKLOADS,
]


def workload_named(name: str) -> Workload:
    return next(each for each in WORKLOADS if each.name == name)
