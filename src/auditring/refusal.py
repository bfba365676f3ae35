"""What a command can't do here: one line on standard error, exit status 2."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import click

__all__ = ["Refusal", "complain", "refusing"]


class Refusal(click.ClickException):
    """What was asked for can't be done here."""

    exit_code = 2

    def show(self, file: IO[Any] | None = None) -> None:
        """Tell it on standard error."""
        complain(self.message)


def complain(message: str) -> None:
    """Write a line on standard error that says who writes it."""
    click.echo(f"auditring: {message}", err=True)


@contextmanager
def refusing(subject: str) -> Iterator[None]:
    """Turn what *subject* can't do into a refusal."""
    try:
        yield
    except OSError as error:
        raise Refusal(f"{subject}: {error.strerror or error}") from error
    except ValueError as error:
        raise Refusal(str(error)) from error
