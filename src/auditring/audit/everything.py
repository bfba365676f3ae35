"""What holds without a policy: everything is recorded, and that is said.

The same rule for an `Auditor` and an `AuditHandler`: a log that holds too much can be
mended by a policy, and one that holds nothing can't.
"""

import contextlib
import sys

from ..event.event import Level
from ..policy.decisions import Decision
from ..policy.policy import Policy
from ..policy.rules import Rule, RuleSet

__all__ = ["DECIDED", "EVERYTHING", "NO_POLICY", "tell_of_everything"]

_told: set[str] = set()

EVERYTHING = Policy(RuleSet(rules=(Rule(level=Level.REQUEST_RESPONSE),)))
"""Decides that nothing is left out."""

DECIDED = Decision(Level.REQUEST_RESPONSE, frozenset(), False, -1)
"""What it decides of everything, without being asked."""

NO_POLICY = (
    "no policy is given, so everything is recorded, with bodies; a policy says what is,"
    " as Policy.preset('application-1') for every request without bodies"
)


def tell_of_everything(path: str) -> None:
    """Say once that the log at *path* has no policy.

    On standard error: what the logging module is told may end up in that very log.
    """
    if path in _told:
        return
    _told.add(path)
    # Standard error may be closed, or be a stream that logs.
    with contextlib.suppress(Exception):
        print(f"auditring: {path}: {NO_POLICY}", file=sys.stderr)
