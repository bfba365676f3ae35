"""One request's life: the event that grows with it, and the stages that it goes out at.

Compiled because every request pays for it. What happens when is Kubernetes' own order;
the cases of tests/conformance_kinds/stage.py hold it to that.
"""

cimport cython
from libc.stdint cimport int64_t
from posix.time cimport CLOCK_REALTIME, clock_gettime, timespec

import orjson

from . import rawjson
from .encode import json_line
from .errors import RefusedError
from .event import (
    AuthenticationMetadata,
    Event,
    Level,
    ObjectReference,
    Stage,
    UserInfo,
)
from .latency import latency_annotations
from .managedfields import without_managed_fields
from .microtime import MicroTime
from .status import STATUS, Status
from .typedjson import MismatchError

cdef enum:
    SWITCHING_PROTOCOLS = 101
    STATUS_MIN = 100
    STATUS_MAX = 600
    SERVER_ERROR = 500

cdef object NONE = Level.NONE
cdef object REQUEST = Level.REQUEST
cdef object REQUEST_RESPONSE = Level.REQUEST_RESPONSE

cdef object REQUEST_RECEIVED = Stage.REQUEST_RECEIVED
cdef object RESPONSE_STARTED = Stage.RESPONSE_STARTED
cdef object RESPONSE_COMPLETE = Stage.RESPONSE_COMPLETE
cdef object PANIC = Stage.PANIC

cdef tuple TARGET_NOTES = (
    ("auditring.io/request-target", "request_target"),
    ("auditring.io/cluster", "cluster"),
    ("auditring.io/project", "project"),
)

cdef object NOBODY = UserInfo()
cdef dict NO_ANNOTATIONS = {}  # never written to
cdef object CLOSED_EARLY = Status(
    code=200, status="Success", message="Connection closed early"
)
cdef tuple STATUS_BY_CODE = tuple(Status(code=code) for code in range(STATUS_MAX))


cdef int64_t _now_us() noexcept:
    cdef timespec now
    clock_gettime(CLOCK_REALTIME, &now)
    return <int64_t> now.tv_sec * 1000000 + now.tv_nsec // 1000


cdef object _status_of_code(code):
    if STATUS_MIN <= code < STATUS_MAX:
        return STATUS_BY_CODE[code]
    return Status(code=code)


cdef object _with_code(status, code):
    return Status(
        code=code,
        status=status.status,
        message=status.message,
        reason=status.reason,
        details=status.details,
    )


cdef object _status_in(bytes body):
    """Return what the object *body* says if it is a Status, else None."""
    if b"Status" not in body:
        return None
    try:
        status = STATUS(rawjson.compact(body), STATUS.zero)
    except (ValueError, MismatchError):
        return None
    # Without a version where the request's path has none.
    if status.kind != "Status" or status.api_version not in ("", "v1"):
        return None
    return _with_code(status, status.code)


cdef bytes _as_json(body):
    if isinstance(body, bytes):
        return body
    if isinstance(body, (bytearray, memoryview)):
        return bytes(body)
    return orjson.dumps(body)


def panic_message(value):
    """Say of a *value* that was raised what the event of a Panic says."""
    if isinstance(value, BaseException):
        text = str(value)
        name = type(value).__name__
        value = f"{name}: {text}" if text else name
    return f"APIServer panic'd: {value}"


@cython.final
cdef class Moment:
    """An instant, before it is a `MicroTime`."""

    cdef readonly int64_t microseconds

    def __cinit__(self, int64_t microseconds):
        self.microseconds = microseconds


@cython.final
cdef class Reference:
    """An object reference while members of it may still turn up."""

    cdef readonly object resource, namespace, name, uid
    cdef readonly object api_group, api_version, resource_version, subresource

    cdef object freeze(self):
        return ObjectReference(
            resource=self.resource,
            namespace=self.namespace,
            name=self.name,
            uid=self.uid,
            api_group=self.api_group,
            api_version=self.api_version,
            resource_version=self.resource_version,
            subresource=self.subresource,
        )


cdef Reference _reference_of(attributes):
    cdef Reference reference = Reference.__new__(Reference)
    if attributes is None:
        reference.resource = reference.namespace = reference.name = ""
        reference.api_group = reference.api_version = reference.subresource = ""
    else:
        reference.resource = attributes.resource
        reference.namespace = attributes.namespace
        reference.name = attributes.name
        reference.api_group = attributes.api_group
        reference.api_version = attributes.api_version
        reference.subresource = attributes.subresource
    reference.uid = reference.resource_version = ""
    return reference


