"""An HTTP request and its answer as ASGI tells of them, as far as every one goes.

Attributes of most requests come straight from the scope; `request._plain` says which
those are, and `reader` reads the others. Bodies, where they are wanted, are for
`exchange`.
"""

cimport cython
from cpython.bytes cimport (
    PyBytes_AS_STRING,
    PyBytes_FromStringAndSize,
    PyBytes_GET_SIZE,
)
from cpython.list cimport PyList_GET_ITEM, PyList_GET_SIZE
from cpython.ref cimport Py_INCREF
from libc.string cimport memcmp

from .._native.ascii cimport ascii_text
from .._native.line cimport PyUnicode_GET_LENGTH, ascii_of
from .._native.octets cimport octets_are_plain_path, octets_are_plain_query
from ..audit._admission cimport begin_request
from ..audit._pipeline cimport Gate
from ..audit._request cimport AuditedRequest
from ..request._headers cimport is_lower_name, read_headers
from ..request._plain cimport is_plain_user, read_plain
from ._routetable cimport RouteTable

from types import MethodType

from ..audit.auditor import Auditor
from ..errors import RequestInfoError
from .disconnects import code_of, is_cancelled, is_raised_in
from .exchange import Exchange
from .identification import ask_later, known_user, without_user
from ..request.identity import ANONYMOUS_USER
from .incompleteness import CLIENT_LEFT, UNANSWERED, Incompleteness, error_text
from .incompleteness import HANDLER_ERROR as _HANDLER_ERROR
from .incompleteness import RESPONSE_INCOMPLETE as _RESPONSE_INCOMPLETE

cdef extern from "Python.h":
    # As they are in C: Cython's own have None for what isn't filled.
    list PyList_New(Py_ssize_t size)
    void PyList_SET_ITEM(list owner, Py_ssize_t index, object value) noexcept

cdef enum:
    SERVER_ERROR = 500

SCOPE_KEY = "auditring.request"

cdef bytes EVENT_STREAM = b"text/event-stream"
# A Status of Kubernetes says more than the code, and is short.
cdef bytes STATUS_START = b'{"kind":"Status",'


cdef inline bint _is_name(name, Py_ssize_t size, const char *wanted) except -1:
    """Tell whether a header's *name* is *wanted*, which has *size* bytes."""
    if type(name) is not bytes:
        return bytes(name).lower() == wanted[:size]
    if PyBytes_GET_SIZE(name) != size:
        return False
    return is_lower_name(PyBytes_AS_STRING(name), size, wanted)


cdef inline bint _is_kind(kind, const char *wanted, Py_ssize_t size) except -1:
    """Tell whether a message's *kind* is *wanted*, which has *size* characters."""
    cdef const char *text
    if type(kind) is not str:
        return kind == wanted[:size].decode("ascii")
    text = ascii_of(kind)
    return (
        text != NULL
        and PyUnicode_GET_LENGTH(kind) == size
        and not memcmp(text, wanted, <size_t> size)
    )


cdef inline bint _begins(text, bytes start) except -1:
    if type(text) is not bytes:
        return bytes(text).startswith(start)
    if PyBytes_GET_SIZE(text) < PyBytes_GET_SIZE(start):
        return False
    return not memcmp(
        PyBytes_AS_STRING(text), PyBytes_AS_STRING(start), PyBytes_GET_SIZE(start)
    )


cdef list _with_one_more(list headers, tuple pair):
    """Return a copy with *pair* at its end."""
    cdef Py_ssize_t index, size = PyList_GET_SIZE(headers)
    cdef list copy = PyList_New(size + 1)
    for index in range(size):
        each = <object> PyList_GET_ITEM(headers, index)
        Py_INCREF(each)
        PyList_SET_ITEM(copy, index, each)
    Py_INCREF(pair)
    PyList_SET_ITEM(copy, size, pair)
    return copy


cdef bytes _octets(str text):
    cdef const char *ascii = ascii_of(text)
    if ascii != NULL:
        return PyBytes_FromStringAndSize(ascii, PyUnicode_GET_LENGTH(text))
    return text.encode("utf-8", "surrogateescape")


async def _listen(HttpExchange exchange):
    """Return the next message for the application, having noted what it means."""
    message = await exchange._receive()
    exchange.note(message)
    return message


