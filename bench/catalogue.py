"""All workloads of the comparison, in their order.

A module is imported when one of its workloads is asked for: a run, which is a process,
shouldn't wait for what it doesn't need.
"""

import importlib

from workloads.workload import Workload

__all__ = ["ALL_NAMES", "NAMES", "workload_named"]

THREAD_COUNTS = (1, 2, 4, 8)
PROCESS_COUNTS = (1, 2, 4, 8)
LINE_SIZES_BYTES = (64, 256, 1024, 4096, 16384, 65536)
RING_SIZES_KIB = (64, 512, 2048, 8192, 32768)

MODULES = {
    "W1_text": "text",
    "W2_text_4_threads": "text",
    "W3_events": "events",
    "W3_events_4_threads": "events",
    "W4_lines": "ready_lines",
    "W5_latency": "latency",
    "W6_4_processes": "shared_file",
    "W7_requests": "requests",
    "W8_asgi": "asgi",
    "W9_compression": "compression",
    "W10_follow": "following",
    "kill": "kill",
}
NAMES = tuple(MODULES)
# How speed changes with threads, processes, sizes: asked of few, in a full run only.
GROWTH_NAMES = (
    *(f"growth_threads_{count}" for count in THREAD_COUNTS),
    *(f"growth_processes_{count}" for count in PROCESS_COUNTS),
    *(f"growth_line_{size}" for size in LINE_SIZES_BYTES),
    *(f"growth_ring_{size}" for size in RING_SIZES_KIB),
)
ALL_NAMES = (*NAMES, *GROWTH_NAMES)


def workload_named(name: str) -> Workload:
    module = importlib.import_module(f"workloads.{MODULES.get(name, 'growth')}")
    workloads: list[Workload] = module.WORKLOADS
    return next(each for each in workloads if each.name == name)
