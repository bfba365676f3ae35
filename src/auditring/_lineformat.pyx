"""Lines as a logging.Formatter makes them, without asking it.

A plan is what a formatter will do, found out once: the pieces of its format and how
each becomes bytes. A formatter of which that can't be known has no plan: a class that
overrides something, another style than %, default values, a clock of its own. Whatever
is unusual about a record leaves it to the formatter, too: exceptions, stacks, a field
that isn't there, arguments that don't fit.
"""

from cpython.mem cimport PyMem_Calloc, PyMem_Free
from cpython.object cimport Py_TYPE, PyObject, PyObject_Str
from cpython.tuple cimport PyTuple_GET_SIZE
from libc.math cimport floor

from ._line cimport (
    line,
    line_begin,
    line_end,
    line_put,
    line_put_int,
    line_put_text,
)
from ._logmessage cimport message_of, put_message
from ._versions cimport dict_version, type_version

import logging
import re
import time
from os import getpid
from threading import current_thread, get_ident

cdef extern from *:
    """
    #include <time.h>

    static inline PyObject *
    text_of(const char *utf8, Py_ssize_t size)
    {
        unsigned char bits = 0;
        PyObject *text;

        for (Py_ssize_t i = 0; i < size; i++) {
            bits |= (unsigned char)utf8[i];
        }
        if (bits > 127) {
            return PyUnicode_DecodeUTF8(utf8, size, NULL);
        }
        text = PyUnicode_New(size, 127);
        if (text != NULL && size > 0) {
            memcpy(PyUnicode_1BYTE_DATA(text), utf8, (size_t)size);
        }
        return text;
    }
    """
    object text_of(const char *utf8, Py_ssize_t size)
    long timezone
    char *tzname[2]

cdef extern from "Python.h":
    PyObject *PyDict_GetItemWithError(object owner, object key) except? NULL
    object PyObject_GetAttr(object owner, object name)
    bint PyUnicode_CheckExact(object value) noexcept
    bint PyLong_CheckExact(object value) noexcept
    bint PyFloat_CheckExact(object value) noexcept
    double PyFloat_AS_DOUBLE(object value) noexcept

cdef object LogRecord = logging.LogRecord
cdef object LOGGING_FILE = logging.addLevelName.__code__.co_filename
cdef object CLOCKS = (time.localtime, time.gmtime)

# What makes a formatter's lines; exceptions and stacks are left to it anyway.
cdef object FORMATTER_METHODS = ("format", "formatMessage", "formatTime", "usesTime")
cdef object STYLE_METHODS = ("_format", "format", "usesTime")

cdef enum kinds:
    LITERAL, TEXT, NUMBER, MSECS, SHAPED

# Fields that a struct call has; everything else is OTHER.
cdef enum fields:
    MESSAGE, ASCTIME, NAME, LEVELNAME, LEVELNO, CREATED, MSECS_FIELD
    PATHNAME, FILENAME, MODULE, LINENO, FUNCNAME
    PROCESS, THREAD, THREAD_NAME
    OTHER

cdef dict FIELDS = {
    "message": MESSAGE,
    "asctime": ASCTIME,
    "name": NAME,
    "levelname": LEVELNAME,
    "levelno": LEVELNO,
    "created": CREATED,
    "msecs": MSECS_FIELD,
    "pathname": PATHNAME,
    "filename": FILENAME,
    "module": MODULE,
    "lineno": LINENO,
    "funcName": FUNCNAME,
    "process": PROCESS,
    "thread": THREAD,
    "threadName": THREAD_NAME,
}


cdef object _first_record():
    """Make a record with all that formatters set, before a program makes many.

    CPython has the objects of a class share a table of their attributes' names. It
    takes new names only as long as few objects were made; one with a name beyond it
    gets a dictionary, and that costs as much as its formatting.
    """
    record = logging.makeLogRecord({})
    record.message = record.asctime = ""
    return record


# Attributes that every LogRecord has; another field may be in its dictionary.
cdef object STANDARD = frozenset(_first_record().__dict__) - {"message", "asctime"}

PIECE = re.compile(
    r"%\((?P<field>[^()]+)\)(?P<shape>[#0+ -]*\d*(?:\.\d+)?)"
    r"(?P<conversion>[diouxXeEfFgGcrsa])"
    r"|(?P<percent>%%)"
    r"|(?P<literal>[^%]+)"
)
MSEC_FORMAT = re.compile(r"%s(?P<between>[^%]*)%03d")


