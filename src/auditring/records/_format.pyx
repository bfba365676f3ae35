"""Lines as a logging.Formatter makes them, without asking it.

A plan is what a formatter will do, found out once: the pieces of its format and how
each becomes bytes. A formatter of which that can't be known has no plan: a class that
overrides something, another style than %, default values, a clock of its own. Whatever
is unusual about a record leaves it to the formatter, too: exceptions, stacks, a field
that isn't there, arguments that don't fit.
"""

from cpython.mem cimport PyMem_Calloc, PyMem_Free
from cpython.object cimport Py_TYPE, PyObject, PyObject_GetAttr, PyObject_Str
from cpython.unicode cimport PyUnicode_CheckExact

from .._native.ascii cimport ascii_text
from ._asctime cimport asctime_of
from ._formatpiece cimport LITERAL, TEXT, Piece, pieces_of
from .._native.line cimport line, line_begin, line_end, line_put, line_put_text
from ._logcall cimport (
    ASCTIME,
    FUNCNAME,
    MESSAGE,
    OTHER,
    PATHNAME,
    call,
    value_of_call,
)
from ._logmessage cimport message_of, put_message
from ._record cimport is_usual, time_of
from .._native.octets cimport octets_are_ascii
from ._untouched cimport own_attributes
from .._native.versions cimport type_version

import logging

from ._untouched import is_untouched

# What makes a formatter's lines; exceptions and stacks are left to it anyway.
cdef object FORMATTER_METHODS = ("format", "formatMessage", "formatTime", "usesTime")
cdef object STYLE_METHODS = ("_format", "format", "usesTime")


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
        self._pieces = pieces_of(style._fmt)
        if self._pieces is None:
            return False
        if "%(asctime)" in style._fmt:
            self._asctime = asctime_of(formatter)
            if self._asctime is None:
                return False
        self._learn_steps()
        self._puts_message = self._has_message_once()
        self.wants_caller = self._has_field(PATHNAME, FUNCNAME)
        self.knows_calls = not self._has_field(OTHER, OTHER)
        self._formatter_attributes = own_attributes(formatter)
        self._style_attributes = own_attributes(style)
        self._formatter_version = type_version(type(formatter))
        self._style_version = type_version(logging.PercentStyle)
        return self._formatter_version != 0 and self._style_version != 0

    cdef int _learn_steps(self) except -1:
        cdef Piece piece
        cdef step *at
        cdef Py_ssize_t count = len(self._pieces)
        self._steps = <step *> PyMem_Calloc(<size_t> count + 1, sizeof(step))
        if self._steps == NULL:
            raise MemoryError()
        for item in self._pieces:
            piece = <Piece> item
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

    def _has_message_once(self):
        """Tell whether the message can be made right where it belongs."""
        cdef Piece piece
        kinds = []
        for item in self._pieces:
            piece = <Piece> item
            if piece.kind != LITERAL and piece.field == MESSAGE:
                kinds.append(piece.kind)
        return kinds == [TEXT]

    cdef bint _has_field(self, int first, int last):
        cdef Piece piece
        for item in self._pieces:
            piece = <Piece> item
            if piece.kind != LITERAL and first <= piece.field <= last:
                return True
        return False

    cdef bint is_valid(self) except -1:
        """Tell whether the formatter still is what the plan was made of."""
        return (
            type_version(<object> Py_TYPE(self.formatter)) == self._formatter_version
            and type_version(<object> Py_TYPE(self._style)) == self._style_version
            and self._formatter_attributes.are_same()
            and self._style_attributes.are_same()
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
        if not is_usual(record):
            return 0
        if not self._puts_message:
            record.message = message = message_of(record.msg, record.args)
        if self._asctime is not None:
            if not time_of(record, &created, &msecs):
                return 0
            record.asctime = asctime = self._asctime.text(created, msecs)
        for i in range(self._step_count):
            at = &self._steps[i]
            if at.kind == LITERAL:
                line_put(out, at.literal, at.size)
                continue
            start = out.size
            if at.field == MESSAGE and self._puts_message:
                if put_message(record.msg, record.args, out, is_utf8):
                    record.message = _text_of(out.data + start, out.size - start)
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
                value = self._asctime.text(given.created, given.msecs)
            else:
                value = value_of_call(at.field, given)
            if not _put_value(at, value, out, is_utf8):
                return 0
        return 1


cdef inline int _put_value(step *at, object value, line *out, bint is_utf8) except -1:
    if at.kind != TEXT:
        return (<Piece> at.piece).put_shaped(value, out, is_utf8)
    if not PyUnicode_CheckExact(value):
        value = PyObject_Str(value)
    return line_put_text(out, value, is_utf8)


cdef inline str _text_of(const char *utf8, Py_ssize_t size):
    if octets_are_ascii(utf8, <size_t> size):
        return ascii_text(utf8, size)
    return utf8[:size].decode()
