"""All workloads of the comparison, in their order.

A module is imported when one of its workloads is asked for: a run, which is a process,
shouldn't wait for what it doesn't need.
"""

import importlib

from workloads.workload import Workload

__all__ = ["NAMES", "workload_named"]

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


def workload_named(name: str) -> Workload:
    module = importlib.import_module(f"workloads.{MODULES[name]}")
    workloads: list[Workload] = module.WORKLOADS
    return next(each for each in workloads if each.name == name)
