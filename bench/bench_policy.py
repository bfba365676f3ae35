"""How long a policy takes to decide, with requests of a real audit log.

Usage: bench_policy.py [--rounds N] [--count N] [--requests FILE] [--results DIR]
"""

import argparse
import sys
import time
from dataclasses import asdict, dataclass
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from statistics import median, quantiles

import orjson
import report
from bystanders import Bystanders
from measuring import told
from rounds import Result, Run, run_rounds
from targets import Target

from auditring.event import UserInfo
from auditring.policy import Policy, preset_text
from auditring.request.attributes import Attributes

BENCH = Path(__file__).parent
NS_PER_S = 1_000_000_000
DECISION_LIMIT_NS = 1000
POLICIES = ("gce", "classic", "loft-level-1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """How much each workload does."""

    rounds: int = 5
    decision_count: int = 500_000
    timed_count: int = 100_000  # each between two readings of the clock
    load_count: int = 20


@dataclass(frozen=True, slots=True)
class Stand:
    """What every workload works with."""

    parameters: Parameters
    requests: list[Attributes]

    def cycled(self, count: int) -> list[Attributes]:
        return list(islice(cycle(self.requests), count))


def decide(stand: Stand) -> list[Result]:
    """Decide request after request; kinds of request are known after the first turn."""

    def run_of(name: str) -> Run:
        evaluate = Policy.preset(name).evaluate
        requests = stand.cycled(stand.parameters.decision_count)
        start = time.perf_counter()
        for attributes in requests:
            evaluate(attributes)
        seconds = time.perf_counter() - start
        figures = {"mean_ns": seconds / len(requests) * NS_PER_S}
        return Run(len(requests), seconds, figures=figures)

    contenders = {name: partial(run_of, name) for name in POLICIES}
    return run_rounds("decide", contenders, stand.parameters.rounds)


def decide_one(stand: Stand) -> list[Result]:
    """Time single decisions; what two readings of the clock take is in them."""

    def run_of(name: str) -> Run:
        evaluate = Policy.preset(name).evaluate
        requests = stand.cycled(stand.parameters.timed_count)
        for attributes in stand.requests:
            evaluate(attributes)
        clock = time.perf_counter_ns
        took = []
        for attributes in requests:
            start = clock()
            evaluate(attributes)
            took.append(clock() - start)
        percentiles = quantiles(took, n=1000)
        figures = {
            "p50_ns": percentiles[499],
            "p99_ns": percentiles[989],
            "p99_9_ns": percentiles[998],
            "clock_ns": _clock_ns(),
        }
        return Run(len(requests), sum(took) / NS_PER_S, figures=figures)

    contenders = {name: partial(run_of, name) for name in POLICIES}
    return run_rounds("decide_one", contenders, stand.parameters.rounds)


def decide_the_first_of_a_kind(stand: Stand) -> list[Result]:
    """Decide requests of kinds that weren't seen before: the worst case."""
    kinds = {
        (each.verb, each.api_group, each.resource, each.subresource): each
        for each in stand.requests
    }

    def run_of(name: str) -> Run:
        policies = [Policy.preset(name) for _ in range(stand.parameters.load_count)]
        start = time.perf_counter()
        for policy in policies:
            for attributes in kinds.values():
                policy.evaluate(attributes)
        seconds = time.perf_counter() - start
        return Run(len(policies) * len(kinds), seconds)

    contenders = {name: partial(run_of, name) for name in POLICIES}
    return run_rounds("decide_the_first_of_a_kind", contenders, stand.parameters.rounds)


def load(stand: Stand) -> list[Result]:
    """Load a policy from its text."""

    def run_of(name: str) -> Run:
        text, count = preset_text(name), stand.parameters.load_count
        start = time.perf_counter()
        for _ in range(count):
            Policy.from_yaml(text)
        return Run(count, time.perf_counter() - start)

    contenders = {name: partial(run_of, name) for name in POLICIES}
    return run_rounds("load", contenders, stand.parameters.rounds)


WORKLOADS = (decide, decide_one, decide_the_first_of_a_kind, load)


def main() -> int:
    options = _parse_options()
    parameters = Parameters(rounds=options.rounds, decision_count=options.count)
    stand = Stand(parameters, _read_requests(options.requests))
    facts = report.conditions(None, asdict(parameters))
    facts["requests"] = f"{len(stand.requests)} of {options.requests.name}, cycled"

    bystanders = Bystanders()
    results = [result for workload in WORKLOADS for result in workload(stand)]
    facts["cores_busy_with_others"] = round(bystanders.cores(), 2)

    targets = [*_targets(results)]
    return told(options.results, "policy", "The policy", facts, results, targets)


def _targets(results: list[Result]) -> list[Target]:
    """Hold the median decision against its limit; the clock's own time is taken off."""
    (result,) = (
        result
        for result in results
        if (result.workload, result.contender) == ("decide_one", "gce")
    )
    took = [run.figures["p50_ns"] - run.figures["clock_ns"] for run in result.runs]
    name = "ns a decision, gce, median"
    limit = DECISION_LIMIT_NS
    return [Target(name, median(took), min(took), max(took), "<=", limit)]


def _clock_ns() -> float:
    """Return what lies between two readings of the clock with nothing between them."""
    clock = time.perf_counter_ns
    return median(-(clock() - clock()) for _ in range(1000))


def _read_requests(path: Path) -> list[Attributes]:
    requests = map(orjson.loads, path.read_bytes().splitlines())
    return [
        Attributes.from_request(
            each["method"],
            each["url"],
            user=UserInfo(each["user"]["name"], groups=tuple(each["user"]["groups"])),
        )
        for each in requests
    ]


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    defaults = Parameters()
    parser.add_argument("--rounds", type=int, metavar="N", default=defaults.rounds)
    parser.add_argument(
        "--count", type=int, metavar="N", default=defaults.decision_count
    )
    parser.add_argument(
        "--requests",
        type=Path,
        default=BENCH / "data" / "kube-requests.jsonl",
        help="JSON lines as `auditring policy eval` takes them",
    )
    parser.add_argument(
        "--results",
        type=Path,
        default=BENCH / "results",
        help="where policy.json and policy.md go; default: bench/results",
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
