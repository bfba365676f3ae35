"""A configuration that changes while requests come keeps every request whole."""

from itertools import cycle
from pathlib import Path

import pytest
from reload_storm import (
    BROKEN,
    MARKS,
    TEXTS,
    Begin,
    JudgedTwice,
    account_of,
    begin_once,
    storm,
)

from auditring.config import open_auditor


def run_storm(folder: Path, changes: int, begin: Begin) -> None:
    """Check that every request is of one configuration, while it changes often."""
    file, log = folder / "audit.yaml", folder / "audit.log"
    texts = {name: text.format(path=log) for name, text in TEXTS.items()}
    file.write_text(texts["all stages, no bodies"])
    auditor = open_auditor(file, environ={})
    outcomes: list[str] = []

    def change() -> None:
        for number, text in zip(range(changes), cycle(texts.values()), strict=False):
            file.write_text(text)
            outcomes.append(auditor.refresh())
            if number % 10 == 0:
                file.write_text(BROKEN.format(path=log))
                outcomes.append(auditor.refresh())

    made = storm(auditor, 3, change, begin)
    counts = auditor.counts()
    auditor.close()
    account = account_of(log, made)

    assert not account.mixed, f"{len(account.mixed)} are mixed: {account.mixed[:3]}"
    assert account.unknown == 0
    assert outcomes.count("refused") == -(-changes // 10)
    assert outcomes.count("applied") >= changes - 1
    assert set(account.by_configuration) == {*TEXTS}
    assert set(counts.lost.values()) <= {0}
    # Those that bear no marks are those that were never decided on.
    decided = sum(counts.requests.values())
    assert account.by_configuration["nothing"] == len(made) - decided
    expected = sum(
        len(marks) * account.by_configuration[name] for marks, name in MARKS.items()
    )
    assert sum(counts.events.values()) == expected


def test_no_request_is_lost_doubled_or_mixed_while_the_configuration_changes(
    tmp_path: Path,
) -> None:
    run_storm(tmp_path, 300, begin_once)


def test_the_storm_finds_requests_that_are_judged_twice(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="are mixed"):
        run_storm(tmp_path, 30, JudgedTwice)
