"""The account of numbered messages, whatever layout stands before them."""

from pathlib import Path

import pytest
from lines import Account
from messages import account_of_messages

START = "2026-11-22 01:02:03,004 INFO app "
WHOLE = [f"{START}request p0 took {number} ms\n" for number in range(5)]


def account(folder: Path, text: list[str]) -> Account:
    path = folder / "app.log"
    path.write_text("".join(text))
    return account_of_messages([path], {0: 5})


def test_all_messages_in_any_order_are_exact(tmp_path: Path) -> None:
    assert account(tmp_path, WHOLE[::-1]).is_exact


@pytest.mark.parametrize("more", [0, 1])
def test_one_that_was_on_its_way_may_be_there_or_not(tmp_path: Path, more: int) -> None:
    path = tmp_path / "app.log"
    path.write_text("".join(WHOLE[: 4 + more]))

    assert account_of_messages([path], {0: 4}, in_flight=1).is_exact


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (WHOLE[:4], (1, 0, 0)),
        ([*WHOLE, WHOLE[2]], (0, 1, 0)),
        ([*WHOLE[:4], WHOLE[4][20:]], (1, 0, 1)),
        ([*WHOLE[:4], WHOLE[4][:30], "\n"], (1, 0, 1)),
        ([*WHOLE[:3], WHOLE[3].rstrip("\n"), WHOLE[4]], (2, 0, 1)),
        ([*WHOLE, f"{START}request p0 took 99 ms\n"], (0, 0, 1)),
        ([*WHOLE, f"{START}request p7 took 1 ms\n"], (0, 0, 1)),
        ([*WHOLE, "something else\n"], (0, 0, 1)),
    ],
    ids=[
        "lost",
        "doubled",
        "without its beginning",
        "without its end",
        "two in one",
        "number",
        "producer",
        "foreign",
    ],
)
def test_what_is_wrong_is_counted(
    tmp_path: Path, text: list[str], expected: tuple[int, int, int]
) -> None:
    found = account(tmp_path, text)

    assert (found.lost, found.duplicated, found.foreign) == expected
    assert not found.is_exact
