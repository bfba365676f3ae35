"""Pieces of a %-format: what stands in it literally, and fields with their shapes."""

from cpython.long cimport PyLong_CheckExact
from cpython.unicode cimport PyUnicode_CheckExact

from .._native.line cimport line, line_put_int, line_put_text
from ._logcall cimport FIELDS, OTHER
from ._record cimport STANDARD

import re
import sys

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
