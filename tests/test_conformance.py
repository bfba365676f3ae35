import json
from pathlib import Path

import pytest
from conformance import case_files, main, read_cases

SAMPLES = Path(__file__).parent / "data" / "conformance"


def write_cases(folder: Path, sources: list[list[str]], name: str) -> None:
    """Write to *folder* a file of cases of a peer that expects each of *sources*."""
    cases = [
        {
            "id": f"case-{number}",
            "headers": [],
            "remoteAddr": "10.0.0.1:80",
            "expected": {"sourceIPs": addresses},
        }
        for number, addresses in enumerate(sources)
    ]
    lines = "".join(json.dumps(case) + "\n" for case in cases)
    (folder / name).write_text(lines, encoding="utf-8")


@pytest.mark.parametrize(
    "name", [path.name for path, _ in case_files(SAMPLES)], ids=lambda name: name
)
def test_the_sample_agrees_with_kubernetes(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).symlink_to(SAMPLES / name)

    status = main([str(tmp_path), "--allow", "0"])

    total = len([*read_cases(SAMPLES / name)])
    assert capsys.readouterr().out == f"{name}: {total}/{total}\n"
    assert status == 0


def test_a_failing_case_is_named_and_fails_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_cases(tmp_path, [["10.0.0.1"], ["10.0.0.2"]], "sourceip_cases.jsonl")

    status = main([str(tmp_path)])

    first, second = capsys.readouterr().out.splitlines()
    assert first == "sourceip_cases.jsonl: 1/2"
    assert second.startswith("  case-1: ")
    assert status == 1


def test_as_many_cases_may_fail_as_are_allowed(tmp_path: Path) -> None:
    write_cases(tmp_path, [["10.0.0.1"], ["10.0.0.2"]], "sourceip_cases.jsonl")

    assert main([str(tmp_path), "--allow", "50"]) == 0
    assert main([str(tmp_path), "--allow", "49"]) == 1


def test_a_case_that_cannot_be_run_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "sourceip_cases.jsonl").write_text('{"id": "odd"}\n')

    assert main([str(tmp_path)]) == 1
    assert "  odd: KeyError" in capsys.readouterr().out


def test_unknown_files_are_ignored(tmp_path: Path) -> None:
    write_cases(tmp_path, [["10.0.0.1"]], "held-back_sourceip_cases.jsonl")
    (tmp_path / "README.md").write_text("x")
    (tmp_path / "other_cases.jsonl").write_text("x")

    assert [kind for _, kind in case_files(tmp_path)] == ["sourceip"]
    assert main([str(tmp_path)]) == 0


def test_a_folder_without_case_files_is_an_error(tmp_path: Path) -> None:
    assert main([str(tmp_path)]) == 2