@cython.final
@cython.freelist(16)
cdef class HttpExchange:
    """An HTTP request and its answer, as ASGI has them; one task at a time.

    Attributes:
        bodies: An `exchange.Exchange`; None if no body is wanted.
        is_refused: Whether it was received and must be refused.
    """

    cdef readonly object bodies
    cdef readonly bint is_refused
    cdef AuditedRequest _request
    cdef object _receive, _send
    cdef object _request_body  # a `bodies.Body`; None if it isn't wanted
    cdef int _code  # 0 before the answer begins
    cdef bint _is_sent  # to its last byte
    cdef bint _has_left  # by what the server says

    def __cinit__(self, AuditedRequest request not None, rules, receive, send):
        self._request = request
        self._receive = receive
        self._send = send
        if request.keeps_request_object():
            self.bodies = Exchange(request, rules)

    cpdef bint begin(self) except -1:
        """Record that the request is there; False if it must be refused."""
        self.is_refused = not self._request.receive()
        return not self.is_refused

    def watch(self, str content_type not None, str content_encoding not None):
        """Keep the request's body, if it's wanted, as the application receives it."""
        self._request_body = self.bodies.watch(content_type, content_encoding)

    # What the application is given, made anew for each request: a builtin is cheaper.
    @cython.binding(False)
    def receive(self):
        """Receive a message for the application."""
        return _listen(self)

    cdef int note(self, message) except -1:
        """Take note of what the server says."""
        kind = message["type"]
        if _is_kind(kind, b"http.disconnect", 15):
            # Servers say so at the end of every answer, too.
            self._has_left = self._has_left or not self._is_sent
        elif self._request_body is not None and _is_kind(kind, b"http.request", 12):
            self._request_body.add(message.get("body", b""))
            if not message.get("more_body", False):
                self._request_body.end()
        return 0

    @cython.binding(False)
    def send(self, message):
        """Pass on a message of the application, having recorded what it means."""
        cdef dict members = message if type(message) is dict else dict(message)
        kind = members["type"]
        if _is_kind(kind, b"http.response.start", 19):
            members = self._start(members)
        elif _is_kind(kind, b"http.response.body", 18):
            body = members.get("body", b"")
            if self.bodies is not None:
                self.bodies.pass_on(body)
            if not members.get("more_body", False):
                self._end(body)
        elif _is_kind(kind, b"http.response.pathsend", 22):
            self._end(b"")
        return self._send(members)

    cdef dict _start(self, dict members):
        """Record that headers go out; return the message with an Audit-ID."""
        cdef bint has_id = False
        cdef AuditedRequest request = self._request
        code = members["status"]
        headers = members.get("headers", ())
        if type(headers) is not list:
            headers = list(headers)
        content_type = content_encoding = b""
        for pair in <list> headers:
            name = pair[0]
            if _is_name(name, 8, b"audit-id"):
                has_id = True
            elif _is_name(name, 12, b"content-type"):
                content_type = pair[1]
            elif _is_name(name, 16, b"content-encoding"):
                content_encoding = pair[1]
        if not has_id:
            headers = _with_one_more(
                <list> headers, (b"audit-id", _octets(request.audit_id))
            )
        self._code = code
        if self.bodies is not None:
            self.bodies.start(
                code, content_type.decode("latin-1"), content_encoding.decode("latin-1")
            )
        elif request.is_enabled:
            if _begins(content_type, EVENT_STREAM):
                request.long_running = True
            request.start_response(code)
        # The application may send the same message again.
        members = members.copy()
        members["headers"] = headers
        return members

    cdef int _end(self, body) except -1:
        self._is_sent = True
        if _begins(body, STATUS_START):
            self._request.record_response_object(bytes(body))
        # Who answers for an exception of the application does it before that gets here.
        if 0 < self._code < SERVER_ERROR:
            self._complete(None, True)
        return 0

    cdef int _complete(self, unanswered, bint is_whole) except -1:
        if self.bodies is None:
            self._request.complete(unanswered)
        else:
            self.bodies.complete(unanswered, is_whole)
        return 0

    cpdef finish(self):
        """Record that the application returned, if all isn't recorded by now."""
        cdef AuditedRequest request = self._request
        if request.is_over:
            return
        if self._has_left:
            self._leave(Incompleteness.CLIENT_LEFT)
            return
        if self._code and not self._is_sent:
            request.annotate(_RESPONSE_INCOMPLETE, str(Incompleteness.HANDLER_RETURNED))
        self._complete(UNANSWERED, self._is_sent)

    cdef int _leave(self, why) except -1:
        """Record that nobody waits for the answer any more."""
        if not self._is_sent:
            self._request.annotate(_RESPONSE_INCOMPLETE, str(why))
        return self._complete(CLIENT_LEFT, self._is_sent)

    def fail(self, error):
        """Record that *error* came out of the application."""
        if self._request.is_over:
            return
        if is_cancelled(error):
            self._leave(
                Incompleteness.CLIENT_LEFT
                if self._has_left
                else Incompleteness.CANCELLED
            )
        elif is_raised_in(error, code_of(self._send)):
            self._leave(Incompleteness.CLIENT_LEFT)
        elif self._has_left:
            self._request.annotate(_HANDLER_ERROR, error_text(error))
            self._leave(Incompleteness.CLIENT_LEFT)
        elif self.bodies is None:
            self._request.panic(error)
        else:
            self.bodies.panic(error)


