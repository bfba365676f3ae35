/* line.h - bytes that grow, while a line is put together; see line.pxd.
 *
 * Threads: the line of one thread, on its stack.
 * Errors:  -1 with MemoryError set.
 */
#ifndef AUDITRING_LINE_H
#define AUDITRING_LINE_H

#include <Python.h>

#include <string.h>

#define LINE_LOCAL_BYTES 2048

struct line {
    char *data;
    Py_ssize_t size;
    Py_ssize_t capacity;
    char local[LINE_LOCAL_BYTES];
};

static inline void
line_begin(struct line *out)
{
    out->data = out->local;
    out->size = 0;
    out->capacity = LINE_LOCAL_BYTES;
}

static inline void
line_end(struct line *out)
{
    if (out->data != out->local) {
        PyMem_Free(out->data);
    }
}

__attribute__((cold, noinline, unused)) static int
line_grow(struct line *out, Py_ssize_t size)
{
    Py_ssize_t capacity = (out->size + size) * 2;
    char *before = out->data == out->local ? NULL : out->data;
    char *data = (char *)PyMem_Realloc(before, (size_t)capacity);

    if (data == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    if (before == NULL) {
        memcpy(data, out->local, (size_t)out->size);
    }
    out->data = data;
    out->capacity = capacity;
    return 0;
}

static inline int
line_reserve(struct line *out, Py_ssize_t size)
{
    return size > out->capacity - out->size ? line_grow(out, size) : 0;
}

static inline int
line_put(struct line *out, const char *data, Py_ssize_t size)
{
    if (line_reserve(out, size) < 0) {
        return -1;
    }
    memcpy(out->data + out->size, data, (size_t)size);
    out->size += size;
    return 0;
}

/* Puts what stands in the code: its size is known to the compiler. */
__attribute__((always_inline)) static inline int
line_put_literal(struct line *out, const char *text)
{
    return line_put(out, text, (Py_ssize_t)strlen(text));
}

/* The bytes of a text that is ASCII; NULL if it isn't. PyUnicode_1BYTE_DATA() would
 * ask once more where they are.
 */
static inline const char *
ascii_of(PyObject *text)
{
    return PyUnicode_IS_COMPACT_ASCII(text) ? (const char *)((PyASCIIObject *)text + 1)
                                            : NULL;
}

#endif