# Plans.

cdef class _Piece:
    """A literal, or one field of a format and how it is put."""

    cdef kinds kind
    cdef int field
    cdef bytes literal
    cdef str key
    cdef bint is_standard
    cdef str shape
    # The last text that was shaped, and what became of it: names and levels repeat.
    cdef object shaped
    cdef str shaped_text


cdef _Piece _literal(str text):
    cdef _Piece piece = _Piece.__new__(_Piece)
    piece.kind = LITERAL
    piece.literal = text.encode()
    return piece


cdef _Piece _field(str key, str shape, str conversion):
    cdef _Piece piece = _Piece.__new__(_Piece)
    piece.key = intern_key(key)
    piece.field = FIELDS.get(key, OTHER)
    piece.is_standard = key in STANDARD
    piece.shape = f"%{shape}{conversion}"
    piece.kind = SHAPED
    if not shape and conversion == "s":
        piece.kind = TEXT
    elif not shape and conversion == "d":
        piece.kind = NUMBER
    elif key == "msecs" and shape == "03" and conversion == "d":
        piece.kind = MSECS
    return piece


cdef str intern_key(str key):
    from sys import intern

    return intern(key)


cdef tuple _pieces_of(str text):
    """Take a format apart; None when it holds something that is best left alone."""
    pieces = []
    end = 0
    for match in PIECE.finditer(text):
        if match.start() != end:
            return None
        end = match.end()
        if match["percent"]:
            pieces.append(_literal("%"))
        elif match["literal"]:
            pieces.append(_literal(match["literal"]))
        else:
            pieces.append(_field(match["field"], match["shape"], match["conversion"]))
    if end != len(text):
        return None
    return tuple(pieces)


def is_untouched(kind, names):
    """Tell whether these methods of a class are those of the logging package."""
    for name in names:
        code = getattr(getattr(kind, name, None), "__code__", None)
        if code is None or code.co_filename != LOGGING_FILE:
            return False
    return True


def plan_for(formatter):
    """Return a `LinePlan` for *formatter*, or None when it can't have one."""
    cdef LinePlan plan
    kind = type(formatter)
    style = getattr(formatter, "_style", None)
    if not isinstance(formatter, logging.Formatter):
        return None
    if type(style) is not logging.PercentStyle or not hasattr(style, "_fmt"):
        return None
    if not is_untouched(kind, FORMATTER_METHODS):
        return None
    if not is_untouched(logging.PercentStyle, STYLE_METHODS):
        return None
    own = formatter.__dict__
    if any(name in own for name in FORMATTER_METHODS):
        return None
    if any(name in style.__dict__ for name in STYLE_METHODS):
        return None
    plan = LinePlan.__new__(LinePlan)
    plan.formatter = formatter
    plan._style = style
    if not plan._learn():
        return None
    return plan


