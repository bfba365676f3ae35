"""The promises of README, pyproject.toml, Makefile and the public door are kept."""

import ast
import importlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import pytest

import auditring
from auditring.cli import main

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "auditring"
PACKAGE = ROOT / "src" / "auditring"
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.name != "__main__.py")
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
# Frameworks and the like, which only their own applications use this package with.
BROUGHT_BY_APPLICATIONS = {
    "Django",
    "Flask",
    "asgiref",
    "prometheus_client",
    "starlette",
}
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def code_blocks(text: str, language: str) -> list[str]:
    """Return the fenced blocks of *text* that are marked with *language*."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def commands_of(text: str) -> Iterator[list[str]]:
    """Yield what the shell blocks of *text* run, split into words, comments removed."""
    for block in code_blocks(text, "sh"):
        for line in block.replace("\\\n", " ").splitlines():
            for command in line.split("|"):
                words = shlex.split(command, comments=True)
                if words:
                    yield words


def targets_in(words: list[str]) -> list[str]:
    """Return the targets that the command *words* makes, if it is make."""
    names = [word for word in words[1:] if "=" not in word]
    return names if words[0] == "make" else []


def make_targets() -> set[str]:
    """Return what the Makefile declares as its commands."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    declared = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    rules = re.findall(r"^([\w-]+):", makefile, re.MULTILINE)
    return set(" ".join(declared).split()) & set(rules)


def public_definitions(source: str) -> set[str]:
    """Return the classes and functions of *source* whose names don't start with _."""
    kinds = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    return {
        node.name
        for node in ast.parse(source).body
        if isinstance(node, kinds) and not node.name.startswith("_")
    }


def third_party_imports(source: str) -> set[str]:
    """Return the top-level packages that *source* imports and Python doesn't bring."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
    packages = {name.partition(".")[0] for name in names}
    return packages - sys.stdlib_module_names - {"auditring"}


def requirement_names(requirements: list[str]) -> set[str]:
    """Return the names of *requirements*, without versions and markers."""
    return {re.split(r"[^\w-]", requirement)[0] for requirement in requirements}


def run_python(*arguments: str, cwd: Path) -> str:
    """Run this interpreter in a process of its own and return what it prints."""
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_door_lists_every_public_name() -> None:
    public = {
        name
        for name, value in vars(auditring).items()
        if not name.startswith("_")
        and not isinstance(value, ModuleType)
        and getattr(value, "__module__", "").startswith("auditring")
    }

    # Some are imported when they are asked for.
    later = {"Attributes", "Auditor", "Event", "Level", "Policy", "Stage", "Stats"}
    later |= {"UserInfo", "__version__"}
    assert public | later == set(auditring.__all__)


def test_every_listed_name_can_be_had() -> None:
    assert all(hasattr(auditring, name) for name in auditring.__all__)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_a_module_with_public_names_lists_them(path: Path) -> None:
    defined = public_definitions(path.read_text(encoding="utf-8"))
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    module = importlib.import_module(".".join(parts).removesuffix(".__init__"))

    listed = getattr(module, "__all__", None)

    assert listed is not None or not defined
    assert all(hasattr(module, name) for name in listed or ())


def test_the_import_loads_no_third_party_module_but_orjson(tmp_path: Path) -> None:
    program = """\
