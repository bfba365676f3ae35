cpdef str random_uuid()
