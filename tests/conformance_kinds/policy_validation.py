"""policy_validation_cases: whether a policy file is accepted, and what is wrong."""

from typing import Any

from auditring.errors import PolicyError
from auditring.policy import Policy

from . import Case

__all__ = ["check"]

# The decoder's own words, which nobody else's can equal.
FREE_TEXTS = {"message", "warning"}


def check(case: Case) -> str | None:
    """Return how the answer differs from the expected one, None if it doesn't."""
    expected = {
        name: value
        for name, value in case["expected"].items()
        if name not in FREE_TEXTS
    }
    answer = _answer(case["policy"])
    return None if answer == expected else f"expected {expected}, got {answer}"


def _answer(text: str) -> dict[str, Any]:
    try:
        policy = Policy.from_yaml(text, dialect="kubernetes")
    except PolicyError as error:
        names = ("field", "kind", "detail")
        errors = [dict(zip(names, each, strict=True)) for each in error.errors]
        return {"accepted": False, "stage": error.stage, "errors": errors}
    return {
        "accepted": True,
        "strictWarning": bool(policy.warnings),
        "parsed": policy.rule_set.as_document(),
    }
