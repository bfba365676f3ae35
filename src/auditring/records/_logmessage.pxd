"""What makers of lines see of messages."""

from .._native.line cimport line

cdef int put_message(object msg, object args, line *out, bint is_utf8) except -1
cdef str message_of(object msg, object args)
