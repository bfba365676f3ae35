"""What all commands end with, whatever goes wrong: one line, and the right status."""

import sys
from typing import Any

import click

from .complaints import complain

__all__ = ["INTERRUPTED", "CommandGroup"]

INTERRUPTED = 130
"""The exit status after Ctrl-C: 128 and the number of SIGINT, as shells count."""

STANDARD_OUTPUT = "standard output"


class CommandGroup(click.Group):
    """The commands, with one door for what no command expects."""

    def main(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401  # as click has it
        """Run a command; a full disk behind a pipe or file is told in one line."""
        try:
            return super().main(*args, **options)
        except OSError as error:
            name = error.filename or STANDARD_OUTPUT
            complain(f"{name}: {error.strerror or error}")
            sys.exit(2)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401  # as click has it
        """Run it; Ctrl-C ends it without a traceback."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            ctx.exit(INTERRUPTED)
