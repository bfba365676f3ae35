"""What a command says when it can't do what it was asked for."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import click

__all__ = ["Refusal", "complain", "refusing"]


class Refusal(click.ClickException):
    """What was asked for can't be done here: one line on standard error, status 2."""

    exit_code = 2

    def show(self, file: IO[Any] | None = None) -> None:
        """Say it; *file* is standard error in any case."""
        complain(self.message)


def complain(message: str) -> None:
    """Say something on standard error, in a line of its own."""
    click.echo(f"auditring: {message}", err=True)


@contextmanager
def refusing(subject: str) -> Iterator[None]:
    """Turn what *subject* can't do into a refusal."""
    try:
        yield
    except BrokenPipeError:
        raise  # Nobody reads any more, which click ends quietly.
    except OSError as error:
        raise Refusal(f"{subject}: {error.strerror or error}") from error
    except ValueError as error:
        raise Refusal(str(error)) from error
