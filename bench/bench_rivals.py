"""Everybody side by side: every workload, every contender that is here, in turn.

A run is a process of its own with a time limit, and all its lines are looked for in the
files then. A contender that hangs, crashes, loses or doubles lines has that in the
table; it ends nothing. Results are printed and kept as latest.json, latest.md and
charts.

Usage: bench_rivals.py [--quick] [--rounds N] [--minutes N] [--only WORKLOAD ...]
                       [--contender NAME ...] [--dir DIR] [--results DIR]
"""

import argparse
import shutil
import sys
from dataclasses import asdict, replace
from functools import partial
from time import perf_counter

import comparison
import install_rivals
import report
from bystanders import Bystanders
from catalogue import ALL_NAMES, NAMES, workload_named
from jobs import run_job
from limits import programs
from options import workload_parser
from registry import CONTENDERS, is_installed, side_of
from rounds import Result, Run, fresh_folder, warm_pages
from stand import QUICK, Parameters, Stand
from workloads.workload import Workload

EXIT_USAGE = 2


def main() -> int:
    options = _parse_options()
    parameters = options.quick or Parameters()
    if options.rounds:
        # So many, however long that takes.
        parameters = replace(
            parameters, rounds=options.rounds, budget_s=Parameters().budget_s
        )
    if options.minutes:
        parameters = replace(parameters, budget_s=options.minutes * 60)
    stand = Stand(options.dir.resolve() / "rivals", parameters)
    shutil.rmtree(stand.folder, ignore_errors=True)
    programs.build(stand.programs)
    facts = report.conditions(stand.folder, asdict(parameters))
    facts["rivals"] = install_rivals.states()

    started = perf_counter()
    chosen = options.only or (NAMES if options.quick else ALL_NAMES)
    workloads = [workload_named(name) for name in chosen]
    known = {name for workload in workloads for name in workload.contenders()}
    if unknown := set(options.contender or ()) - known:
        print(
            f"--contender: nobody here is called {', '.join(unknown)}", file=sys.stderr
        )
        return EXIT_USAGE
    bystanders = Bystanders()
    results = _results(workloads, stand, options.contender)
    facts["cores_busy_with_others"] = round(bystanders.cores(), 2)
    facts["took_s"] = round(perf_counter() - started)
    shutil.rmtree(stand.folder, ignore_errors=True)

    text = comparison.save(options.results, facts, results)
    print(text)
    for result in results:
        if side_of(result.contender) == "ours" and result.is_exact is False:
            lost = result.trouble or "lines lost, doubled or torn"
            print(f"{result.workload}, {result.contender}: {lost}", file=sys.stderr)
    return 0


def _results(
    workloads: list[Workload], stand: Stand, only: list[str] | None
) -> list[Result]:
    """Run every contender of every workload once a round, in the same order.

    Whoever interrupts it gets what is there by then.
    """
    runs: dict[tuple[str, str], list[Run]] = {}
    try:
        _run_rounds(workloads, stand, only, runs)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
    return [Result(*key, tuple(done)) for key, done in runs.items()]


def _run_rounds(
    workloads: list[Workload],
    stand: Stand,
    only: list[str] | None,
    runs: dict[tuple[str, str], list[Run]],
) -> None:
    started = perf_counter()
    for number in range(stand.parameters.rounds):
        for workload in workloads:
            start = perf_counter()
            print(f"{number + 1} {workload.name} ...", end=" ", file=sys.stderr)
            fresh_folder(stand.prepared)
            workload.prepare(stand)
            for name in _present(workload, only):
                done = runs.setdefault((workload.name, name), [])
                # One that hung would take its time limit each round.
                if not any(run.outcome == "hung" for run in done):
                    done.append(_run(workload, stand, name))
            print(f"{perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
        taken = perf_counter() - started
        if taken * (number + 2) / (number + 1) > stand.parameters.budget_s:
            break


def _present(workload: Workload, only: list[str] | None) -> list[str]:
    return [
        name
        for name in workload.contenders()
        if (only is None or name in only)
        and (name not in CONTENDERS or is_installed(name))
    ]


def _run(workload: Workload, stand: Stand, contender: str) -> Run:
    count = workload.count(stand, contender)
    folder = fresh_folder(stand.logs)
    if workload.line_bytes:
        warm_pages(folder, count * workload.line_bytes)
    account = partial(workload.account, stand, contender)
    return run_job(stand, workload.name, contender, count, account)


def _parse_options() -> argparse.Namespace:
    parser = workload_parser(
        __doc__, ALL_NAMES, quick=QUICK, results="latest.json, latest.md and the charts"
    )
    parser.add_argument(
        "--contender",
        action="append",
        metavar="NAME",
        help="one of the contenders; may be given several times",
    )
    parser.add_argument(
        "--minutes",
        type=float,
        metavar="N",
        help="begin no round that would end later than that; the first one is whole",
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