cdef class LinePlan:
    """How one formatter makes lines, as long as nobody changes it."""

    def __dealloc__(self):
        PyMem_Free(self._steps)

    def _learn(self):
        """Find out what the formatter does; False when that has no plan."""
        formatter, style = self.formatter, self._style
        if style._defaults or type(style._fmt) is not str:
            return False
        self._pieces = _pieces_of(style._fmt)
        if self._pieces is None or not self._learn_time():
            return False
        self._learn_steps()
        self._puts_message = self._has_message_once()
        self.wants_caller = self._has_field(PATHNAME, FUNCNAME)
        self.knows_calls = not self._has_field(OTHER, OTHER)
        self._formatter_attributes = _attributes_of(formatter)
        self._style_attributes = _attributes_of(style)
        self._formatter_version = type_version(type(formatter))
        self._style_version = type_version(logging.PercentStyle)
        return self._formatter_version != 0 and self._style_version != 0

    cdef int _learn_steps(self) except -1:
        cdef _Piece piece
        cdef step *at
        cdef Py_ssize_t count = len(self._pieces)
        self._steps = <step *> PyMem_Calloc(<size_t> count + 1, sizeof(step))
        if self._steps == NULL:
            raise MemoryError()
        for item in self._pieces:
            piece = <_Piece> item
            at = &self._steps[self._step_count]
            at.kind, at.field, at.is_standard = (
                piece.kind,
                piece.field,
                piece.is_standard,
            )
            at.piece, at.key = <PyObject *> piece, <PyObject *> piece.key
            if piece.kind == LITERAL:
                at.literal, at.size = piece.literal, len(piece.literal)
            self._step_count += 1
        return 0

    def _learn_time(self):
        formatter = self.formatter
        self._second = -1
        self._wants_time = "%(asctime)" in self._style._fmt
        if not self._wants_time:
            return True
        self._converter = formatter.converter
        if self._converter not in CLOCKS:
            return False
        self._before_msecs = None
        self._time_format = formatter.datefmt or formatter.default_time_format
        if not formatter.datefmt and formatter.default_msec_format:
            match = MSEC_FORMAT.fullmatch(formatter.default_msec_format)
            if match is None:
                return False
            self._before_msecs = match["between"]
        return True

    def _has_message_once(self):
        """Tell whether the message can be made right where it belongs."""
        cdef _Piece piece
        kinds = []
        for item in self._pieces:
            piece = <_Piece> item
            if piece.kind != LITERAL and piece.field == MESSAGE:
                kinds.append(piece.kind)
        return kinds == [TEXT]

    cdef bint _has_field(self, int first, int last):
        cdef _Piece piece
        for item in self._pieces:
            piece = <_Piece> item
            if piece.kind != LITERAL and first <= piece.field <= last:
                return True
        return False

    cdef bint is_valid(self) except -1:
        """Tell whether the formatter still is what the plan was made of."""
        return (
            type_version(<object> Py_TYPE(self.formatter)) == self._formatter_version
            and type_version(<object> Py_TYPE(self._style)) == self._style_version
            and (<_Attributes> self._formatter_attributes).are_same()
            and (<_Attributes> self._style_attributes).are_same()
        )

    def format(self, record):
        """Return the line for *record* in UTF-8, None if the formatter is to make it.

        Sets `message` and `asctime` of the record, as the formatter does.

        Raises:
            Exception: What the formatter would raise, or something else; it is to be
                asked.
        """
        cdef line out
        if not self.is_valid():
            return None
        line_begin(&out)
        try:
            if not self.put_record(record, &out, True):
                return None
            return out.data[:out.size]
        finally:
            line_end(&out)

    cdef int put_record(self, object record, line *out, bint is_utf8) except -1:
        """Put the line for a record; 0 when it is to be left to the formatter."""
        cdef step *at
        cdef double created = 0
        cdef int msecs = 0
        cdef Py_ssize_t i, start
        cdef object message = None, asctime = None
        if not _is_usual(record):
            return 0
        if not self._puts_message:
            record.message = message = message_of(record.msg, record.args)
        if self._wants_time:
            if not _time_of(record, &created, &msecs):
                return 0
            record.asctime = asctime = self._time_text(created, msecs)
        for i in range(self._step_count):
            at = &self._steps[i]
            if at.kind == LITERAL:
                line_put(out, at.literal, at.size)
                continue
            start = out.size
            if at.field == MESSAGE and self._puts_message:
                if put_message(record.msg, record.args, out, is_utf8):
                    record.message = text_of(out.data + start, out.size - start)
                    continue
                out.size = start
                record.message = value = message_of(record.msg, record.args)
            elif at.field == MESSAGE:
                value = message
            elif at.field == ASCTIME:
                value = asctime
            elif at.is_standard:
                value = PyObject_GetAttr(record, <object> at.key)
            else:
                value = record.__dict__[<object> at.key]
            if value is None and at.field == MESSAGE:
                return 0
            if not _put_value(at, value, out, is_utf8):
                return 0
        return 1

    cdef int put_call(self, call *given, line *out, bint is_utf8) except -1:
        """Put the line for a call; 0 when a record must be made for it."""
        cdef step *at
        cdef Py_ssize_t i, start
        cdef object msg = <object> given.msg, args = <object> given.args
        for i in range(self._step_count):
            at = &self._steps[i]
            if at.kind == LITERAL:
                line_put(out, at.literal, at.size)
                continue
            start = out.size
            if at.field == MESSAGE:
                if at.kind == TEXT and put_message(msg, args, out, is_utf8):
                    continue
                out.size = start
                value = message_of(msg, args)
                if value is None:
                    return 0
            elif at.field == ASCTIME:
                value = self._time_text(given.created, given.msecs)
            else:
                value = _value_of_call(at.field, given)
            if not _put_value(at, value, out, is_utf8):
                return 0
        return 1

    # Times.

    cdef object _time_text(self, double created, int msecs):
        """Return what formatTime does; records of one millisecond share it."""
        cdef int64_t second = <int64_t> floor(created)
        if (
            second != self._second
            or timezone != self._zone
            or tzname[0] != self._zone_names[0]
            or tzname[1] != self._zone_names[1]
        ):
            moment = self._converter(created)
            self._second_text = time.strftime(self._time_format, moment)
            self._second = second
            self._zone = timezone
            self._zone_names = [tzname[0], tzname[1]]
            self._msecs = -1
        if msecs != self._msecs:
            self._text = self._second_text
            if self._before_msecs is not None:
                self._text = f"{self._second_text}{self._before_msecs}{msecs:03d}"
            self._msecs = msecs
        return self._text


