"""The commands ``auditring config ...``: ask a configuration before it has to work."""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..config.commandlines import PROGRAM
from ..documents.namedfile import read_argument
from ..errors import ConfigError, ConfigProblem
from .complaints import refusing
from .outputform import Form, form_option

if TYPE_CHECKING:
    from ..config.loading import Config

__all__ = ["config"]

_no_environment = click.option(
    "--no-env",
    "is_alone",
    is_flag=True,
    help="Don't look at the environment variables AUDITRING_...",
)
# kube-apiserver's flags come along as they are.
_WITH_FLAGS = {"ignore_unknown_options": True}
_arguments = click.argument(
    "arguments", metavar="[FILE] [--audit-...]", nargs=-1, type=click.UNPROCESSED
)


@click.group()
def config() -> None:
    """Check a configuration, and see what it comes to.

    FILE is YAML or JSON: Loft's audit block with this package's keys; "-" is standard
    input. Environment variables and the --audit-... flags of kube-apiserver count as
    they do when a program starts.
    """


@config.command(context_settings=_WITH_FLAGS)
@_arguments
@_no_environment
@form_option("text")
def check(arguments: tuple[str, ...], is_alone: bool, form: Form) -> None:
    """Tell everything that is wrong with a configuration, with its line.

    FILE may be the values of Loft's chart, a kube-apiserver's command line, or a
    document that has one, such as its Pod manifest. A last line says what it comes to.

    Nothing is opened or written. Exit status: 1 if it can't be used as it is. What has
    no effect is marked as a warning.
    """
    problems, loaded = _load(arguments, is_alone)
    if not arguments and loaded is not None and not loaded.origins:
        raise click.UsageError("Missing argument 'FILE'.")
    if form == "json":
        click.echo(json.dumps([_document(each) for each in problems], indent=1))
    else:
        for problem in problems:
            click.echo(str(problem))
        if loaded is not None:
            from ..config.shown import summary

            click.echo(summary(loaded))
    sys.exit(any(problem.severity == "error" for problem in problems))


@config.command(context_settings=_WITH_FLAGS)
@_arguments
@_no_environment
@form_option("text")
def show(arguments: tuple[str, ...], is_alone: bool, form: Form) -> None:
    """Print what holds: every key with its value, and where that comes from.

    A database's password is not shown. Exit status: 1 if the configuration can't be
    used; what is wrong with it is told on standard error.
    """
    from ..config.shown import shown_document, shown_text

    problems, loaded = _load(arguments, is_alone)
    for problem in problems:
        click.echo(str(problem), err=True)
    if loaded is None:
        sys.exit(1)
    if form == "json":
        click.echo(json.dumps(shown_document(loaded), indent=1))
    else:
        click.echo(shown_text(loaded))


@config.command()
def schema() -> None:
    """Print the JSON Schema of a configuration, for editors."""
    from ..config.schema import config_schema

    click.echo(json.dumps(config_schema(), indent=2))


@config.command()
def reference() -> None:
    """Print all keys, variables and flags as Markdown."""
    from ..config.reference import config_reference

    click.echo(config_reference(), nl=False)


def _load(
    arguments: tuple[str, ...], is_alone: bool
) -> "tuple[tuple[ConfigProblem, ...], Config | None]":
    """Return what is wrong, and the configuration if it can be used."""
    from ..config.flags import read_flags
    from ..config.loading import load_config, parse_config

    found = read_flags(arguments)
    files = _without_others(found.rest) if found.is_used else found.rest
    _refuse_others(files)
    environ: dict[str, str] | None = {} if is_alone else None
    with refusing(files[0] if files else "the configuration"):
        try:
            if files == ["-"]:
                loaded = parse_config(
                    read_argument("-"),
                    name="-",
                    environ=environ,
                    flags=arguments,
                    is_check=True,
                )
            else:
                file = Path(files[0]) if files else None
                loaded = load_config(
                    file, environ=environ, flags=arguments, is_check=True
                )
        except ConfigError as error:
            return error.problems, None
    return loaded.warnings, loaded


def _without_others(rest: list[str]) -> list[str]:
    """Leave out what is of kube-apiserver's command line beside its audit flags."""
    if rest and Path(rest[0]).name == PROGRAM:
        return []
    files = []
    is_value = False
    for word in rest:
        is_option = word.startswith("--") and not _is_nearly_ours(word)
        if not is_option and not is_value:
            files.append(word)
        is_value = is_option and "=" not in word
    return files


def _is_nearly_ours(word: str) -> bool:
    from difflib import get_close_matches

    return bool(get_close_matches(word, ("--no-env", "--format", "--help"), 1))


def _refuse_others(arguments: Iterable[str]) -> None:
    given = list(arguments)
    options = [each for each in given if each.startswith("-") and each != "-"]
    if options:
        raise click.UsageError(f"No such option: {options[0]}")
    if len(given) > 1:
        raise click.UsageError(f"Got unexpected extra argument ({given[1]})")


def _document(problem: ConfigProblem) -> dict[str, Any]:
    return {
        "file": problem.place,
        "line": problem.line,
        "severity": problem.severity,
        "key": problem.key,
        "message": problem.message,
    }
