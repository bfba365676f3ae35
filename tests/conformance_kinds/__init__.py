"""How to check one case of each kind of conformance file.

A module here is named as its kind: `requestinfo` for `requestinfo_cases.jsonl.gz`. It
has one function that the runner calls::

    def check(case: Case) -> str | None

It returns None if the case passes, else what differs, in a line. A kind without a
module is reported as not yet there.
"""

from typing import Any

Case = dict[str, Any]
