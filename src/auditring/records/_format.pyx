"""Lines as logging.Formatter makes them, without asking it.

A plan is what a formatter will do, found out once: the pieces of its format and how
each becomes bytes. A formatter of which that can't be known has no plan: a class that
overrides something, another style than %, default values, a clock of its own. Whatever
is unusual about a record leaves it to the formatter, too: exceptions, stacks, a field
that isn't there, arguments that don't fit.
"""

from cpython.long cimport PyLong_CheckExact
from cpython.mem cimport PyMem_Calloc, PyMem_Free
from cpython.object cimport Py_TYPE, PyObject, PyObject_GetAttr, PyObject_Str
from cpython.unicode cimport PyUnicode_CheckExact
from libc.math cimport floor
from libc.stdint cimport int64_t

from .._native.ascii cimport ascii_text
from .._native.line cimport (
    line,
    line_begin,
    line_end,
    line_put,
    line_put_int,
    line_put_text,
)
from .._native.octets cimport octets_are_ascii
from .._native.versions cimport type_version
from ._record cimport (
    ASCTIME,
    FIELDS,
    FUNCNAME,
    MESSAGE,
    OTHER,
    PATHNAME,
    STANDARD,
    call,
    is_usual,
    message_of,
    own_attributes,
    put_message,
    time_of,
    value_of_call,
)

import logging
import re
import sys
import time

from ._record import is_untouched

cdef extern from "<time.h>":
    long timezone
    char *tzname[2]

# The times of a formatter.

cdef object CLOCKS = (time.localtime, time.gmtime)

MSEC_FORMAT = re.compile(r"%s(?P<between>[^%]*)%03d")


cdef Asctime asctime_of(object formatter):
    """Return what makes the times of a formatter; None when they can't be known."""
    cdef Asctime self = Asctime.__new__(Asctime)
    self._second = -1
    self._converter = formatter.converter
    if self._converter not in CLOCKS:
        return None
    self._format = formatter.datefmt or formatter.default_time_format
    if not formatter.datefmt and formatter.default_msec_format:
        match = MSEC_FORMAT.fullmatch(formatter.default_msec_format)
        if match is None:
            return None
        self._before_msecs = match["between"]
    return self


cdef class Asctime:
    """Makes times as one formatter does, as long as its attributes are the same."""

    cdef object text(self, double created, int msecs):
        """Return what formatTime does, for a time in seconds since the epoch."""
        cdef int64_t second = <int64_t> floor(created)
        if (
            second != self._second
            or timezone != self._zone
            or tzname[0] != self._zone_names[0]
            or tzname[1] != self._zone_names[1]
        ):
            moment = self._converter(created)
            self._second_text = time.strftime(self._format, moment)
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


# Pieces of a %-format.

PIECE = re.compile(
    r"%\((?P<field>[^()]+)\)(?P<shape>[#0+ -]*\d*(?:\.\d+)?)"
    r"(?P<conversion>[diouxXeEfFgGcrsa])"
    r"|(?P<percent>%%)"
    r"|(?P<literal>[^%]+)"
)


cdef tuple pieces_of(str text):
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


cdef Piece _literal(str text):
    cdef Piece piece = Piece.__new__(Piece)
    piece.kind = LITERAL
    piece.literal = text.encode()
    return piece


cdef Piece _field(str key, str shape, str conversion):
    cdef Piece piece = Piece.__new__(Piece)
    piece.key = sys.intern(key)
    piece.field = FIELDS.get(key, OTHER)
    piece.is_standard = key in STANDARD
    piece.shape = f"%{shape}{conversion}"
    piece.kind = SHAPED
    if not shape and conversion == "s":
        piece.kind = TEXT
    elif not shape and conversion == "d":
        piece.kind = NUMBER
    return piece


cdef class Piece:
    """A literal, or one field of a format and how it is put."""

    cdef int put_shaped(self, object value, line *out, bint is_utf8) except -1:
        """Put the value of a field; 0 when a codec must be asked for its bytes."""
        if self.kind == NUMBER and PyLong_CheckExact(value):
            if line_put_int(out, value):
                return 1
        if PyUnicode_CheckExact(value):
            if self.shaped is not value:
                self.shaped_text = self.shape % (value,)
                self.shaped = value
            return line_put_text(out, self.shaped_text, is_utf8)
        return line_put_text(out, self.shape % (value,), is_utf8)


# Plans.

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
