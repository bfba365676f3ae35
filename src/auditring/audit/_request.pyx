"""One request's life: what is known of it, and the stages that it goes out at.

Compiled because every request pays for it. What happens when is Kubernetes' own order;
the cases of tests/conformance_kinds/stage.py hold it to that.
"""

cimport cython
from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport int64_t

from ..event._encode cimport put_stage_line
from .._native.line cimport line, line_begin, line_end
from ._pipeline cimport Way
from ..ring._writer cimport Writer

from dataclasses import replace

import orjson

from ..event.answerstatus import CLOSED_EARLY, status_in, status_of_panic
from ..event.encode import json_line
from ..errors import RefusedError
from ..event.event import AuthenticationMetadata, Level, Stage
from .latency import latency_annotations
from ..event.managedfields import without_managed_fields
from ..event.objectidentity import identity_in
from ..event.stage import reference_of, stage_event
from ..event.status import Status

cdef enum:
    SERVER_ERROR = 500

cdef object REQUEST = Level.REQUEST
cdef object REQUEST_RESPONSE = Level.REQUEST_RESPONSE

cdef object REQUEST_RECEIVED = Stage.REQUEST_RECEIVED
cdef object RESPONSE_STARTED = Stage.RESPONSE_STARTED
cdef object RESPONSE_COMPLETE = Stage.RESPONSE_COMPLETE
cdef object PANIC = Stage.PANIC

cdef dict NO_ANNOTATIONS = {}  # never written to

USER_ERROR = "auditring.io/user-error"


cdef bytes _as_json(body):
    if isinstance(body, bytes):
        return body
    if isinstance(body, (bytearray, memoryview)):
        return bytes(body)
    return orjson.dumps(body)


