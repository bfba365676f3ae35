"""Decide on a request by the rules that are left for its kind.

`decisions` works those out.
"""

cimport cython
from cpython.object cimport PyObject

from ..request._plain cimport (
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


cdef enum:
    RECENT_BITS = 6


@cython.final
@cython.freelist(16)
cdef class _Kind:
    """A kind of resource request that came lately, and its candidates; never changed.

    Whoever looks at one while another takes its place has all of it still.
    """

    cdef object verb, group, resource, subresource, candidates


cdef inline Py_ssize_t _slot_of(verb, group, resource, subresource) noexcept:
    # Objects of one size are at least so far apart.
    cdef size_t mixed = (
        (<size_t> <PyObject *> verb)
        + 3 * (<size_t> <PyObject *> group)
        + 5 * (<size_t> <PyObject *> resource)
        + 7 * (<size_t> <PyObject *> subresource)
    ) >> 4
    return <Py_ssize_t> ((mixed ^ (mixed >> RECENT_BITS)) & ((1 << RECENT_BITS) - 1))


cdef class DecisionTable:
    """Candidates by kind of request: a tuple of them, or a decision and no more.

    Whoever inherits it has `add_resource` and `add_path`, for kinds that are new.
    """

    def __cinit__(self, *args, **kwargs):
        self._recent = [_Kind.__new__(_Kind)] * (1 << RECENT_BITS)
        self.of_resource = {}
        self.of_path = {}

    cpdef object decide(self, attributes):
        """Decide on a request; source: Kubernetes v1.36, pkg/audit/policy."""
        cdef object candidates
        if member_of(attributes, IS_RESOURCE_REQUEST):
            candidates = self._of_resource(
                member_of(attributes, VERB),
                member_of(attributes, API_GROUP),
                member_of(attributes, RESOURCE),
                member_of(attributes, SUBRESOURCE),
            )
        else:
            verb = member_of(attributes, VERB)
            candidates = self.of_path.get(verb)
            if candidates is None:
                candidates = self.add_path(verb)
        if type(candidates) is not tuple:
            return candidates
        return _first_match(<tuple> candidates, attributes)

    cdef object _of_resource(self, verb, group, resource, subresource):
        """Return the candidates of a kind, by its four texts.

        Most often they are the very objects that came before, which are kept so that no
        others take their place. Of equal ones the dictionary knows.
        """
        cdef Py_ssize_t slot = _slot_of(verb, group, resource, subresource)
        cdef _Kind known = <_Kind> self._recent[slot]
        if (
            known.candidates is not None
            and known.resource is resource
            and known.group is group
            and known.verb is verb
            and known.subresource is subresource
        ):
            return known.candidates
        kind = (verb, group, resource, subresource)
        candidates = self.of_resource.get(kind)
        if candidates is None:
            candidates = self.add_resource(kind)
        known = _Kind.__new__(_Kind)
        known.verb, known.group = verb, group
        known.resource, known.subresource = resource, subresource
        known.candidates = candidates
        self._recent[slot] = known
        return candidates


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
