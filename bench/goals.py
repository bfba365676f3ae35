"""What the comparison is to show, next to what it shows.

Figures are of medians of one interleaved run. The best rival is the fastest that
rotates and whose lines were all there, once, in the same workload.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["Goal", "goals"]

Row = Mapping[str, Any]
NS_PER_US = 1000
NS_PER_MS = 1_000_000

OURS = "auditring"
HANDLER = "auditring handler"
INSTALLED = "auditring handler, installed"


@dataclass(frozen=True, slots=True)
class Goal:
    """A figure, its limit, and what it was compared with."""

    name: str
    figure: float
    relation: Literal[">=", "<="]
    limit: float
    against: str = ""

    @property
    def is_reached(self) -> bool:
        if self.relation == ">=":
            return self.figure >= self.limit
        return self.figure <= self.limit


class _Rows:
    """Rows by workload and contender; only those that have a speed."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = {
            (row["workload"], row["contender"]): row
            for row in rows
            if row["median_per_s"]
        }

    def get(self, workload: str, contender: str) -> Row | None:
        return self._rows.get((workload, contender))

    def best_rival(self, workload: str) -> Row | None:
        rivals = [
            row
            for (name, _), row in self._rows.items()
            if name == workload
            and row["side"] == "rival"
            and row["rotates"]
            and row["exact"]
        ]
        return max(rivals, key=lambda row: row["median_per_s"], default=None)


def goals(rows: Sequence[Row]) -> list[Goal]:
    """Return every goal whose contenders all took part."""
    found = _Rows(rows)
    return [
        *_text(found),
        *_events(found),
        *_lines(found),
        *_threads(found),
        *_latency(found),
        *_processes(found),
        *_requests(found),
        *_compression(found),
        *_kills(found),
    ]


def _text(rows: _Rows) -> Iterator[Goal]:
    name = "W1_text"
    ours, null = rows.get(name, HANDLER), rows.get(name, "NullHandler")
    if ours and null:
        added_us = (_median(ours, "ns_a_line") - _median(null, "ns_a_line")) / NS_PER_US
        yield Goal("W1 handler over a NullHandler, µs", added_us, "<=", 1.2)
    yield from _ratio("W1 handler", ours, rows.get(name, "RotatingFileHandler"), 3.5)
    yield from _ratio(
        "W1 installed", rows.get(name, INSTALLED), rows.best_rival(name), 1.2
    )


def _events(rows: _Rows) -> Iterator[Goal]:
    name = "W3_events"
    ours = rows.get(name, OURS)
    yield from _ratio("W3 events", ours, rows.best_rival(name), 2.2)
    if ours and ours["ratio_to_limit"]:
        limit = ours["ratio_to_limit"]
        yield Goal("W3 events", limit, ">=", 0.75, "orjson.dumps or C loop")


def _lines(rows: _Rows) -> Iterator[Goal]:
    name = "W4_lines"
    ours = rows.get(name, OURS)
    yield from _ratio("W4 lines", ours, rows.best_rival(name), 2.5)
    yield from _ratio("W4 lines", ours, rows.get(name, "C write(2) loop"), 0.85)


def _threads(rows: _Rows) -> Iterator[Goal]:
    for one, four, name in (
        ("W1_text", "W2_text_4_threads", INSTALLED),
        ("W1_text", "W2_text_4_threads", HANDLER),
        ("W3_events", "W3_events_4_threads", OURS),
    ):
        ours, alone = rows.get(four, name), rows.get(one, name)
        if ours and alone:
            figure = ours["median_per_s"] / alone["median_per_s"]
            yield Goal(f"{four}, {name}", figure, ">=", 0.9, "one thread")


def _latency(rows: _Rows) -> Iterator[Goal]:
    ours = rows.get("W5_latency", OURS)
    nothing = rows.get("W5_latency", "C call")
    if ours and nothing:
        for key, unit_ns, unit, limit in (
            ("p99_9_ns", NS_PER_US, "µs", 20.0),
            ("max_ns", NS_PER_MS, "ms", 2.0),
        ):
            twice = 2 * _median(nothing, key) / unit_ns
            name = f"W5 {key.removesuffix('_ns').replace('_', '.')}, {unit}"
            figure = _median(ours, key) / unit_ns
            yield Goal(name, figure, "<=", max(limit, twice), "or 2 x doing nothing")


def _processes(rows: _Rows) -> Iterator[Goal]:
    name = "W6_4_processes"
    ours = rows.get(name, OURS)
    yield from _ratio("W6", ours, rows.get(name, "concurrent-log-handler"), 10)
    yield from _ratio("W6", ours, rows.best_rival(name), 2.5)


def _requests(rows: _Rows) -> Iterator[Goal]:
    if ours := rows.get("W7_requests", OURS):
        figure = _median(ours, "cpu_ns_a_recorded_one") / NS_PER_US
        yield Goal("W7 µs of CPU a recorded request", figure, "<=", 3)


def _compression(rows: _Rows) -> Iterator[Goal]:
    name = "W9_compression"
    for ours, bare in (("gzip", "isal call"), ("zstd", "zstandard call")):
        call = rows.get(name, f"{bare}, level 1")
        yield from _ratio(f"W9 {ours}", rows.get(name, f"auditring {ours}"), call, 0.9)


def _kills(rows: _Rows) -> Iterator[Goal]:
    for name in (OURS, HANDLER, INSTALLED):
        if row := rows.get("kill", name):
            yield Goal(f"kill, {name}: lines lost", row["lost"], "<=", 0)
            yield Goal(f"kill, {name}: lines torn", row["foreign"], "<=", 0)


def _ratio(
    name: str, ours: Row | None, other: Row | None, limit: float
) -> Iterator[Goal]:
    if ours and other:
        figure = ours["median_per_s"] / other["median_per_s"]
        yield Goal(name, figure, ">=", limit, other["contender"])


def _median(row: Row, figure: str) -> float:
    value: float = row["figures"][figure]["median"]
    return value
