"""What a policy's document is made of, as types that it is read into.

Source: Kubernetes v1.36, pkg/apis/audit/v1 and apimachinery's ObjectMeta; Loft's two
members of a rule beside them.
"""

from collections.abc import Mapping

from ..documents.types import RAW, MapOf, Nullable, SliceOf, Struct, Type
from ..documents.values import BOOLEAN, INT64, STRING, TIME

__all__ = [
    "ANY_POLICY",
    "FIELDS",
    "INTERNAL_POLICY",
    "KUBERNETES_POLICY",
    "LOFT_FIELDS",
    "LOFT_POLICY",
]

_STRING = Nullable(STRING, "")
_STRINGS = SliceOf(_STRING)
_POINTER_TO_BOOLEAN = Nullable(BOOLEAN, is_pointer=True)
_TIME = Nullable(TIME, is_pointer=True)
_TYPE_META: dict[str, Type] = {"kind": _STRING, "apiVersion": _STRING}
_OWNER_REFERENCE = Struct(
    {
        "apiVersion": _STRING,
        "kind": _STRING,
        "name": _STRING,
        "uid": _STRING,
        "controller": _POINTER_TO_BOOLEAN,
        "blockOwnerDeletion": _POINTER_TO_BOOLEAN,
    }
)
_MANAGED_FIELDS_ENTRY = Struct(
    {
        "manager": _STRING,
        "operation": _STRING,
        "apiVersion": _STRING,
        "time": _TIME,
        "fieldsType": _STRING,
        "fieldsV1": RAW,
        "subresource": _STRING,
    }
)
_OBJECT_META: dict[str, Type] = {
    "name": _STRING,
    "generateName": _STRING,
    "namespace": _STRING,
    "selfLink": _STRING,
    "uid": _STRING,
    "resourceVersion": _STRING,
    "generation": Nullable(INT64, 0),
    "creationTimestamp": _TIME,
    "deletionTimestamp": _TIME,
    "deletionGracePeriodSeconds": Nullable(INT64, is_pointer=True),
    "labels": MapOf(_STRING),
    "annotations": MapOf(_STRING),
    "ownerReferences": SliceOf(_OWNER_REFERENCE),
    "finalizers": _STRINGS,
    "managedFields": SliceOf(_MANAGED_FIELDS_ENTRY),
}
_GROUP_RESOURCES: dict[str, Type] = {
    "group": _STRING,
    "resources": _STRINGS,
    "resourceNames": _STRINGS,
}
_RULE: dict[str, Type] = {
    "level": _STRING,
    "users": _STRINGS,
    "userGroups": _STRINGS,
    "verbs": _STRINGS,
    "resources": SliceOf(Struct(_GROUP_RESOURCES)),
    "namespaces": _STRINGS,
    "nonResourceURLs": _STRINGS,
    "omitStages": _STRINGS,
    "omitManagedFields": _POINTER_TO_BOOLEAN,
}
_OF_LOFT: dict[str, Type] = {"requestTargets": _STRINGS, "clusters": _STRINGS}
_LOFT_RULE = {**_RULE, **_OF_LOFT}


def _policy_fields(rule: Mapping[str, Type]) -> dict[str, Type]:
    return {
        "rules": SliceOf(Struct(rule)),
        "omitStages": _STRINGS,
        "omitManagedFields": Nullable(BOOLEAN, False),
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
    _capitalized(
        {**_RULE, "resources": SliceOf(Struct(_capitalized(_GROUP_RESOURCES)))}
    )
)
INTERNAL_POLICY = Struct(
    {
        **_TYPE_META,
        **_OBJECT_META,
        **_capitalized({**_policy_fields({}), "rules": SliceOf(_INTERNAL_RULE)}),
    }
)

LOFT_FIELDS = tuple(_OF_LOFT)
"""Members of a rule that only Loft knows."""

FIELDS = (*_TYPE_META, *_METADATA, *_policy_fields({}), *_LOFT_RULE, *_GROUP_RESOURCES)
"""The names of all members of a policy."""
