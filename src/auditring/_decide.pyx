"""Decide on a request by the rules that are left for its kind.

`decisions` works those out.
"""

from ._attributeslots cimport (
    API_GROUP,
    IS_RESOURCE_REQUEST,
    NAME,
    NAMESPACE,
    RESOURCE,
    SUBRESOURCE,
    USER,
    VERB,
    member_of,
)


cdef class DecisionTable:
    """Candidates by kind of request: a tuple of them, or a decision and no more.

    Whoever inherits it has `add_resource` and `add_path`, for kinds that are new.
    """

    def __cinit__(self, *args, **kwargs):
        self.of_resource = {}
        self.of_path = {}

    cpdef object decide(self, attributes):
        """Decide on a request; source: Kubernetes v1.36, pkg/audit/policy."""
        cdef object candidates
        if member_of(attributes, IS_RESOURCE_REQUEST):
            kind = (
                member_of(attributes, VERB),
                member_of(attributes, API_GROUP),
                member_of(attributes, RESOURCE),
                member_of(attributes, SUBRESOURCE),
            )
            candidates = self.of_resource.get(kind)
            if candidates is None:
                candidates = self.add_resource(kind)
        else:
            verb = member_of(attributes, VERB)
            candidates = self.of_path.get(verb)
            if candidates is None:
                candidates = self.add_path(verb)
        if type(candidates) is not tuple:
            return candidates
        return _first_match(<tuple> candidates, attributes)


cdef object _first_match(tuple candidates, attributes):
    user = member_of(attributes, USER)
    for decision, users, groups, namespaces, names, place in candidates:
        if users is not None and (user is None or user.username not in users):
            continue
        if groups is not None and (user is None or groups.isdisjoint(user.groups)):
            continue
        if namespaces is not None:
            if member_of(attributes, NAMESPACE) not in namespaces:
                continue
        if names is not None and member_of(attributes, NAME) not in names:
            continue
        if place is None or place.holds(attributes):
            return decision
    raise AssertionError("the last candidate matches everything")
