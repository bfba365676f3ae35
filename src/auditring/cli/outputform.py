"""The form that a command prints in: text to be read, or JSON."""

from collections.abc import Callable
from typing import Any, Literal

import click

__all__ = ["Form", "form_option"]

Form = Literal["text", "json"]


def form_option(default: Form) -> Callable[[Any], Any]:
    """Return the option ``--format`` of a command, which gets it as *form*."""
    return click.option(
        "--format",
        "form",
        type=click.Choice(["text", "json"]),
        default=default,
        show_default=True,
        help="How to print: to be read, or as JSON.",
    )
