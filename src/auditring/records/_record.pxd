"""What makers of lines see of records."""

cdef frozenset STANDARD  # attributes that every LogRecord has

cdef bint is_usual(object record) except -1
cdef int time_of(object record, double *created, int *msecs) except -1
