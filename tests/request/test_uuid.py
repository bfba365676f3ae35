import os
import re

import pytest

from auditring.request._headers import random_uuid

UUID4 = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
)


def test_no_uuid_comes_twice() -> None:
    made = [random_uuid() for _ in range(10_000)]

    assert len(set(made)) == len(made)
    assert all(UUID4.fullmatch(uuid) for uuid in made)


@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_a_forked_child_has_uuids_of_its_own() -> None:
    random_uuid()
    read_end, write_end = os.pipe()

    child = os.fork()
    if child == 0:
        os.write(write_end, "".join(random_uuid() for _ in range(100)).encode())
        os._exit(0)

    os.close(write_end)
    with os.fdopen(read_end) as stream:
        theirs = stream.read()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert len(theirs) == 100 * 36
    assert not any(random_uuid() in theirs for _ in range(200))
