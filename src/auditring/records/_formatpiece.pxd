"""What plans see of the pieces of a format."""

from .._native.line cimport line


cdef enum PieceKind:
    LITERAL, TEXT, NUMBER, SHAPED


cdef class Piece:
    cdef PieceKind kind
    cdef int field
    cdef bytes literal
    cdef str key
    cdef bint is_standard  # an attribute that every LogRecord has
    cdef str shape
    # The last text that was shaped, and what became of it: names and levels repeat.
    cdef object shaped
    cdef str shaped_text

    cdef int put_shaped(self, object value, line *out, bint is_utf8) except -1


cdef tuple pieces_of(str text)
