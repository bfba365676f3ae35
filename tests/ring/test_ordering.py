"""Every ordered access of the core names its pair, and every name has both sides.

A plain reader finds what each order is for in csrc/ordering.h.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

CSRC = Path(__file__).parents[2] / "csrc"
NAME = re.compile(r"\b(\w+):(A|B|RMW|SC)\b")
ORDER = re.compile(r"memory_order_(acquire|release|acq_rel|seq_cst)")
# A line such as ` *   commit:B / next:A       a record is whole before ...`.
PAIR = re.compile(r"^ \*   (\w+:\w+) / (\w+(?::\w+)?)", re.MULTILINE)
TABLE = PAIR.findall((CSRC / "ordering.h").read_text(encoding="utf-8"))
SIDES = {
    "acquire": {"A", "RMW"},
    "release": {"B"},
    "acq_rel": {"RMW"},
    "seq_cst": {"RMW", "SC", "A"},
}


def accesses(source: str) -> Iterator[tuple[int, str, set[tuple[str, str]]]]:
    """Yield the line of each ordered access, its order, and the names that it bears."""
    lines = source.splitlines()
    for number, line in enumerate(lines):
        for order in ORDER.findall(line):
            begin = number
            while not re.search(r"\batomic_\w+\(", lines[begin]):
                begin -= 1
            while lines[begin - 1].endswith("="):
                begin -= 1
            above = lines[begin - 1].strip()
            text = "\n".join(lines[begin : number + 1])
            text += above if above.startswith("/*") and above.endswith("*/") else ""
            yield number + 1, order, set(NAME.findall(text))


@pytest.mark.parametrize(
    "path", sorted(CSRC.glob("*.[ch]")), ids=lambda path: str(path.name)
)
def test_an_ordered_access_names_a_side_of_a_pair(path: Path) -> None:
    known = {tuple(side.split(":")) for pair in TABLE for side in pair if ":" in side}

    for line, order, names in accesses(path.read_text(encoding="utf-8")):
        sides = {side for _, side in names & known}
        assert sides & SIDES[order], f"{path.name}:{line}: {order}, {names}"


def test_each_pair_has_both_sides() -> None:
    found: set[str] = set()
    for path in CSRC.glob("*.c"):
        for _, _, names in accesses(path.read_text(encoding="utf-8")):
            found |= {":".join(name) for name in names}
    for path in CSRC.glob("*.h"):
        for _, _, names in accesses(path.read_text(encoding="utf-8")):
            found |= {":".join(name) for name in names}

    # A relaxed access can be a side: behind it the other one's order is of no use.
    relaxed = {"reserve:RMW"}
    told = {side for pair in TABLE for side in pair if ":" in side}
    assert told - found <= relaxed
    assert found <= told
