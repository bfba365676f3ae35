"""What a policy's document is made of, as types that it is read into.

Source: Kubernetes v1.36, pkg/apis/audit/v1 and apimachinery's ObjectMeta; Loft's two
members of a rule beside them.
"""

from collections.abc import Mapping

from ..documents.gotypes import (
    BOOLEAN,
    INT64,
    POINTER_TO_BOOLEAN,
    POINTER_TO_INT64,
    POINTER_TO_TIME,
    RAW,
    STRING,
    TIME,
    ListOf,
    MapOf,
    Struct,
    Type,
)

__all__ = [
    "ANY_POLICY",
    "FIELDS",
    "INTERNAL_POLICY",
    "KUBERNETES_POLICY",
    "LOFT_FIELDS",
    "LOFT_POLICY",
]

_STRINGS = ListOf(STRING)
_TYPE_META: dict[str, Type] = {"kind": STRING, "apiVersion": STRING}
_OWNER_REFERENCE = Struct(
    {
        "apiVersion": STRING,
        "kind": STRING,
        "name": STRING,
        "uid": STRING,
        "controller": POINTER_TO_BOOLEAN,
        "blockOwnerDeletion": POINTER_TO_BOOLEAN,
    }
)
_MANAGED_FIELDS_ENTRY = Struct(
    {
        "manager": STRING,
        "operation": STRING,
        "apiVersion": STRING,
        "time": POINTER_TO_TIME,
        "fieldsType": STRING,
        "fieldsV1": RAW,
        "subresource": STRING,
    }
)
_OBJECT_META: dict[str, Type] = {
    "name": STRING,
    "generateName": STRING,
    "namespace": STRING,
    "selfLink": STRING,
    "uid": STRING,
    "resourceVersion": STRING,
    "generation": INT64,
    "creationTimestamp": TIME,
    "deletionTimestamp": POINTER_TO_TIME,
    "deletionGracePeriodSeconds": POINTER_TO_INT64,
    "labels": MapOf(STRING),
    "annotations": MapOf(STRING),
    "ownerReferences": ListOf(_OWNER_REFERENCE),
    "finalizers": _STRINGS,
    "managedFields": ListOf(_MANAGED_FIELDS_ENTRY),
}
_GROUP_RESOURCES: dict[str, Type] = {
    "group": STRING,
    "resources": _STRINGS,
    "resourceNames": _STRINGS,
}
_RULE: dict[str, Type] = {
    "level": STRING,
    "users": _STRINGS,
    "userGroups": _STRINGS,
    "verbs": _STRINGS,
    "resources": ListOf(Struct(_GROUP_RESOURCES)),
    "namespaces": _STRINGS,
    "nonResourceURLs": _STRINGS,
    "omitStages": _STRINGS,
    "omitManagedFields": POINTER_TO_BOOLEAN,
}
_OF_LOFT: dict[str, Type] = {"requestTargets": _STRINGS, "clusters": _STRINGS}
_LOFT_RULE = {**_RULE, **_OF_LOFT}


def _policy_fields(rule: Mapping[str, Type]) -> dict[str, Type]:
    return {
        "rules": ListOf(Struct(rule)),
        "omitStages": _STRINGS,
        "omitManagedFields": BOOLEAN,
    }


_METADATA: dict[str, Type] = {"metadata": Struct(_OBJECT_META)}
KUBERNETES_POLICY = Struct({**_TYPE_META, **_METADATA, **_policy_fields(_RULE)})
ANY_POLICY = Struct({**_TYPE_META, **_METADATA, **_policy_fields(_LOFT_RULE)})
LOFT_POLICY = Struct(_policy_fields(_LOFT_RULE))


def _capitalized(fields: Mapping[str, Type]) -> dict[str, Type]:
    return {name[0].upper() + name[1:]: type_ for name, type_ in fields.items()}


# Without a version Kubernetes reads onto its internal type, whose fields have the names
# of Go; a wrong type is found before the missing version is.
_INTERNAL_RULE = Struct(
    _capitalized({**_RULE, "resources": ListOf(Struct(_capitalized(_GROUP_RESOURCES)))})
)
INTERNAL_POLICY = Struct(
    {
        **_TYPE_META,
        **_OBJECT_META,
        **_capitalized({**_policy_fields({}), "rules": ListOf(_INTERNAL_RULE)}),
    }
)

LOFT_FIELDS = tuple(_OF_LOFT)
"""Members of a rule that only Loft knows."""

FIELDS = (*_TYPE_META, *_METADATA, *_policy_fields({}), *_LOFT_RULE, *_GROUP_RESOURCES)
"""The names of all members of a policy."""