import sys
before = set(sys.modules)
import auditring
# Cython keeps objects of its own under names that were never imported: no __spec__.
new = {name: sys.modules[name] for name in set(sys.modules) - before}
imported = [name for name in new if getattr(new[name], "__spec__", None)]
packages = {name.partition(".")[0] for name in imported}
print(*packages - sys.stdlib_module_names - {"auditring"})
"""

    loaded = run_python("-c", program, cwd=tmp_path).split()

    assert set(loaded) <= {"orjson"}


def test_the_version_is_the_same_everywhere() -> None:
    assert metadata.version("auditring") == auditring.__version__


def test_the_build_group_is_what_the_build_requires() -> None:
    required = PYPROJECT["build-system"]["requires"]

    assert PYPROJECT["dependency-groups"]["build"] == required


def test_the_declared_dependencies_are_those_that_are_imported() -> None:
    distributions = metadata.packages_distributions()
    imported: set[str] = set()
    for path in MODULES:
        for package in third_party_imports(path.read_text(encoding="utf-8")):
            imported.update(distributions[package])

    declared = requirement_names(PYPROJECT["project"]["dependencies"])

    assert imported - BROUGHT_BY_APPLICATIONS == declared


def test_the_examples_of_the_readme_run(tmp_path: Path) -> None:
    examples = code_blocks(README, "python")

    for example in examples:
        run_python("-c", example, cwd=tmp_path)

    assert examples

    lines = (tmp_path / "audit.log").read_bytes().splitlines()
    assert lines
    assert all(isinstance(json.loads(line), dict) for line in lines)


@pytest.mark.parametrize("text", [README, CONTRIBUTING], ids=["README", "CONTRIBUTING"])
def test_the_makefile_has_the_targets_that_are_named(text: str) -> None:
    named = {target for words in commands_of(text) for target in targets_in(words)}

    assert named
    assert named <= make_targets()


def test_ci_runs_targets_of_the_makefile() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")

    (targets,) = re.findall(r"^exec make (.*)$", script, re.MULTILINE)

    assert set(targets.split()) <= make_targets()


def test_the_commands_of_the_readme_exist() -> None:
    assert isinstance(main, click.Group)
    uses = [words[1:] for words in commands_of(README) if words[0] == "auditring"]

    assert uses
    for name, *arguments in uses:
        command = main.commands[name]
        if isinstance(command, click.Group):
            command = command.commands[arguments[0]]
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in arguments if word.startswith("--")} <= known


def click_commands(command: click.Command, path: str) -> Iterator[Any]:
    """Yield *command* and all below it, with the words that call them."""
    yield pytest.param(command, id=path)
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            yield from click_commands(child, f"{path} {name}")


@pytest.mark.parametrize("command", [*click_commands(main, "auditring")])
def test_every_command_and_option_says_what_it_does(command: click.Command) -> None:
    options = [one for one in command.params if isinstance(one, click.Option)]

    assert command.help
    assert [one.opts for one in options if not one.help] == []


def test_the_changelog_begins_with_this_version() -> None:
    newest = re.findall(r"^## (.*)$", CHANGELOG, re.MULTILINE)[0]

    assert auditring.__version__ in newest


SKIPPING = """\
import pytest

def test_needing() -> None:
    pytest.skip("needs a moon")

@pytest.mark.skipif(True, reason="needs a moon")
def test_needing_before_it_starts() -> None: ...

def test_minding() -> None:
    pytest.skip("no reason at all")

@pytest.mark.xfail(reason="needs a fix")
def test_failing() -> None:
    raise ValueError
"""
SKIPPING_MODULE = """\
import pytest
pytest.skip("needs a moon", allow_module_level=True)
"""


@pytest.mark.parametrize(
    ("ci", "outcomes"),
    [("1", "1 failed, 1 skipped, 1 xfailed, 1 error"), ("0", "3 skipped, 1 xfailed")],
)
def test_a_skip_for_something_absent_fails_on_ci(
    tmp_path: Path, ci: str, outcomes: str
) -> None:
    shutil.copy(ROOT / "tests" / "conftest.py", tmp_path)
    (tmp_path / "test_skips.py").write_text(SKIPPING)

    closing = closing_line_of_pytest(tmp_path, ci)

    assert closing.startswith(outcomes)


@pytest.mark.parametrize(("ci", "outcome"), [("1", "1 error"), ("0", "1 skipped")])
def test_a_skipped_module_fails_on_ci(tmp_path: Path, ci: str, outcome: str) -> None:
    shutil.copy(ROOT / "tests" / "conftest.py", tmp_path)
    (tmp_path / "test_skips.py").write_text(SKIPPING_MODULE)

    closing = closing_line_of_pytest(tmp_path, ci)

    assert closing.startswith(outcome)


def closing_line_of_pytest(folder: Path, ci: str) -> str:
    """Run pytest on *folder* and return the last line that it prints."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, f"--rootdir={folder}"],
        cwd=folder,
        env={**os.environ, "AUDITRING_CI": ci},
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.stdout.splitlines()[-1]


def test_tests_stand_in_the_folder_of_their_family() -> None:
    tests = ROOT / "tests"
    families = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    others = {"bench", "crash", "neighbours", "served"}

    folders = {path.parent.name for path in tests.glob("*/test_*.py")}

    assert folders <= families | others
    # What is about the whole project.
    assert {path.stem for path in tests.glob("test_*.py")} == {
        *("test_conformance", "test_house", "test_howto", "test_install"),
        *("test_layers", "test_packed_application", "test_public_names", "test_typing"),
    }
