cdef class RouteTable:
    cdef list _routes

    cpdef str find(self, str path)
