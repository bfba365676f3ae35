"""What CPython counts of changes: to classes and to dictionaries.

No two states of any two of them have the same version, so one that is the same as
before means that nothing was changed.
"""

cdef extern from "_native/versions.h":
    unsigned int type_version(object kind) noexcept
    unsigned long dict_version(object owner) noexcept
