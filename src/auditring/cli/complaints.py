"""What a command says when it can't do what it was asked for."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import click

from ..errors import printable

__all__ = ["Blame", "Refusal", "complain", "refusing", "shown_name"]

_LINES_MAX = 10
_OF_WRITING = (errno.ENOSPC, errno.EDQUOT)


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
def refusing(subject: str, *, writes: bool = False) -> Iterator[None]:
    """Turn what *subject* can't do into a refusal.

    Args:
        subject: What is read, or written if *writes*. A full disk is that of standard
            output, where nothing else is written.
        writes: Whether it is written.
    """
    try:
        yield
    except BrokenPipeError:
        raise  # Nobody reads any more, which click ends quietly.
    except OSError as error:
        if error.errno in _OF_WRITING and error.filename is None and not writes:
            raise  # `CommandGroup` says whose it is.
        told = error.strerror or str(error)
        if _is_another(error.filename, subject):
            told = f"{error.filename}: {told}"
        raise Refusal(f"{subject}: {told}") from error
    except ValueError as error:
        raise Refusal(str(error)) from error


def _is_another(name: object, subject: str) -> bool:
    """Tell whether an error is of another file than *subject*, such as a cursor's.

    Neither a directory that it is in, nor what is made beside it.
    """
    if not isinstance(name, str) or os.path.basename(subject) in name:
        return False
    return not os.path.realpath(subject).startswith(os.path.realpath(name))


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
            complain(f"{self._name}:{number}: {printable(reason)}")

    def end(self) -> None:
        """Tell how many more there were."""
        if self._count > _LINES_MAX:
            complain(f"{self._name}: {self._count - _LINES_MAX} more such lines")
