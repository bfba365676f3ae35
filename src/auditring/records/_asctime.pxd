"""What makers of lines see of a formatter's times."""

from libc.stdint cimport int64_t


cdef class Asctime:
    cdef object _converter
    cdef str _format
    cdef str _before_msecs  # None: without
    # The last text, of one second and in it of one millisecond, in one zone.
    cdef int64_t _second
    cdef str _second_text
    cdef int _msecs
    cdef str _text
    cdef long _zone
    cdef char *_zone_names[2]

    cdef object text(self, double created, int msecs)


cdef Asctime asctime_of(object formatter)
