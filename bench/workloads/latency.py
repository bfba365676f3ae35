"""W5: how long each call takes while files rotate and are compressed."""

import time

from lines import Account, account_of_producers, load_lines
from pacing import latency_figures, paced_latencies_ns
from registry import CONTENDERS, contender_class
from rivals.contender import Place
from stand import Measured, Stand
from workloads.workload import Workload

__all__ = ["WORKLOADS"]

NOTHING = "C call"


class Latency(Workload):
    """Ready lines at a steady pace; a call that does nothing is paced alike.

    What takes long is the call: one that comes late because of another is made at
    once, and its own time counts.
    """

    name = "W5_latency"
    title = "each call at 20,000 a second, rotating, with gzip where there is"
    limits = (NOTHING,)

    def contenders(self) -> list[str]:
        kinds = {name: contender_class(name) for name in CONTENDERS}
        return [
            name
            for name, kind in kinds.items()
            if "bytes" in kind.forms and (kind.rotates or name == NOTHING)
        ]

    def count(self, stand: Stand, contender: str) -> int:
        return int(stand.parameters.paced_s * stand.parameters.paced_per_s)

    def run(self, stand: Stand, contender: str) -> Measured:
        count = self.count(stand, contender)
        kind = contender_class(contender)
        place = Place(
            folder=stand.logs,
            max_bytes=stand.parameters.paced_max_bytes,
            compresses=kind.compresses,
        )
        writer = kind()
        writer.open(place)
        lines = load_lines()
        start = time.perf_counter()
        (taken,) = paced_latencies_ns(
            [writer.emit_bytes], lines, count, stand.parameters.paced_per_s
        )
        writer.drain()
        seconds = time.perf_counter() - start
        writer.close()
        files = kind.files(stand.logs)
        packed = sum(file.suffix == ".gz" for file in files)
        figures = {"backups": max(0, len(files) - 1), "compressed": packed}
        return Measured(count, seconds, latency_figures(taken) | figures)

    def account(self, stand: Stand, contender: str) -> Account | None:
        if contender == NOTHING:
            return None
        kind = contender_class(contender)
        count = self.count(stand, contender)
        files = kind.files(stand.logs)
        return account_of_producers(files, [load_lines()], count, kind.start)


WORKLOADS = [Latency()]
