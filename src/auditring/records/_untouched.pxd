"""What other Cython modules see of attributes that are watched."""


cdef class OwnAttributes:
    cdef dict _now
    cdef unsigned long _version
    cdef tuple _keys
    cdef tuple _values

    cdef bint are_same(self) except -1


cdef OwnAttributes own_attributes(object owner)
