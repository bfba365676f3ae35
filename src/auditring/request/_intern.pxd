cdef str shared_text(const char *data, Py_ssize_t size)