cdef inline int _put_value(step *at, object value, line *out, bint is_utf8) except -1:
    if at.kind != TEXT:
        return _put_shaped(<_Piece> at.piece, value, out, is_utf8)
    if not PyUnicode_CheckExact(value):
        value = PyObject_Str(value)
    return line_put_text(out, value, is_utf8)


cdef int _put_shaped(
    _Piece piece, object value, line *out, bint is_utf8
) except -1:
    if piece.kind == NUMBER and PyLong_CheckExact(value):
        if line_put_int(out, value):
            return 1
    if PyUnicode_CheckExact(value):
        if piece.shaped is not value:
            piece.shaped_text = piece.shape % (value,)
            piece.shaped = value
        return line_put_text(out, piece.shaped_text, is_utf8)
    return line_put_text(out, piece.shape % (value,), is_utf8)


# Attributes of a formatter or its style, as they were.
cdef class _Attributes:
    cdef dict _now
    cdef unsigned long _version
    cdef tuple _keys
    cdef tuple _values

    cdef bint are_same(self) except -1:
        cdef Py_ssize_t i
        if self._version != 0 and dict_version(self._now) == self._version:
            return True
        if len(self._now) != PyTuple_GET_SIZE(self._keys):
            return False
        for i in range(PyTuple_GET_SIZE(self._keys)):
            value = PyDict_GetItemWithError(self._now, self._keys[i])
            if value != <PyObject *> self._values[i]:
                return False
        self._version = dict_version(self._now)
        return True


cdef _Attributes _attributes_of(object owner):
    cdef _Attributes self = _Attributes.__new__(_Attributes)
    self._now = owner.__dict__
    self._version = dict_version(self._now)
    self._keys = tuple(self._now)
    self._values = tuple(self._now.values())
    return self


# Records.

cdef unsigned int _record_version = 0
cdef bint _are_records_untouched = False


cdef bint _is_usual(object record) except -1:
    """Tell whether all there is to a record is its message and its fields."""
    global _record_version, _are_records_untouched
    if <object> Py_TYPE(record) is not LogRecord:
        return False
    if type_version(LogRecord) != _record_version:
        _are_records_untouched = is_untouched(LogRecord, ("getMessage",))
        _record_version = type_version(LogRecord)
    return (
        _are_records_untouched
        and not record.exc_info
        and not record.exc_text
        and not record.stack_info
    )


cdef int _time_of(object record, double *created, int *msecs) except -1:
    """Tell when a record was made; 0 when its times are no usual ones."""
    cdef double fraction
    moment = record.created
    part = record.msecs
    if not PyFloat_CheckExact(moment) or not PyFloat_CheckExact(part):
        return 0
    created[0] = PyFloat_AS_DOUBLE(moment)
    fraction = PyFloat_AS_DOUBLE(part)
    if not 0 <= created[0] < 1e11 or not 0 <= fraction < 1000:
        return 0
    msecs[0] = <int> fraction
    return 1


cdef object _value_of_call(int field, call *given):
    if field == NAME:
        return <object> given.name
    if field == LEVELNAME:
        return <object> given.levelname
    if field == LEVELNO:
        return <object> given.levelno
    if field == CREATED:
        return given.created
    if field == MSECS_FIELD:
        return <double> given.msecs
    if field == PATHNAME:
        return <object> given.pathname
    if field == FILENAME:
        return <object> given.filename
    if field == MODULE:
        return <object> given.module
    if field == LINENO:
        return given.lineno
    if field == FUNCNAME:
        return <object> given.function
    if field == PROCESS:
        return getpid() if logging.logProcesses else None
    if field == THREAD:
        return get_ident() if logging.logThreads else None
    return current_thread().name if logging.logThreads else None
