"""Find what a path stands for in a table of them, as every request has to.

`routes` reads and checks the table.
"""

cimport cython
from libc.string cimport memchr, memcmp, memcpy

from .._native.ascii cimport ASCII_MAX, PyUnicode_DATA, PyUnicode_New
from .._native.line cimport PyUnicode_GET_LENGTH, ascii_of

cdef enum:
    # A path of more placeholders isn't one that anybody would write.
    NAMES_MAX = 32

cdef extern from "Python.h":
    int PyUnicode_KIND(object text) noexcept
    Py_UCS4 PyUnicode_READ(int kind, void *data, Py_ssize_t index) noexcept
    str PyUnicode_Substring(object text, Py_ssize_t start, Py_ssize_t end)


cdef struct Path:
    const char *ascii  # NULL if it isn't
    int kind
    void *data
    Py_ssize_t size
    # Where the texts of the placeholders begin and end.
    Py_ssize_t starts[NAMES_MAX]
    Py_ssize_t ends[NAMES_MAX]


@cython.final
cdef class _Route:
    cdef tuple literals, pieces, names
    cdef Py_ssize_t size  # of all pieces
    cdef bint is_ascii  # all pieces are


cdef inline Py_UCS4 _at(Path *path, Py_ssize_t index) noexcept:
    return PyUnicode_READ(path.kind, path.data, index)


cdef bint _has(Path *path, Py_ssize_t at, str literal) noexcept:
    """Tell whether *literal* stands in the path there."""
    cdef Py_ssize_t index, size = PyUnicode_GET_LENGTH(literal)
    cdef const char *ascii = ascii_of(literal)
    cdef int kind
    cdef void *data
    if path.size - at < size:
        return False
    if path.ascii != NULL:
        return ascii != NULL and not memcmp(path.ascii + at, ascii, <size_t> size)
    kind = PyUnicode_KIND(literal)
    data = PyUnicode_DATA(literal)
    for index in range(size):
        if _at(path, at + index) != PyUnicode_READ(kind, data, index):
            return False
    return True


cdef Py_ssize_t _segment_end(Path *path, Py_ssize_t at) noexcept:
    """Return where the next slash is, or the path's end."""
    cdef const char *slash
    if path.ascii != NULL:
        slash = <const char *> memchr(path.ascii + at, b"/", <size_t> (path.size - at))
        return path.size if slash == NULL else slash - path.ascii
    while at < path.size and _at(path, at) != u"/":
        at += 1
    return at


cdef bint _matches(
    Path *path, Py_ssize_t at, tuple literals, Py_ssize_t which
) except -1:
    """Match the literals from *which* on; a placeholder stands between each two.

    It takes at least a character and as many as it can, but never a slash.
    """
    cdef str literal = <str> literals[which]
    cdef Py_ssize_t end
    if not _has(path, at, literal):
        return False
    at += PyUnicode_GET_LENGTH(literal)
    if which == len(literals) - 1:
        # A slash at the end doesn't matter.
        return at == path.size or (at == path.size - 1 and _at(path, at) == u"/")
    end = _segment_end(path, at)
    while end > at:
        path.starts[which] = at
        path.ends[which] = end
        if _matches(path, end, literals, which + 1):
            return True
        end -= 1
    return False


@cython.final
cdef class RouteTable:
    """Paths and what each stands for; the first that matches counts."""

    def __cinit__(self):
        self._routes = []

    def add(self, literals, pieces, names):
        """Add a path.

        Args:
            literals: What stands before, between and behind its placeholders, without
                a slash at the end of the path.
            pieces: The same of what it stands for.
            names: Which placeholder of the path each of those is.

        Raises:
            ValueError: It has too many placeholders.
        """
        cdef _Route route = _Route.__new__(_Route)
        if len(literals) > NAMES_MAX:
            raise ValueError(f"routes: a path has more than {NAMES_MAX - 1} names")
        route.literals, route.pieces = tuple(literals), tuple(pieces)
        route.names = tuple(names)
        route.size = sum(map(len, route.pieces))
        route.is_ascii = all(map(str.isascii, route.pieces))
        self._routes.append(route)

    cpdef str find(self, str path):
        """Return what *path* stands for, None if it isn't in the table."""
        cdef Path found
        cdef _Route route
        found.ascii = ascii_of(path)
        found.kind = PyUnicode_KIND(path)
        found.data = PyUnicode_DATA(path)
        found.size = PyUnicode_GET_LENGTH(path)
        for route in self._routes:
            if _matches(&found, 0, route.literals, 0):
                return _target(path, &found, route)
        return None


cdef str _target(str path, Path *found, _Route route):
    cdef list texts
    cdef Py_ssize_t place, name
    if not route.names:
        return <str> route.pieces[0]
    if route.is_ascii and found.ascii != NULL:
        return _ascii_target(found, route)
    texts = [route.pieces[0]]
    for place in range(len(route.names)):
        name = route.names[place]
        texts.append(PyUnicode_Substring(path, found.starts[name], found.ends[name]))
        texts.append(route.pieces[place + 1])
    return "".join(texts)


cdef str _ascii_target(Path *found, _Route route):
    cdef Py_ssize_t place, name, size = route.size
    cdef str target
    cdef char *to
    for place in range(len(route.names)):
        name = route.names[place]
        size += found.ends[name] - found.starts[name]
    target = PyUnicode_New(size, ASCII_MAX)
    to = _put_piece(<char *> PyUnicode_DATA(target), <str> route.pieces[0])
    for place in range(len(route.names)):
        name = route.names[place]
        size = found.ends[name] - found.starts[name]
        memcpy(to, found.ascii + found.starts[name], <size_t> size)
        to = _put_piece(to + size, <str> route.pieces[place + 1])
    return target


cdef inline char *_put_piece(char *to, str piece) noexcept:
    """Put a text that is ASCII; return where it ends."""
    cdef Py_ssize_t size = PyUnicode_GET_LENGTH(piece)
    memcpy(to, PyUnicode_DATA(piece), <size_t> size)
    return to + size
