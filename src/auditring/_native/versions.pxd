"""What CPython counts of changes: to classes and to dictionaries.

No two states of any two of them have the same version, so one that is the same as
before means that nothing was changed.
"""

cdef extern from *:
    """
    /* Changes with every change of a class or of one that it inherits from.
     * 0: not known. */
    static inline unsigned int
    type_version(PyObject *kind)
    {
        return ((PyTypeObject *)kind)->tp_version_tag;
    }

    /* Changes with every change of a dictionary. 0: not known, where CPython doesn't
     * count any more. */
    static inline unsigned long
    dict_version(PyObject *owner)
    {
    #if PY_VERSION_HEX < 0x030D0000
    #pragma GCC diagnostic push
    #pragma GCC diagnostic ignored "-Wdeprecated-declarations"
        return ((PyDictObject *)owner)->ma_version_tag;
    #pragma GCC diagnostic pop
    #else
        (void)owner;
        return 0;
    #endif
    }
    """
    unsigned int type_version(object kind) noexcept
    unsigned long dict_version(object owner) noexcept
