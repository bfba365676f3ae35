"""orjson.dumps alone: the limit for whoever writes events as JSON."""

import time
from collections.abc import Sequence
from itertools import cycle, islice
from typing import Any

import orjson
from rounds import Run

__all__ = ["encode_events"]


def encode_events(events: Sequence[dict[str, Any]], count: int) -> Run:
    dumps = orjson.dumps
    start = time.perf_counter()
    for event in islice(cycle(events), count):
        dumps(event)
    return Run(count, time.perf_counter() - start)
