"""W3: an audit event of about 1 KB, a dict, to a line of JSON."""

from workloads.writing import WRITE_LOOP, Writing

__all__ = ["WORKLOADS"]

WORKLOADS = [
    Writing(
        "W3_events",
        "an audit event of 1 KB, dict to line, one thread",
        "dict",
        limits=["orjson.dumps", WRITE_LOOP],
    ),
    Writing(
        "W3_events_4_threads",
        "the same from 4 threads",
        "dict",
        threads=4,
        limits=["orjson.dumps"],
    ),
]
