cdef class DecisionTable:
    cdef public dict of_resource, of_path
    cdef list _recent

    cpdef object decide(self, attributes)
    cdef object _of_resource(self, verb, group, resource, subresource)
