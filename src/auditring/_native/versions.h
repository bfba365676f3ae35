/* versions.h - what CPython counts of changes; see versions.pxd.
 *
 * Threads: with the interpreter's lock.
 * Errors:  none.
 */
#ifndef AUDITRING_VERSIONS_H
#define AUDITRING_VERSIONS_H

#include <Python.h>

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

#endif
