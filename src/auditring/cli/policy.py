"""The commands ``auditring policy ...``: ask a policy before a server has to obey it.

What they work with is imported by each when it runs, so that ``--help`` needn't wait.
"""

import json
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

import click

from ..documents.linesplitter import EVENT_MAX_BYTES, LineSplitter, too_long
from ..documents.namedfile import argument_chunks, read_argument
from ..errors import PolicyError, RequestError
from .complaints import Blame, Refusal, complain, refusing, shown_name
from .outputform import Form, form_option
from .policy_report import (
    decision_document,
    decision_text,
    explanation_document,
    explanation_text,
    problem_document,
    problem_line,
    request_text,
    simulation_document,
    simulation_text,
)
from .progress import counted

if TYPE_CHECKING:
    from ..policy.policy import Policy
    from ..policy.simulation import Simulation
    from ..policy.targetreading import Compat
    from ..policy.text import Dialect
    from ..request.attributes import Attributes

__all__ = ["policy"]

# No server takes a request as long as that.
REQUEST_MAX_BYTES: Final = 1024**2

_file = click.argument("file", metavar="FILE")
_requests = click.argument("requests", metavar="[REQUESTS]", default="-")
_dialect = click.option(
    "--dialect",
    type=click.Choice(["any", "kubernetes", "loft"]),
    default="any",
    show_default=True,
    help="What a policy may look like: as Kubernetes v1.36 takes it, as a block of"
    " Loft's configuration, or either, with Loft's fields.",
)
_compat = click.option(
    "--compat",
    type=click.Choice(["seeds", "types", "platform"]),
    default="seeds",
    show_default=True,
    help="Whose reading of Loft's targets counts, as the key `compat` of a"
    " configuration: with seeds, VCluster stands for ProjectVCluster, too.",
)
_gateway = click.option(
    "--gateway",
    "is_behind_gateway",
    is_flag=True,
    help="URLs are those of Loft's gateway: tell target and cluster by their prefix,"
    " and take it off. Without it, only if rules are for targets or clusters.",
)


@click.group()
def policy() -> None:
    """Check an audit policy, and try out what it does.

    FILE is a policy: YAML or JSON, as Kubernetes or Loft takes it; "-" is standard
    input.
    """


@policy.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option(
    "--strict",
    is_flag=True,
    help="Unknown and repeated fields are errors. Kubernetes only warns of them in its"
    " log and ignores them, which makes a rule wider than it looks.",
)
@click.option(
    "--dialect",
    type=click.Choice(["any", "kubernetes", "loft"]),
    show_default="kubernetes",
    help="Who is to take them: Kubernetes v1.36, Loft as a block of its configuration,"
    " or either, with Loft's fields. Unless told, a file that is a configuration of"
    " Loft is taken for that, and its policy is checked.",
)
@form_option("text")
def check(
    files: tuple[str, ...], strict: bool, dialect: "Dialect | None", form: Form
) -> None:
    """Tell everything that is wrong with policies, with its line.

    What Kubernetes takes, but can't mean what it says, is marked as a warning: fields
    that it ignores, and what that leaves open; values that no request has; rules that
    are never reached. A last line for each file says what it comes to.

    Exit status: 1 if Kubernetes would refuse one of them, or Loft with --dialect loft.
    """
    from ..policy.inspection import inspect_policy

    inspections = [
        (file, inspect_policy(_read(file), dialect=dialect, strict=strict))
        for file in files
    ]
    if form == "json":
        found = [
            problem_document(file, *each)
            for file, inspection in inspections
            for each in inspection.findings
        ]
        click.echo(json.dumps(found, indent=1))
    else:
        for file, inspection in inspections:
            for each in inspection.findings:
                click.echo(problem_line(file, *each))
            click.echo(f"{file}: {inspection.summary}")
        if len(files) > 1:
            refused = sum(inspection.is_refused for _, inspection in inspections)
            click.echo(f"{len(files)} files, {refused or 'none'} of them refused")
    sys.exit(any(inspection.is_refused for _, inspection in inspections))


@policy.command("eval")
@_file
@_requests
@_gateway
@_dialect
@_compat
@form_option("json")
def evaluate(
    file: str,
    requests: str,
    is_behind_gateway: bool,
    dialect: "Dialect",
    compat: "Compat",
    form: Form,
) -> None:
    """Say how the policy FILE decides on requests.

    REQUESTS, or standard input, has one on each line, as JSON:

    {"method": "GET", "url": "/api/v1/pods?watch=1", "user": {"name": "alice",
    "groups": ["dev"]}}

    It may say "requestTarget" and "cluster", too. Any other member is an error.

    For each, a line tells its level, what is omitted and the index of the rule that
    decided, -1 for none. Exit status: 1 if a line is no request, or longer than 1 MiB.
    """
    asked = _load(file, dialect, compat)

    def answer(request: "Attributes") -> tuple[dict[str, object], str]:
        decision = asked.evaluate(request)
        text = f"{request_text(request)}: {decision_text(decision)}"
        return decision_document(decision), text

    lines = _Requests(requests, asked, is_behind_gateway)
    sys.exit(lines.print_answers(answer, form))


@policy.command()
@_file
@_requests
@_gateway
@_dialect
@_compat
@form_option("text")
def explain(
    file: str,
    requests: str,
    is_behind_gateway: bool,
    dialect: "Dialect",
    compat: "Compat",
    form: Form,
) -> None:
    """Say which rule of the policy FILE decides, and why those before it don't.

    REQUESTS are those of `eval`.
    """
    from ..policy.explanation import explain as explain_request

    asked = _load(file, dialect, compat)

    def answer(request: "Attributes") -> tuple[dict[str, object], str]:
        explanation = explain_request(asked, request)
        text = explanation_text(file, asked, request, explanation)
        return explanation_document(explanation), text

    lines = _Requests(requests, asked, is_behind_gateway)
    sys.exit(lines.print_answers(answer, form))