@cython.final
cdef class HttpOpener:
    """Begins the HTTP requests of one application."""

    cdef object _begin, _user, _rules, _read
    cdef Gate _gate  # None if the auditor begins requests in a way of its own
    cdef RouteTable _routes
    cdef bint _is_plain

    def __cinit__(self, auditor, user, RouteTable routes, rules, read, bint is_plain):
        self._begin = auditor.begin
        if type(self._begin) is MethodType and self._begin.__func__ is Auditor.begin:
            self._gate = self._begin.__self__.gate
        self._user = user
        self._routes = routes
        self._rules = rules
        self._read = read
        self._is_plain = is_plain

    def open(self, scope, receive, send):
        """Return the exchange of a scope, and put its request in there.

        Where a body is wanted, nothing is recorded of it yet: `HttpExchange.begin` is
        for who has seen to it that the body is watched. Else it is received.
        """
        cdef HttpExchange exchange
        cdef AuditedRequest request
        user, failure = ANONYMOUS_USER, ""
        if self._user is not None:
            # What it does is looked into only where that isn't as usual.
            try:
                user = self._user(scope)
            except Exception as error:
                user, failure = without_user(error)
            if not is_plain_user(user):
                user, failure = known_user(user)
        attributes = None
        if self._is_plain and type(scope) is dict:
            attributes = read_scope(scope, user, self._routes)
        if attributes is None:
            attributes = self._read(scope, user)
        if self._gate is None:
            request = self._begin(attributes)
        else:
            request = begin_request(attributes, self._gate.outlet, None)
        if user is ANONYMOUS_USER and self._user is not None:
            ask_later(request, failure, self._user, scope)
        scope[SCOPE_KEY] = request
        exchange = HttpExchange(request, self._rules, receive, send)
        if exchange.bodies is None:
            exchange.begin()
        return exchange


cdef inline str _path_of(dict scope, bytes raw_path):
    """Return the path as text, which most often is the one that is there anyway."""
    cdef Py_ssize_t size = PyBytes_GET_SIZE(raw_path)
    cdef const char *octets = PyBytes_AS_STRING(raw_path)
    cdef const char *text
    path = scope.get("path")
    if type(path) is str and PyUnicode_GET_LENGTH(path) == size:
        text = ascii_of(path)
        if text != NULL and not memcmp(text, octets, <size_t> size):
            return <str> path
    return ascii_text(octets, size)


cpdef object read_scope(dict scope, user, RouteTable routes):
    """Return the `Attributes` of an HTTP request's *scope*; None for an odd one.

    Odd are paths with escapes and the like, long headers and such that aren't ASCII:
    `RequestReader` reads them.

    Args:
        scope: As ASGI has it.
        user: Who sent the request.
        routes: Which paths stand for which resources; None for no such table.
    """
    cdef bytes raw_path, raw_query
    cdef str path, target, found, query = ""
    cdef const char *octets
    cdef Py_ssize_t size
    cdef list headers = [None, None, None, None]
    given_path = scope.get("raw_path")
    if type(given_path) is not bytes:
        return None
    raw_path, raw_query = given_path, scope["query_string"]
    octets = PyBytes_AS_STRING(raw_path)
    size = PyBytes_GET_SIZE(raw_path)
    if octets[0] != b"/" or not octets_are_plain_path(octets, <size_t> size):
        return None
    if not read_headers(headers, scope["headers"]):
        return None
    target = path = _path_of(scope, raw_path)
    if PyBytes_GET_SIZE(raw_query):
        octets = PyBytes_AS_STRING(raw_query)
        size = PyBytes_GET_SIZE(raw_query)
        if not octets_are_plain_query(octets, <size_t> size):
            return None
        query = ascii_text(octets, size)
        target = f"{path}?{query}"
    if routes is not None:
        found = routes.find(path)
        if found is not None:
            path = found
            octets = ascii_of(path)
            size = PyUnicode_GET_LENGTH(path)
            if octets == NULL or not octets_are_plain_path(octets, <size_t> size):
                return None
    client = scope.get("client")
    try:
        return read_plain(
            scope["method"],
            path,
            query,
            target,
            headers,
            client[0] if client else "",
            user,
        )
    except RequestInfoError:
        return None
