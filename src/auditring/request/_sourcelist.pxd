cdef tuple source_list(str forwarded_for, str real_ip, str peer)