@cython.final
cdef class Tally:
    """What the requests of an auditor came to, of all threads.

    The interpreter's lock makes each addition whole.
    """

    cdef readonly int64_t refused, annotation_conflicts
    cdef readonly dict requests, events  # by level

    def __cinit__(self):
        self.requests = dict.fromkeys(Level, 0)
        self.events = dict.fromkeys(Level, 0)


@cython.final
cdef class Outlet:
    """Where the events of an auditor go, and how."""

    cdef tuple backends
    cdef object redact, clock_ns, losses
    cdef bint adds_latency
    cdef Tally tally

    def __cinit__(
        self,
        tuple backends not None,
        Tally tally not None,
        losses,
        redact,
        clock_ns,
        bint adds_latency,
    ):
        self.backends = backends
        self.tally = tally
        self.losses = losses
        self.redact = redact
        self.clock_ns = clock_ns
        self.adds_latency = adds_latency

    cdef int64_t now_us(self) except -1:
        if self.clock_ns is None:
            return _now_us()
        return self.clock_ns() // 1000

    cdef bint send(self, request) except -1:
        """Hand the event of *request* to every backend; False if one refuses it."""
        cdef bint is_taken = True
        for backend in self.backends:
            try:
                if not backend.process((request,)):
                    is_taken = False
            except Exception as error:
                # A backend that breaks its promise; the others have a right to theirs.
                self.losses.note(error, ())
        return is_taken