@policy.command()
@_file
@click.argument("logs", metavar="LOG...", nargs=-1, required=True)
@_dialect
@_compat
@form_option("text")
def simulate(
    file: str,
    logs: tuple[str, ...],
    dialect: "Dialect",
    compat: "Compat",
    form: Form,
) -> None:
    """Replay recorded audit logs through the policy FILE.

    Each LOG is a file of events, one a line; "-" is standard input. What gzip, zstd,
    lz4, bzip2 or xz packed is unpacked. Events that others wrapped are found in what is
    around them: in exports of CloudWatch (EKS) and Azure (AKS), logs of Docker and CRI,
    documents of Elastic, EventLists, arrays, behind the words of `oc adm node-logs`.

    For each rule it tells how many of the recorded events the rule decides on, and how
    many events and bytes would be lost or gained; and which rules matched nothing.

    What a log doesn't hold can't be told: events that would have a body which wasn't
    recorded are counted as "bodies missing". A stage that wasn't recorded counts as
    gained, with the size that follows from the other stages of its request.

    Exit status: 1 if a line of a log holds no event, or is longer than 16 MiB; such
    lines are told and left out.
    """
    from ..policy.simulation import Simulation

    asked = _load(file, dialect, compat)
    simulation = Simulation(asked)
    for log in logs:
        _replay(simulation, log)
    if form == "json":
        click.echo(json.dumps(simulation_document(simulation), indent=1))
    else:
        click.echo(simulation_text(file, asked, simulation))
    if simulation.unreadable_lines:
        count = simulation.unreadable_lines
        complain(f"{count} line{'s hold' if count > 1 else ' holds'} no event")
    sys.exit(bool(simulation.unreadable_lines))


def _replay(simulation: "Simulation", log: str) -> None:
    from ..event.recordedevents import RecordedEvents
    from ..event.recordedlog import read_lines
    from ..files.formats import DamagedError

    name = shown_name(log)
    blame = Blame(name)
    reader = RecordedEvents(blame)
    with refusing(name):
        try:
            lines = read_lines(
                log,
                on_long=lambda number, size: reader.skip(size),
                limit_bytes=EVENT_MAX_BYTES,
            )
            simulation.replay(counted(lines, f"lines of {name}"), reader)
        except DamagedError as error:
            raise Refusal(f"{name}: damaged: {error}") from error
    blame.end()
    for wrapping, count in reader.forms.items():
        events = f"{count} event{'s' * (count > 1)}"
        complain(f"{name}: {events} found inside of {wrapping}")


@policy.command()
@click.argument("name", metavar="NAME")
def preset(name: str) -> None:
    """Print one of the policies that come along.

    NAME is application-1 to application-4, for an application with paths of its own;
    an audit level of Loft, from 1 to 4, or loft-level-1 to loft-level-4, loft-strict;
    classic (the example of Kubernetes' documentation) or gce.
    """
    from ..policy.policy import preset_text

    with refusing(name):
        click.echo(preset_text(int(name) if name.isdecimal() else name), nl=False)


def _read(file: str) -> bytes:
    with refusing(file):
        return read_argument(file)


def _load(file: str, dialect: "Dialect", compat: "Compat") -> "Policy":
    """Load a policy; its warnings are told, and its errors end the command."""
    from ..policy.policy import Policy

    try:
        asked = Policy.from_yaml(_read(file), dialect=dialect, compat=compat)
    except PolicyError as error:
        for problem in error.problems:
            click.echo(problem_line(file, "error", problem), err=True)
        sys.exit(1)
    for problem in asked.warnings:
        click.echo(problem_line(file, "warning", problem), err=True)
    return asked


def _chunks(file: str) -> Iterator[bytes]:
    with refusing(file):
        yield from argument_chunks(file)


class _Requests:
    """Requests of a file, or the errors that they get without being audited."""

    def __init__(self, file: str, asked: "Policy", is_behind_gateway: bool) -> None:
        self._has_unreadable = False
        self._file = file
        self._is_behind_gateway = is_behind_gateway or any(
            rule.request_targets or rule.clusters for rule in asked.rule_set.rules
        )

    def print_answers(
        self,
        answer: Callable[["Attributes"], tuple[dict[str, object], str]],
        form: Form,
    ) -> int:
        """Print what is answered to each; return what the command is to exit with.

        That is 1 if a line was no request.
        """
        for request in self._read():
            if isinstance(request, RequestError):
                document: dict[str, object] = {"requestError": str(request)}
                text = f"refused: {request}"
            else:
                document, text = answer(request)
            click.echo(json.dumps(document) if form == "json" else text)
        return int(self._has_unreadable)

    def _read(self) -> Iterator["Attributes | RequestError"]:
        from ..policy.requestlines import read_request

        splitter = LineSplitter(self._pass_over, REQUEST_MAX_BYTES)
        for line in splitter.lines_of(_chunks(self._file)):
            if not line.strip():
                continue
            try:
                yield read_request(line, is_behind_gateway=self._is_behind_gateway)
            except RequestError as error:
                yield error
            except ValueError as error:
                self._blame(splitter.number, str(error))

    def _pass_over(self, number: int, size: int) -> None:
        self._blame(number, too_long(size, REQUEST_MAX_BYTES))

    def _blame(self, number: int, message: str) -> None:
        complain(f"{shown_name(self._file)}:{number}: {message}")
        self._has_unreadable = True
