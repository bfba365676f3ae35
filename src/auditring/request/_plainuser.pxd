cpdef bint is_plain_user(identity) except -1