@cython.final
cdef class AuditedRequest:
    """A request from its arrival to its end, as an `Auditor` begins it.

    Methods are called in the order of its life; those that come too late, or of a
    request that isn't recorded, do nothing. It carries the members of an `Event`, as
    they are known by now.

    Thread-safety: one thread at a time.
    """

    cdef readonly object attributes, decision
    cdef readonly object level, audit_id, stage, request_uri, verb
    cdef readonly object user, impersonated_user, authentication_metadata
    cdef readonly object source_ips, user_agent, object_ref, response_status
    cdef readonly object request_object, response_object
    cdef readonly object request_received_timestamp, stage_timestamp
    cdef readonly dict annotations
    cdef readonly bint is_enabled, is_refused, is_over, has_started
    cdef public bint long_running
    cdef object _omit_stages, _error, _latencies, _event
    cdef Outlet _outlet
    cdef bytes _line

    # What goes out.

    cdef bint _emit(self, stage) except -1:
        """Hand the event of *stage* to every backend; False if one refuses it."""
        if stage in self._omit_stages:
            return True
        self.stage = stage
        self._line = None
        self._event = None
        if stage is REQUEST_RECEIVED:
            self.stage_timestamp = self.request_received_timestamp
        else:
            self.stage_timestamp = Moment.__new__(Moment, self._outlet.now_us())
        self._outlet.tally.events[self.level] += 1
        return self._outlet.send(self)

    @property
    def event(self):
        """The event of the stage that the request is at."""
        if self._event is None:
            reference = self.object_ref
            event = Event(
                level=self.level,
                audit_id=self.audit_id,
                stage=self.stage,
                request_uri=self.request_uri,
                verb=self.verb,
                user=self.user,
                impersonated_user=self.impersonated_user,
                authentication_metadata=self.authentication_metadata,
                source_ips=self.source_ips,
                user_agent=self.user_agent,
                object_ref=(
                    None if reference is None else (<Reference> reference).freeze()
                ),
                response_status=self.response_status,
                request_object=self.request_object,
                response_object=self.response_object,
                request_received_timestamp=MicroTime(
                    self.request_received_timestamp.microseconds
                ),
                stage_timestamp=MicroTime(self.stage_timestamp.microseconds),
                annotations=dict(self.annotations),
            )
            redact = self._outlet.redact
            self._event = event if redact is None else redact(event)
        return self._event

    @property
    def line(self):
        """That event as a line of JSON; made once for all backends."""
        if self._line is None:
            secret = self._outlet.redact is not None
            self._line = json_line(self.event if secret else self)
        return self._line

    # The stages.

    def receive(self):
        """Record that the request is there, before anybody answers it.

        Returns:
            False: It must be refused, because a backend that is strict couldn't keep
            the event. Nothing more is recorded of it then.
        """
        if not self.is_enabled or self._emit(REQUEST_RECEIVED):
            return True
        self.is_enabled = False
        self.is_refused = self.is_over = True
        self._outlet.tally.refused += 1
        return False

    def start_response(self, code):
        """Record that the answer begins; only the first time counts.

        Args:
            code: The HTTP status; 101 when the connection is taken over.
        """
        if not self.is_enabled or self.has_started or self.is_over:
            return
        self.has_started = True
        status = self.response_status
        if status is None:
            self.response_status = _status_of_code(code)
        elif status.code != code:
            self.response_status = _with_code(status, code)
        if self.long_running:
            self._emit(RESPONSE_STARTED)

    def complete(self):
        """Record that the answer is given, and end.

        Where the handler raised, as `note_error` heard, and was answered for with a
        server error, that is recorded as a panic.
        """
        if not self.is_enabled or self.is_over:
            return
        if self._error is not None and (
            self.response_status is None or self.response_status.code >= SERVER_ERROR
        ):
            self.panic(self._error)
            return
        if self.response_status is None:
            self.response_status = CLOSED_EARLY
            if self.long_running:
                self._emit(RESPONSE_STARTED)
        if self._outlet.adds_latency:
            self._add_latencies()
        self._emit(RESPONSE_COMPLETE)
        self.is_over = True

    def panic(self, value):
        """Record that the handler raised *value* instead of answering, and end."""
        if not self.is_enabled or self.is_over:
            return
        self.response_status = Status(
            code=SERVER_ERROR,
            status="Failure",
            reason="InternalError",
            message=panic_message(value),
        )
        self._emit(PANIC)
        self.is_over = True

    def fail(self, status, body=None):
        """Record a request that was refused before its user was known, and end.

        It has one event, of ResponseStarted.

        Args:
            status: How it was answered, as a Status; its code counts.
            body: The answer's body.
        """
        if not self.is_enabled or self.is_over:
            return
        self.response_status = _with_code(status, status.code)
        if body is not None and self.wants_response_object:
            self.response_object = _as_json(body)
        self._emit(RESPONSE_STARTED)
        self.is_over = True

    def note_error(self, error):
        """Hear of an exception that somebody makes an answer of; see `complete`."""
        self._error = error

    # What turns up on the way.

    @property
    def wants_request_object(self):
        """Whether the request's body is recorded."""
        return self.is_enabled and not self.is_over and (
            self.level is REQUEST or self.level is REQUEST_RESPONSE
        )

    @property
    def wants_response_object(self):
        """Whether the answer's body is recorded."""
        return (
            self.is_enabled and not self.is_over and self.level is REQUEST_RESPONSE
        )

    def record_request_object(self, body):
        """Take the object that the request brought.

        At every level the object reference gets from its metadata what it lacks.

        Args:
            body: JSON text as bytes, or what orjson makes JSON of.
        """
        if not self.is_enabled or self.is_over:
            return
        text = _as_json(body)
        self._fill_reference(text)
        if self.wants_request_object:
            if self.decision.omit_managed_fields:
                text = without_managed_fields(text)
            self.request_object = text

    def record_patch(self, bytes body not None):
        """Take the patch that the request brought, as it was sent."""
        if self.wants_request_object:
            self.request_object = body

    def record_response_object(self, body):
        """Take the object of the answer; before `start_response`, if there is one.

        A Status tells more than the code, at every level.

        Args:
            body: JSON text as bytes, or what orjson makes JSON of.
        """
        if not self.is_enabled or self.is_over:
            return
        text = _as_json(body)
        status = _status_in(text)
        if status is not None:
            if self.has_started:
                status = _with_code(status, self.response_status.code)
            self.response_status = status
        if self.wants_response_object:
            if self.decision.omit_managed_fields:
                text = without_managed_fields(text)
            self.response_object = text

    def fill_object_ref(
        self, *, namespace="", name="", uid="", resource_version=""
    ):
        """Add to the object reference what it lacks; what it has, stays."""
        cdef Reference reference
        if not self.is_enabled or self.is_over:
            return
        if self.object_ref is None:
            self.object_ref = _reference_of(None)
        reference = self.object_ref
        reference.namespace = reference.namespace or namespace
        reference.name = reference.name or name
        reference.uid = reference.uid or uid
        reference.resource_version = reference.resource_version or resource_version

    cdef int _fill_reference(self, bytes text) except -1:
        if self.object_ref is None:
            self.object_ref = _reference_of(None)
        if b'metadata' not in text:
            return 0
        try:
            body = orjson.loads(text)
        except orjson.JSONDecodeError:
            return 0
        metadata = body.get("metadata") if isinstance(body, dict) else None
        # The metadata of a list is of another kind, and says nothing of an object.
        if not isinstance(metadata, dict) or "items" in body:
            return 0
        members = ("namespace", "name", "uid", "resourceVersion")
        found = [metadata.get(member) for member in members]
        texts = [value if isinstance(value, str) else "" for value in found]
        self.fill_object_ref(
            namespace=texts[0], name=texts[1], uid=texts[2], resource_version=texts[3]
        )
        return 0

    def annotate(self, str key not None, str value not None):
        """Add an annotation; the first value of a key stays.

        Another value for it is counted: see `Auditor.counts`.
        """
        if not self.is_enabled or self.is_over:
            return
        if self.annotations is NO_ANNOTATIONS:
            self.annotations = {}
        if self.annotations.setdefault(key, value) != value:
            self._outlet.tally.annotation_conflicts += 1

    def impersonate(self, user, constraint=""):
        """Record that the request is carried out as *user*, now that it's granted.

        Args:
            user: The user with the groups that it has then.
            constraint: What allowed it, as ``impersonate:user-info``; empty if it was
                the plain permission.
        """
        if not self.is_enabled or self.is_over:
            return
        self.impersonated_user = user
        if constraint:
            self.authentication_metadata = AuthenticationMetadata(
                impersonation_constraint=constraint
            )

    def identify(self, user):
        """Record who the user is, where that turns up in the handler only.

        The decision stays as it was.
        """
        if self.is_enabled and not self.is_over:
            self.user = user

    def add_latency(self, part, int64_t ns):
        """Add to the time that a *part* of the handling took; see `Auditor`."""
        if self._latencies is None:
            self._latencies = {}
        self._latencies[part] = self._latencies.get(part, 0) + ns

    cdef int _add_latencies(self) except -1:
        cdef Moment received = self.request_received_timestamp
        total_ns = (self._outlet.now_us() - received.microseconds) * 1000
        found = latency_annotations(total_ns, self._latencies or {})
        for key, value in found.items():
            self.annotate(key, value)
        return 0

    # As a context: for requests that are no HTTP.

    def __enter__(self):
        """Record that the request is there.

        Raises:
            RefusedError: It must be refused; see `receive`.
        """
        if not self.receive():
            raise RefusedError("failed to store audit event")
        return self

    def __exit__(self, kind, error, traceback):
        """Record how it ended: an exception is a panic."""
        if error is None:
            self.complete()
        else:
            self.panic(error)


