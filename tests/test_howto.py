"""The examples of the documentation work as they stand there."""

import ast
import importlib
import json
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import flask
import pytest
from test_layers import LEVELS

from auditring import Policy
from auditring.config import load_config, open_auditor, parse_config

ROOT = Path(__file__).parent.parent
PAGES = sorted([*(ROOT / "docs").rglob("*.md"), ROOT / "README.md"])


def blocks(language: str) -> Iterator[Any]:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        found = re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.M)
        for number, block in enumerate(found, 1):
            yield pytest.param(block, id=f"{page.stem}-{number}")


def example(page: str, number: int = 0) -> str:
    """Return a Python block of a page of docs/how-to."""
    text = (ROOT / "docs" / "how-to" / f"{page}.md").read_text(encoding="utf-8")
    return re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.M)[number]


def events(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text().splitlines()]


@pytest.mark.parametrize("block", [*blocks("python")])
def test_what_an_example_imports_is_there(block: str) -> None:
    for node in ast.walk(ast.parse(block)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("audit"):
            module = importlib.import_module(node.module or "")
            for alias in node.names:
                assert hasattr(module, alias.name), alias.name


@pytest.mark.parametrize("block", [*blocks("python")])
def test_what_an_example_configures_is_right(block: str) -> None:
    for node in ast.walk(ast.parse(block)):
        is_opened = isinstance(node, ast.Call) and ast.unparse(node.func) == (
            "open_auditor"
        )
        if is_opened and node.args and isinstance(node.args[0], ast.Dict):
            config = load_config(ast.literal_eval(node.args[0]))
            assert config.policy is not None
            assert config.warnings == ()


@pytest.mark.parametrize("block", [*blocks("yaml")])
def test_what_an_example_says_in_yaml_is_right(block: str) -> None:
    if "kind: Policy" in block:
        Policy.from_yaml(block)
    elif block.startswith("audit:"):
        parse_config(block)


def test_the_page_on_flask_audits_an_application(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    app = flask.Flask("shop")
    app.secret_key = "a key"
    names: dict[str, Any] = {"app": app, "session": flask.session}

    exec(compile(example("flask"), "flask.md", "exec"), names)
    app.get("/orders")(lambda: "none")
    client = app.test_client()
    with client.session_transaction() as session:
        session["user"] = "alice"
    assert client.get("/orders").status_code == 200

    names["auditor"].close()
    last = events(tmp_path / "audit.log")[-1]
    assert last["user"]["username"] == "alice"
    assert (last["verb"], last["requestURI"]) == ("get", "/orders")


def test_the_page_on_celery_audits_a_task(tmp_path: Path) -> None:
    cancelled: list[int] = []
    config = {"enabled": True, "preset": "application", "level": 2}
    log = tmp_path / "audit.log"
    with closing(open_auditor({**config, "path": str(log)})) as auditor:
        names: dict[str, Any] = {
            "app": SimpleNamespace(task=lambda function: function),
            "auditor": auditor,
            "orders": SimpleNamespace(cancel=cancelled.append),
        }
        exec(compile(example("celery"), "celery.md", "exec"), names)

        names["cancel"](7, "alice")

    assert cancelled == [7]
    last = events(log)[-1]
    assert last["user"]["username"] == "alice"
    assert (last["verb"], last["responseStatus"]["code"]) == ("delete", 200)


def test_the_tour_names_files_that_are_there() -> None:
    tour = (ROOT / "docs/explanation/architecture.md").read_text(encoding="utf-8")
    for name in re.findall(r"`((?:src|csrc|tests|docs)/[\w/.]+\.\w+)`", tour):
        assert (ROOT / name).exists(), name
    for name in re.findall(r"`(\w+\.[ch])`", tour):
        assert (ROOT / "csrc" / name).exists(), name
    for name in re.findall(
        r"`((?:config|log|handlers|backends|redact)/\w+\.py)`", tour
    ):
        assert (ROOT / "src/auditring" / name).exists(), name


def test_the_tour_has_every_family_on_its_level() -> None:
    tour = (ROOT / "docs/explanation/architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \| (.*?) \|", tour, re.MULTILINE)
    drawn = [set(re.findall(r"`(\w+)`", families)) for _, families in rows]

    assert drawn == [level - {"_version", "pyinstaller"} for level in LEVELS[:-1]]
