"""Begin a request: decide on it, and have what its stages need."""

from ..request._plain cimport (
    AUDIT_ID_MEMBER,
    LONG_RUNNING,
    REQUEST_TARGET,
    member_of,
)
from ._request cimport NO_ANNOTATIONS, AuditedRequest
from ..policy._decide cimport DecisionTable
from ._pipeline cimport Outlet
from .._native.slots cimport slot_offset, slot_value

from ..policy.decisions import Decision
from ..event.event import Level

cdef Py_ssize_t LEVEL = slot_offset(Decision, "level")
cdef Py_ssize_t OMIT_STAGES = slot_offset(Decision, "omit_stages")

cdef object NONE = Level.NONE
cdef object METADATA = Level.METADATA
cdef object REQUEST = Level.REQUEST

cdef tuple TARGET_NOTES = (
    ("auditring.io/request-target", "request_target"),
    ("auditring.io/cluster", "cluster"),
    ("auditring.io/project", "project"),
)


cdef int _rank_of(level) except -1:
    """Return where *level* stands in `Level`."""
    if level is NONE:
        return 0
    if level is METADATA:
        return 1
    return 2 if level is REQUEST else 3


cpdef AuditedRequest begin_request(attributes, Outlet outlet, received_ns):
    """Decide on a request, for `Auditor.begin`."""
    cdef AuditedRequest request = AuditedRequest.__new__(AuditedRequest)
    # Held here: a reload may take it away in the middle.
    cdef DecisionTable decisions = outlet.decisions
    request.attributes = attributes
    request.level = NONE
    request.audit_id = member_of(attributes, AUDIT_ID_MEMBER)
    request.annotations = NO_ANNOTATIONS
    request.stage = ""
    if decisions is None:
        return request
    decision = decisions.decide(attributes)
    if type(decision) is Decision:
        level = slot_value(decision, LEVEL)
        omit_stages = slot_value(decision, OMIT_STAGES)
    else:
        level, omit_stages = decision.level, decision.omit_stages
    request._rank = _rank_of(level)
    outlet.tally._requests[request._rank] += 1
    request.decision = decision
    if level is NONE:
        return request
    request.level = level
    request._outlet = outlet
    request._omit_stages = omit_stages
    request._is_plain = True
    request._left_with = -1
    request.is_enabled = True
    request.long_running = member_of(attributes, LONG_RUNNING)
    if member_of(attributes, REQUEST_TARGET):
        for key, name in TARGET_NOTES:
            value = getattr(attributes, name)
            if value:
                request.annotate(key, str(value))
    request._received_ns = outlet.now_ns() if received_ns is None else received_ns
    return request