def unrecorded_request(attributes):
    """Return a request of which nothing is recorded, nor counted."""
    cdef AuditedRequest request = AuditedRequest.__new__(AuditedRequest)
    request.attributes = attributes
    request.level = NONE
    request.audit_id = attributes.audit_id
    request.annotations = NO_ANNOTATIONS
    return request


def begin_request(attributes, decision, Outlet outlet not None, received_ns):
    """Return a request that was decided on, for `Auditor.begin`."""
    cdef AuditedRequest request = unrecorded_request(attributes)
    cdef int64_t received_us
    level = decision.level
    outlet.tally.requests[level] += 1
    if level is NONE:
        return request
    request.level = level
    request.decision = decision
    request._outlet = outlet
    request._omit_stages = decision.omit_stages
    request.is_enabled = True
    request.stage = ""
    request.request_uri = attributes.request_uri
    request.verb = attributes.verb
    user = attributes.user
    request.user = NOBODY if user is None else user
    request.source_ips = attributes.source_ips
    request.user_agent = attributes.user_agent
    request.long_running = attributes.long_running
    if attributes.is_resource_request:
        request.object_ref = _reference_of(attributes)
    if attributes.request_target:
        for key, name in TARGET_NOTES:
            value = getattr(attributes, name)
            if value:
                request.annotate(key, str(value))
    received_us = outlet.now_us() if received_ns is None else received_ns // 1000
    request.request_received_timestamp = Moment.__new__(Moment, received_us)
    return request
