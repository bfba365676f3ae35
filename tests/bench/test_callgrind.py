"""Instructions are added up as callgrind's format says, and compared."""

import pytest
from bench_guard import compared
from callgrind import Costs, costs_of_dump, difference

DUMP = """\
version: 1
creator: callgrind-3.19.0
thread: 1
events: Ir

ob=(1) /usr/bin/python3
fl=(1) eval.c
fn=(1) eval
10 100
+5 20
cob=(2) /lib/_writer.so
cfn=(2) write
calls=3 7
* 900
-2 1
fe=(2) object.h
40 9

ob=(2)
fn=(2)
7 400
+1 500

fn=(1)
10 1

totals: 1031
"""


def test_costs_of_calls_are_not_counted_twice() -> None:
    costs = costs_of_dump(DUMP.splitlines())

    assert costs.by_function == {"eval": 131, "write": 900}
    assert costs.total == 1031


def test_costs_are_kept_by_object_file() -> None:
    costs = costs_of_dump(DUMP.splitlines())

    assert costs.by_object == {"python3": 130, "_writer.so": 901}


def test_an_operation_costs_the_difference_of_two_runs() -> None:
    less = Costs(1000, {"start": 900, "write": 100}, {"python3": 1000})
    more = Costs(1400, {"start": 900, "write": 480, "new": 20}, {"python3": 1400})

    each = difference(more, less, 10)

    assert each.total == 40
    assert [*each.by_function.items()] == [("write", 38), ("new", 2)]
    assert each.by_object == {"python3": 40}


def test_a_change_is_told_in_percent_of_what_was_stored() -> None:
    rows = compared({"write": 200, "gone": 5}, {"write": 230, "new": 7})

    assert rows == [("write", 200, 230, pytest.approx(15)), ("new", None, 7, None)]
