"""Workloads of a subject measured in turn, and what came of them kept and printed."""

import sys
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any, TypeVar

import report
from bystanders import Bystanders
from rounds import Result
from targets import Target

__all__ = ["EXIT_INEXACT", "measured", "told"]

EXIT_INEXACT = 1

Stand = TypeVar("Stand")


def measured(
    workloads: Sequence[Callable[[Stand], list[Result]]],
    stand: Stand,
    only: Collection[str] | None,
    facts: dict[str, Any],
) -> list[Result]:
    """Run *workloads*; note in *facts* what others did to the machine meanwhile.

    Args:
        workloads: Each is called by the name of its function.
        stand: What they work with.
        only: Names of those to run; None and nothing are all.
        facts: The conditions that the results hold under.
    """
    results: list[Result] = []
    disturbance: dict[str, float] = {}
    for workload in workloads:
        if not only or workload.__name__ in only:
            bystanders = Bystanders()
            results += _timed(workload, stand)
            disturbance[workload.__name__] = round(bystanders.cores(), 2)
    facts["cores_busy_with_others"] = disturbance
    return results


def told(
    folder: Path,
    name: str,
    title: str,
    facts: dict[str, Any],
    results: Sequence[Result],
    targets: Sequence[Target],
) -> int:
    """Keep ``NAME.json`` and ``NAME.md`` in *folder*, and print the second.

    Returns:
        The status to exit with: `EXIT_INEXACT` when a run lost or doubled lines.
    """
    text = report.markdown(title, facts, results, targets)
    document = {
        **facts,
        "results": [result.as_json() for result in results],
        "targets": [target.as_json() for target in targets],
    }
    report.save(folder, name, document, text)
    print(text)
    is_exact = all(result.is_exact is not False for result in results)
    return 0 if is_exact else EXIT_INEXACT


def _timed(workload: Callable[[Stand], list[Result]], stand: Stand) -> list[Result]:
    start = perf_counter()
    print(f"{workload.__name__} ...", end=" ", file=sys.stderr, flush=True)
    results = workload(stand)
    print(f"{perf_counter() - start:.0f} s", file=sys.stderr)
    return results