@cython.final
@cython.freelist(16)
cdef class AuditedRequest:
    """A request from its arrival to its end, as an `Auditor` begins it.

    Methods are called in the order of its life; those that come too late, or of a
    request that isn't recorded, do nothing.

    Thread-safety: one thread at a time.

    Attributes:
        attributes: What was known when it came.
        decision: What the policy says of it; None if there is none.
        level: How much is recorded.
        audit_id: The same in all its events.
        stage: The stage that it's at; empty before the first.
        annotations: Those that it has by now.
        is_enabled: Whether it is recorded.
        is_refused: Whether it must not be carried out; see `receive`.
        is_over: Whether its last event is out.
        has_started: Whether its answer has begun.
        long_running: Whether it has an event of ResponseStarted. May be set before
            the answer begins, by whoever knows more than its path says.
    """

    # What goes out.

    cdef bint _emit(self, stage) except -1:
        """Hand the event of *stage* to every backend; False if one refuses it."""
        if stage in self._omit_stages:
            return True
        if self._ask_user is not None and stage is not REQUEST_RECEIVED:
            self._ask_user(self)
        self.stage = stage
        self._line = None
        self._event = None
        if stage is REQUEST_RECEIVED:
            self._stage_ns = self._received_ns
        else:
            self._stage_ns = self._outlet.now_ns()
        self._outlet.tally._events[self._rank] += 1
        return self._send()

    cdef bint _send(self) except -1:
        """Hand the event to every backend; False if one refuses it."""
        cdef bint is_taken = True
        cdef Way way
        for way in self._outlet.ways:
            try:
                if way.write_line is None:
                    if not way.process((self,)):
                        is_taken = False
                elif not self._write(way):
                    is_taken = False
            except Exception as error:
                # A backend that breaks its promise; the others have a right to theirs.
                self._outlet.losses.note(error, ())
        return is_taken

    cdef bint _write(self, Way way) except -1:
        """Go the short way of a `LineBackend`."""
        try:
            if way.log is not None and self._has_plain_line():
                if self._commit(way.log):
                    return True
            elif way.write_line(self._as_line()):
                return True
            error = None
        except Exception as raised:  # whatever it is, the request isn't at fault
            error = raised
        return way.lose(self.event, error)

    cdef bint _commit(self, Writer log) except -1:
        """Write the line of a plain request, which nobody else asks for."""
        cdef line text
        line_begin(&text)
        try:
            self._put_plain_line(&text)
            return log._commit(text.data, text.size)
        finally:
            line_end(&text)

    @property
    def event(self):
        """The event of the stage that the request is at."""
        if self._event is not None:
            return self._event
        event = stage_event(
            self.attributes,
            self.level,
            self.stage,
            self._received_ns,
            self._stage_ns,
            self._code,
            dict(self.annotations),
        )
        if not self._is_plain:
            event = replace(
                event,
                user=self._user or event.user,
                impersonated_user=self._impersonated,
                authentication_metadata=self._authentication,
                object_ref=self._reference or event.object_ref,
                response_status=self._status or event.response_status,
                request_object=self._request_object,
                response_object=self._response_object,
            )
        redact = self._outlet.redact
        self._event = event if redact is None else redact(event)
        return self._event

    @property
    def line(self):
        """That event as a line of JSON; made once for all backends."""
        return self._as_line()

    cdef bytes _as_line(self):
        cdef line text
        if self._line is not None:
            return self._line
        if self._has_plain_line():
            line_begin(&text)
            try:
                self._put_plain_line(&text)
                self._line = PyBytes_FromStringAndSize(text.data, text.size)
            finally:
                line_end(&text)
        else:
            self._line = json_line(self.event)
        return self._line

    cdef bint _has_plain_line(self) except -1:
        """Tell whether attributes, code and annotations say all there is to say."""
        if not self._is_plain:
            return False
        if self._outlet.redact is None:
            return True
        if self._outlet.leaves is None:
            return False
        # Of all that is asked for, only annotations change between the stages.
        if self._left_with != len(self.annotations):
            if not self._outlet.leaves(self.attributes, self.annotations):
                return False
            self._left_with = len(self.annotations)
        return True

    cdef int _put_plain_line(self, line *text) except -1:
        return put_stage_line(
            text,
            self.attributes,
            self.level,
            self.stage,
            self._received_ns,
            self._stage_ns,
            self._code,
            self.annotations,
        )

    # The stages.

    cpdef bint receive(self) except -1:
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

    cpdef start_response(self, code):
        """Record that the answer begins; only the first time counts.

        Args:
            code: The HTTP status; 101 when the connection is taken over.
        """
        if not self.is_enabled or self.has_started or self.is_over:
            return
        self.has_started = True
        self._code = code
        if self._status is not None:
            self._status = replace(self._status, code=code)
        if self.long_running:
            self._emit(RESPONSE_STARTED)

    cdef int _set_status(self, status) except -1:
        self._status = status
        self._code = status.code
        self._is_plain = False
        return 0

    cpdef complete(self, unanswered=None):
        """Record that the answer is given, and end.

        Where the handler raised, as `note_error` heard, and was answered for with a
        server error, that is recorded as a panic.

        Args:
            unanswered: The `Status` where no answer began; None is what Kubernetes
                says then, that the connection was closed early.
        """
        if not self.is_enabled or self.is_over:
            return
        if self._error is not None:
            if self._code is None or self._code >= SERVER_ERROR:
                self.panic(self._error)
                return
        if self._code is None:
            self._set_status(CLOSED_EARLY if unanswered is None else unanswered)
            if self.long_running:
                self._emit(RESPONSE_STARTED)
        if self._outlet.adds_latency:
            self._add_latencies()
        self._emit(RESPONSE_COMPLETE)
        self._end()

    cpdef panic(self, value):
        """Record that the handler raised *value* instead of answering, and end."""
        if not self.is_enabled or self.is_over:
            return
        self._set_status(status_of_panic(value))
        self._emit(PANIC)
        self._end()

    cdef int _end(self) except -1:
        self.is_over = True
        self._ask_user = None  # may know of a scope that knows of this
        return 0

    def fail(self, status, body=None):
        """Record a request that was refused before its user was known, and end.

        It has one event, of ResponseStarted.

        Args:
            status: How it was answered, as a Status; its code counts.
            body: The answer's body.
        """
        if not self.is_enabled or self.is_over:
            return
        self._set_status(status)
        if body is not None and self.wants_response_object:
            self._response_object = _as_json(body)
        self._emit(RESPONSE_STARTED)
        self.is_over = True

    def note_error(self, error):
        """Hear of an exception that somebody makes an answer of; see `complete`."""
        self._error = error

    # What turns up on the way.

    @property
    def wants_request_object(self):
        """Whether the request's body is recorded."""
        return self.keeps_request_object()

    cdef bint keeps_request_object(self) noexcept:
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
        self.fill_object_ref(**identity_in(text))
        if self.wants_request_object:
            if self.decision.omit_managed_fields:
                text = without_managed_fields(text)
            self._request_object = text
            self._is_plain = False

    def record_patch(self, bytes body not None):
        """Take the patch that the request brought, as it was sent."""
        if self.wants_request_object:
            self._request_object = body
            self._is_plain = False

    cpdef record_response_object(self, body):
        """Take the object of the answer; before `start_response`, if there is one.

        A Status tells more than the code, at every level.

        Args:
            body: JSON text as bytes, or what orjson makes JSON of.
        """
        if not self.is_enabled or self.is_over:
            return
        text = _as_json(body)
        status = status_in(text)
        if status is not None:
            self._set_status(
                Status(
                    code=self._code if self.has_started else status.code,
                    status=status.status,
                    message=status.message,
                    reason=status.reason,
                    details=status.details,
                )
            )
        if self.wants_response_object:
            if self.decision.omit_managed_fields:
                text = without_managed_fields(text)
            self._response_object = text
            self._is_plain = False

    def fill_object_ref(
        self, *, namespace="", name="", uid="", resource_version=""
    ):
        """Add to the object reference what it lacks; what it has, stays."""
        if not self.is_enabled or self.is_over:
            return
        known = self._reference
        if known is None:
            known = reference_of(self.attributes)
        self._reference = replace(
            known,
            namespace=known.namespace or namespace,
            name=known.name or name,
            uid=known.uid or uid,
            resource_version=known.resource_version or resource_version,
        )
        self._is_plain = False

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
        self._impersonated = user
        if constraint:
            self._authentication = AuthenticationMetadata(
                impersonation_constraint=constraint
            )
        self._is_plain = False

    def identify(self, user):
        """Record who the user is, where that turns up in the handler only.

        The decision stays as it was.
        """
        if self.is_enabled and not self.is_over:
            self._user = user
            self._ask_user = None
            self._is_plain = False
            if USER_ERROR in self.annotations:
                del self.annotations[USER_ERROR]

    def ask_later(self, ask_user):
        """Have somebody asked who the user is before each event of a later stage.

        Until one knows, and says so by `identify`.

        Args:
            ask_user: Called with this request; must not raise. None for nobody.
        """
        if self.is_enabled and not self.is_over and self._user is None:
            self._ask_user = ask_user

    @property
    def asks_user(self):
        """Whether somebody will be asked who the user is."""
        return self._ask_user is not None

    def ask_now(self):
        """Ask for the last time, as who is asked won't be able to answer later."""
        if self._ask_user is not None:
            self._ask_user(self)
            self._ask_user = None

    def note_user_error(self, str text not None):
        """Record why nobody can say who the user is; the last reason stays."""
        if self.is_enabled and not self.is_over:
            self.annotations = {**self.annotations, USER_ERROR: text}

    def add_latency(self, part, int64_t ns):
        """Add to the time that a *part* of the handling took; see `Auditor`."""
        if self._latencies is None:
            self._latencies = {}
        self._latencies[part] = self._latencies.get(part, 0) + ns

    cdef int _add_latencies(self) except -1:
        total_ns = self._outlet.now_ns() - self._received_ns
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
