"""A request and its answer over HTTP, as it is told by whatever serves it."""

from ..audit.auditor import AuditedRequest
from ..event.payload import REQUEST_OMITTED, RESPONSE_OMITTED, Payload
from ..event.status import Status
from .body import Body, BodyRules
from .disconnects import is_cancelled
from .incompleteness import (
    CLIENT_LEFT,
    HANDLER_ERROR,
    RESPONSE_INCOMPLETE,
    UNANSWERED,
    Incompleteness,
    error_text,
)

__all__ = ["Exchange"]

EVENT_STREAM = "text/event-stream"


class Exchange:
    """Records the answer to a request, and both bodies where the level wants them.

    One thread at a time.
    """

    __slots__ = (
        "_request_body",
        "_request_kind",
        "_response_body",
        "_response_kind",
        "_rules",
        "request",
    )

    def __init__(self, request: AuditedRequest, rules: BodyRules) -> None:
        """Take a request that is begun."""
        self.request = request
        self._rules = rules
        self._request_body: Body | None = None
        self._request_kind = ("", "")
        self._response_body: Body | None = None
        self._response_kind = ("", "")

    def watch(self, content_type: str, content_encoding: str) -> Body | None:
        """Return what is to be given the request's body as it is read.

        Nothing is read for its sake: a server answers ``Expect: 100-continue`` when
        somebody first reads.

        Args:
            content_type: Of the request.
            content_encoding: Likewise.

        Returns:
            None: The body isn't wanted.
        """
        if self.request.wants_request_object and self._rules.allow(self.request):
            self._request_kind = (content_type, content_encoding)
            self._request_body = Body(self._rules.max_bytes)
        return self._request_body

    def start(self, code: int, content_type: str, content_encoding: str) -> None:
        """Record that headers go out; only the first time counts.

        Args:
            code: The HTTP status.
            content_type: Of the answer; a stream of events makes it long-running.
            content_encoding: Of the answer.
        """
        request = self.request
        if not request.is_enabled or request.has_started:
            return
        if content_type.startswith(EVENT_STREAM):
            request.long_running = True
        request.start_response(code)
        if request.wants_response_object and self._rules.allow(request):
            self._response_kind = (content_type, content_encoding)
            self._response_body = Body(self._rules.max_bytes)

    def pass_on(self, chunk: bytes) -> None:
        """Take note of bytes of the answer's body that go out."""
        if self._response_body is not None:
            self._response_body.add(chunk)

    def finish(self, *, is_whole: bool = True) -> None:
        """Record that there is no more to come, if that isn't done by now.

        Args:
            is_whole: Whether all of the answer's body went out; else who takes it
                stopped doing so.
        """
        if self.request.is_over:
            return
        if is_whole:
            self.complete(UNANSWERED)
        else:
            self.request.annotate(RESPONSE_INCOMPLETE, str(Incompleteness.CLOSED_EARLY))
            self.complete(CLIENT_LEFT, is_whole=False)

    def complete(self, unanswered: Status | None, is_whole: bool = True) -> None:
        """Record both bodies, and the end of the request.

        Args:
            unanswered: What it is where no answer began.
            is_whole: Whether all of the answer's body went out.
        """
        if self._response_body is not None and is_whole:
            self._response_body.end()
        self._record_bodies()
        self.request.complete(unanswered)

    def fail(self, error: BaseException) -> None:
        """Record that *error* came out of the handler, if it isn't over by now."""
        if self.request.is_over:
            return
        if is_cancelled(error):
            self.request.annotate(RESPONSE_INCOMPLETE, str(Incompleteness.CANCELLED))
            self.complete(CLIENT_LEFT, is_whole=False)
        else:
            self.panic(error)

    def leave(self, error: BaseException | None = None) -> None:
        """Record that the client left, and what the handler raised after that."""
        if self.request.is_over:
            return
        if error is not None:
            self.request.annotate(HANDLER_ERROR, error_text(error))
        self.request.annotate(RESPONSE_INCOMPLETE, str(Incompleteness.CLIENT_LEFT))
        self.complete(CLIENT_LEFT, is_whole=False)

    def panic(self, error: BaseException) -> None:
        """Record both bodies, and that the handler failed by *error*."""
        self._record_bodies()
        self.request.panic(error)

    def _record_bodies(self) -> None:
        request = self.request
        # A long-running request has none; what it is, may turn out with the answer.
        if self._request_body is not None and not request.long_running:
            self._record_request_body(self._request_body.payload(*self._request_kind))
        if self._response_body is not None:
            payload = self._response_body.payload(*self._response_kind)
            if payload.omission is not None:
                request.annotate(RESPONSE_OMITTED, str(payload.omission))
            elif payload.text is not None:
                request.record_response_object(payload.text)

    def _record_request_body(self, payload: Payload) -> None:
        request = self.request
        if payload.omission is not None:
            request.annotate(REQUEST_OMITTED, str(payload.omission))
        elif payload.text is not None:
            if request.attributes.verb == "patch":
                request.record_patch(payload.text)
            else:
                request.record_request_object(payload.text)
