"""policy_cases: which level a request gets, and from which rule."""

from functools import lru_cache
from typing import Any

from auditring.errors import RequestError
from auditring.event import UserInfo
from auditring.policy import Policy
from auditring.request.attributes import Attributes

from . import Case

__all__ = ["check"]


def check(case: Case) -> str | None:
    """Return how the decision differs from the expected one, None if it doesn't."""
    request, expected = case["request"], case["expected"]
    user = request["user"] and UserInfo(
        request["user"]["name"], groups=tuple(request["user"]["groups"] or ())
    )
    try:
        attributes = Attributes.from_request(
            request["method"], request["url"], user=user
        )
    except RequestError as error:
        return None if "requestInfoError" in expected else str(error)
    answer = _answer(_load(case["policy"]), attributes)
    return None if answer == expected else f"expected {expected}, got {answer}"


def _answer(policy: Policy, attributes: Attributes) -> dict[str, Any]:
    decision = policy.evaluate(attributes)
    return {
        "requestInfo": {
            "isResourceRequest": attributes.is_resource_request,
            "path": attributes.path,
            "verb": attributes.verb,
            "apiPrefix": attributes.api_prefix,
            "apiGroup": attributes.api_group,
            "apiVersion": attributes.api_version,
            "namespace": attributes.namespace,
            "resource": attributes.resource,
            "subresource": attributes.subresource,
            "name": attributes.name,
        },
        "level": decision.level,
        "omitStages": sorted(decision.omit_stages),
        "omitManagedFields": decision.omit_managed_fields,
        "rule": decision.rule,
    }


@lru_cache(maxsize=64)
def _load(text: str) -> Policy:
    return Policy.from_yaml(text, dialect="kubernetes")
