"""Command lines of the programs that measure workloads in rounds."""

import argparse
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

__all__ = ["chosen_parameters", "made_folder", "workload_parser"]

BENCH = Path(__file__).parent


class Rounds(Protocol):
    """Parameters: a dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Any]]


Chosen = TypeVar("Chosen", bound=Rounds)


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


def chosen_parameters(options: argparse.Namespace, usual: Chosen) -> Chosen:
    """Return the *usual* parameters or those of ``--quick``, in as many rounds as said.

    Args:
        options: As the parser made them.
        usual: A dataclass with `rounds`.
    """
    parameters: Chosen = options.quick or usual
    if options.rounds:
        return replace(parameters, rounds=options.rounds)
    return parameters


def made_folder(options: argparse.Namespace) -> Path:
    """Return the folder for logs, which is there then."""
    folder: Path = options.dir.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    return folder
