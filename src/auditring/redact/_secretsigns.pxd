cdef bint has_sign_in(const unsigned char *text, Py_ssize_t size) noexcept
