"""What a command says when it can't do what it was asked for."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import click

__all__ = ["Blame", "Refusal", "complain", "refusing", "shown_name"]

_LINES_MAX = 10


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


def shown_name(file: str) -> str:
    """Return what a *file* is called that a command was given; ``-`` has a name."""
    return "<stdin>" if file == "-" else file


class Blame:
    """Tells of lines of a file that are wrong, the first few of them one by one."""

    def __init__(self, name: str) -> None:
        """Begin with a file of this *name*."""
        self._name = name
        self._count = 0

    def __call__(self, number: int, reason: str) -> None:
        """Take note of a line."""
        self._count += 1
        if self._count <= _LINES_MAX:
            # What a line holds must not steer the terminal that it is shown on.
            shown = "".join(c if c.isprintable() else repr(c)[1:-1] for c in reason)
            complain(f"{self._name}:{number}: {shown}")

    def end(self) -> None:
        """Tell how many more there were."""
        if self._count > _LINES_MAX:
            complain(f"{self._name}: {self._count - _LINES_MAX} more such lines")
