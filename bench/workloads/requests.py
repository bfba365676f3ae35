"""W7: an audited request: attributes, policy, event, line, and to whoever writes it."""

from functools import cache

from audited import (
    audit,
    gce_policy,
    policy_for_everything,
    recorded_lines,
    sample_requests,
)
from lines import Account, account_of_producers
from registry import CONTENDERS, contender_class
from rivals.contender import Place
from stand import Measured, Stand
from workloads.workload import Workload

from auditring import Policy

__all__ = ["WORKLOADS"]

GCE = "auditring, GCE policy"
NOBODY = "C call"
NS_PER_S = 1_000_000_000


class Requests(Workload):
    """The policy and the lines are ours in any case; the rivals are where they go."""

    name = "W7_requests"
    title = "audited requests, level Metadata: decision, event, line, written"
    unit = "requests"
    line_bytes = 640
    limits = (NOBODY,)

    def contenders(self) -> list[str]:
        takers = [n for n in CONTENDERS if "bytes" in contender_class(n).forms]
        return ["auditring", GCE, *(name for name in takers if name != "auditring")]

    def count(self, stand: Stand, contender: str) -> int:
        parameters = stand.parameters
        if contender in CONTENDERS and contender_class(contender).is_slow:
            return parameters.slow_count
        return parameters.request_count

    def run(self, stand: Stand, contender: str) -> Measured:
        writer = contender_class(_writer_of(contender))()
        writer.open(Place(folder=stand.logs, max_bytes=stand.parameters.max_bytes))
        count = self.count(stand, contender)
        requests, policy = sample_requests(), _policy_of(contender)
        done = audit(policy, requests, count, writer.emit_bytes, writer.drain)
        writer.close()
        figures = {
            "recorded": done.recorded,
            "cpu_ns_a_recorded_one": done.cpu_seconds / done.recorded * NS_PER_S,
        }
        return Measured(count, done.seconds, figures)

    def account(self, stand: Stand, contender: str) -> Account | None:
        if contender == NOBODY:
            return None
        kind = contender_class(_writer_of(contender))
        is_gce = contender == GCE
        lines = _expected(is_gce)
        turns, rest = divmod(self.count(stand, contender), len(sample_requests()))
        recorded = turns * len(lines) + len(_expected(is_gce, rest))
        files = kind.files(stand.logs)
        return account_of_producers(files, [lines], recorded, kind.start)


@cache
def _expected(is_gce: bool, first: int | None = None) -> list[bytes]:
    """Return the lines of one turn, or of its first requests."""
    policy = gce_policy() if is_gce else policy_for_everything()
    return recorded_lines(policy, sample_requests()[:first])


def _writer_of(contender: str) -> str:
    return "auditring" if contender == GCE else contender


def _policy_of(contender: str) -> Policy:
    return gce_policy() if contender == GCE else policy_for_everything()


WORKLOADS = [Requests()]
