cdef class DecisionTable:
    cdef public dict of_resource, of_path

    cpdef object decide(self, attributes)
