"""Command lines of the programs that measure workloads in rounds."""

import argparse
from collections.abc import Iterable
from pathlib import Path

__all__ = ["workload_parser"]

BENCH = Path(__file__).parent


def workload_parser(
    text: str | None, workloads: Iterable[str], *, quick: object, results: str
) -> argparse.ArgumentParser:
    """Return a parser of what such programs have in common.

    Args:
        text: The docstring of the program; its first line is the description.
        workloads: Names to choose from.
        quick: What ``--quick`` stands for; the option is None without it.
        results: What is kept, for the help.
    """
    parser = argparse.ArgumentParser(description=(text or "").partition("\n")[0])
    parser.add_argument(
        "--quick",
        action="store_const",
        const=quick,
        help="takes a few minutes at most; the figures are rougher",
    )
    parser.add_argument("--rounds", type=int, metavar="N", help="instead of the usual")
    parser.add_argument(
        "--only",
        action="append",
        choices=list(workloads),
        help="a workload; may be given several times",
    )
    parser.add_argument(
        "--dir",
        type=Path,
        default=BENCH.parent / "build" / "bench",
        help="where logs are written and deleted; default: build/bench",
    )
    parser.add_argument(
        "--results",
        type=Path,
        default=BENCH / "results",
        help=f"where {results} go; default: bench/results",
    )
    return parser
