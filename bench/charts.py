"""Charts of the comparison, each as PNG and as SVG.

Colours tell whose side a contender is on; a hatched bar is one whose lines weren't all
there, or were there twice.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["coarse_points", "draw_all", "growth_points", "percentile_points"]

Row = Mapping[str, Any]
COLORS = {"ours": "#0b6e4f", "rival": "#8a8d91", "limit": "#d9a441"}
PERCENTILES = {
    "p50_ns": "50",
    "p90_ns": "90",
    "p99_ns": "99",
    "p99_9_ns": "99.9",
    "p99_99_ns": "99.99",
    "max_ns": "max",
}
BARS = ("W1_text", "W2_text_4_threads", "W3_events", "W4_lines", "W6_4_processes")
NS_PER_US = 1000
COARSE = {
    "threads (events)": {1: "W3_events", 4: "W3_events_4_threads"},
    "processes (ready lines)": {1: "W4_lines", 4: "W6_4_processes"},
}
DPI = 110


def draw_all(folder: Path, facts: Mapping[str, Any], rows: Sequence[Row]) -> list[Path]:
    """Draw what *rows* have figures for; return the files that were made.

    A chart of an earlier run that this one has no figures for is removed.
    """
    import matplotlib

    matplotlib.use("Agg")
    # The same bytes from the same figures.
    matplotlib.rcParams["svg.hashsalt"] = "auditring"
    caption = (
        f"{facts['machine']}, {facts['python']}, kernel {facts['kernel']}, commit "
        f"{facts['commit']}; {facts['durability']}; others kept "
        f"{facts['cores_busy_with_others']} cores busy"
    )
    measured = [row for row in rows if row["median_per_s"] is not None]
    charts: dict[str, Callable[[Figure, Sequence[Row]], bool]] = {
        "throughput": _throughput,
        "latency": _latency,
        "growth": _growth,
    }
    made = []
    for name, draw in charts.items():
        made += _draw(folder, name, draw, measured, caption)
    return made


def percentile_points(row: Row) -> list[tuple[str, float]]:
    """Return the percentiles of a row and their microseconds, in rising order."""
    figures = row["figures"]
    return [
        (label, figures[key]["median"] / NS_PER_US)
        for key, label in PERCENTILES.items()
        if key in figures
    ]


def growth_points(
    rows: Sequence[Row], prefix: str
) -> dict[str, list[tuple[int, float]]]:
    """Return by contender what it reached at each number that ends a workload."""
    points: dict[str, list[tuple[int, float]]] = {}
    for row in rows:
        if row["workload"].startswith(prefix):
            number = int(row["workload"].removeprefix(prefix))
            own = points.setdefault(row["contender"], [])
            own.append((number, row["median_per_s"]))
    return {name: sorted(own) for name, own in points.items()}


def coarse_points(
    rows: Sequence[Row], workloads: Mapping[int, str]
) -> dict[str, list[tuple[int, float]]]:
    """Return by contender what it reached in workloads that stand for a number.

    A quick run has no other points; contenders that miss one of them are left out.
    """
    points: dict[str, list[tuple[int, float]]] = {}
    for number, name in workloads.items():
        for row in rows:
            if row["workload"] == name:
                points.setdefault(row["contender"], []).append(
                    (number, row["median_per_s"])
                )
    return {name: own for name, own in points.items() if len(own) == len(workloads)}


def _draw(
    folder: Path,
    name: str,
    draw: Callable[["Figure", Sequence[Row]], bool],
    rows: Sequence[Row],
    caption: str,
) -> list[Path]:
    from matplotlib import pyplot

    figure = pyplot.figure(layout="constrained")
    made = []
    paths = [folder / f"{name}.{suffix}" for suffix in ("png", "svg")]
    for path in paths:
        path.unlink(missing_ok=True)
    if draw(figure, rows):
        figure.supxlabel(caption, fontsize=6, color="#555555")
        for path in paths:
            suffix = path.suffix[1:]
            metadata = {"Date": None} if suffix == "svg" else {}
            figure.savefig(path, dpi=DPI, metadata=metadata)
            made.append(path)
    pyplot.close(figure)
    return made


def _throughput(figure: "Figure", rows: Sequence[Row]) -> bool:
    names = [name for name in BARS if any(row["workload"] == name for row in rows)]
    if not names:
        return False
    figure.set_size_inches(11, 3.6 * ((len(names) + 1) // 2))
    axes = figure.subplots((len(names) + 1) // 2, 2, squeeze=False).flat
    for axis, name in zip(axes, names, strict=False):
        own = [row for row in rows if row["workload"] == name]
        own.sort(key=lambda row: row["median_per_s"])
        bars = axis.barh(
            [row["contender"] for row in own],
            [row["median_per_s"] for row in own],
            color=[COLORS[row["side"]] for row in own],
            xerr=_spread(own),
            error_kw={"linewidth": 0.8},
        )
        for bar, row in zip(bars, own, strict=True):
            if row["exact"] is False:
                bar.set_hatch("////")
                bar.set_edgecolor("#b00020")
        axis.set_title(f"{name}: {own[0]['title']}", fontsize=8)
        axis.set_xlabel(f"{own[0]['unit']} a second, log scale", fontsize=7)
        axis.set_xscale("log")
        axis.tick_params(labelsize=6)
    if len(names) % 2:
        figure.axes[-1].set_visible(False)
    figure.suptitle("Throughput; hatched: lines lost, doubled or torn", fontsize=10)
    return True


def _spread(rows: Sequence[Row]) -> tuple[list[float], list[float]]:
    below = [row["median_per_s"] - row["min_per_s"] for row in rows]
    above = [row["max_per_s"] - row["median_per_s"] for row in rows]
    return below, above


def _latency(figure: "Figure", rows: Sequence[Row]) -> bool:
    own = [row for row in rows if row["workload"] == "W5_latency"]
    if not own:
        return False
    from matplotlib import colormaps

    figure.set_size_inches(9, 5)
    axis = figure.subplots()
    palette = colormaps["tab20"]
    axis.set_prop_cycle(color=[palette(number) for number in range(palette.N)])
    for row in own:
        points = percentile_points(row)
        is_ours = row["side"] == "ours"
        axis.plot(
            [label for label, _ in points],
            [value for _, value in points],
            label=row["contender"],
            color=COLORS["ours"] if is_ours else None,
            linewidth=2.5 if is_ours else 1,
            linestyle=":" if row["side"] == "limit" else "-",
            marker="o",
            markersize=3,
        )
    axis.set_yscale("log")
    axis.set_ylabel("µs a call, log scale")
    axis.set_xlabel("percentile")
    axis.grid(visible=True, which="both", linewidth=0.3)
    axis.legend(fontsize=6, ncols=2)
    axis.set_title(own[0]["title"], fontsize=9)
    return True


def _growth(figure: "Figure", rows: Sequence[Row]) -> bool:
    kinds = {
        "growth_threads_": "threads",
        "growth_processes_": "processes",
        "growth_line_": "bytes a line",
        "growth_ring_": "KiB of the ring",
    }
    found = {prefix: growth_points(rows, prefix) for prefix in kinds}
    found = {kinds[prefix]: points for prefix, points in found.items() if points}
    if not found:
        coarse = {kind: coarse_points(rows, own) for kind, own in COARSE.items()}
        found = {kind: points for kind, points in coarse.items() if points}
    if not found:
        return False
    figure.set_size_inches(5.5 * len(found), 4)
    axes = figure.subplots(1, len(found), squeeze=False).flat
    for axis, (kind, points) in zip(axes, found.items(), strict=True):
        for name, own in points.items():
            axis.plot(
                [number for number, _ in own],
                [speed for _, speed in own],
                marker="o",
                markersize=3,
                label=name,
                color=COLORS["ours"] if name == "auditring" else None,
            )
        axis.set_xscale("log", base=2)
        axis.set_yscale("log")
        axis.set_xlabel(kind)
        axis.set_ylabel("lines a second, log scale", fontsize=7)
        axis.grid(visible=True, which="both", linewidth=0.3)
        axis.legend(fontsize=6)
    return True
