"""Threads, locks, waits and a close that monkey-patching doesn't reach.

gevent and eventlet make greenlets of whatever Python programs know as threads, locks
and sleeping. What works in the background here waits in C, which would stop all of them
at once, and so it needs threads of the system. These are made by CPython's C API, of
which nobody makes anything else.

A thread of these is a daemon: the interpreter ends without it. Its owner ends it first.

Who waits here keeps every greenlet of the own thread waiting; for anything longer than
a moment see cooperation.py.
"""

cimport cython
from cpython.exc cimport PyErr_CheckSignals, PyErr_SetFromErrno
from cpython.ref cimport Py_DECREF, Py_INCREF, PyObject
from libc.errno cimport EINTR, errno

import sys
import threading
import time

cdef extern from "Python.h":
    ctypedef void *PyThread_type_lock
    ctypedef long long PY_TIMEOUT_T
    ctypedef enum PyLockStatus:
        PY_LOCK_FAILURE
        PY_LOCK_ACQUIRED
        PY_LOCK_INTR
    unsigned long PYTHREAD_INVALID_THREAD_ID
    unsigned long PyThread_start_new_thread(void (*)(void *) noexcept, void *)
    unsigned long PyThread_get_thread_ident() nogil
    PyThread_type_lock PyThread_allocate_lock()
    void PyThread_free_lock(PyThread_type_lock)
    void PyThread_release_lock(PyThread_type_lock) nogil
    PyLockStatus PyThread_acquire_lock_timed(
        PyThread_type_lock, PY_TIMEOUT_T, int
    ) nogil

cdef extern from "<signal.h>" nogil:
    ctypedef struct sigset_t:
        pass
    int SIG_SETMASK, SIGSEGV, SIGBUS, SIGFPE, SIGILL
    int sigfillset(sigset_t *)
    int sigdelset(sigset_t *, int)
    int pthread_sigmask(int, const sigset_t *, sigset_t *)

cdef extern from "<pthread.h>" nogil:
    ctypedef unsigned long pthread_t
    pthread_t pthread_self()
    int pthread_setname_np(pthread_t, const char *)

cdef extern from *:
    """
    static _Thread_local int is_native; /* a thread that was started here */
    """
    int is_native

cdef extern from "<sys/syscall.h>" nogil:
    long SYS_gettid, SYS_tgkill

cdef extern from "<unistd.h>" nogil:
    long syscall(long, ...)
    int getpid()
    int usleep(unsigned int)
    int unistd_close "close"(int)

# Between two slices of a long wait signal handlers run.
cdef PY_TIMEOUT_T SLICE_US = 1000 * 1000
# How long the kernel may take to forget a thread that has ended.
cdef enum:
    GONE_TRIES = 10000
    GONE_PAUSE_US = 100
    NAME_SIZE = 16


cdef PY_TIMEOUT_T _left_us(object deadline_ns) except -1:
    """Return the microseconds until *deadline_ns*, those of a slice at most."""
    if deadline_ns is None:
        return SLICE_US
    left_us = (deadline_ns - time.monotonic_ns() + 999) // 1000
    return max(0, min(left_us, SLICE_US))


cdef object _deadline_ns(object timeout):
    if timeout is None:
        return None
    return time.monotonic_ns() + int(timeout * 1e9)


cdef bint _acquire(PyThread_type_lock lock, object timeout) except -1:
    """Take a lock, without the GIL, within *timeout* seconds (None: for ever)."""
    cdef PyLockStatus status = PyThread_acquire_lock_timed(lock, 0, 0)
    cdef PY_TIMEOUT_T limit_us
    if status == PY_LOCK_ACQUIRED:
        return True
    deadline_ns = _deadline_ns(timeout)
    while True:
        limit_us = _left_us(deadline_ns)
        if limit_us == 0:
            return False
        with nogil:
            status = PyThread_acquire_lock_timed(lock, limit_us, 1)
        if status == PY_LOCK_ACQUIRED:
            return True
        PyErr_CheckSignals()


@cython.final
cdef class NativeLock:
    """A lock for what only takes a moment; it isn't reentrant.

    Thread-safety: any thread, and any may release it.
    """

    cdef PyThread_type_lock _lock

    def __cinit__(self):
        self._lock = PyThread_allocate_lock()
        if self._lock == NULL:
            raise MemoryError

    def __dealloc__(self):
        if self._lock != NULL:
            PyThread_free_lock(self._lock)

    def acquire(self, timeout=None):
        """Take the lock within *timeout* seconds; None: for ever. Return whether."""
        return _acquire(self._lock, timeout)

    def release(self):
        """Give the lock back."""
        PyThread_release_lock(self._lock)

    def __enter__(self):
        _acquire(self._lock, None)
        return self

    def __exit__(self, kind, error, traceback):
        PyThread_release_lock(self._lock)


@cython.final
cdef class NativeEvent:
    """What one thread waits for, and any other brings about.

    A wait that succeeds takes it back: the next one waits for the next `set`.

    Thread-safety: any thread. `set` also from signal handlers and finalizers, whatever
    they interrupt: it waits for nothing.
    """

    cdef PyThread_type_lock _lock  # is held while it isn't set

    def __cinit__(self):
        self._lock = PyThread_allocate_lock()
        if self._lock == NULL:
            raise MemoryError
        PyThread_acquire_lock_timed(self._lock, 0, 0)

    def __dealloc__(self):
        if self._lock != NULL:
            PyThread_free_lock(self._lock)

    def set(self):
        """Let the one that waits go on, or the next one that will."""
        PyThread_acquire_lock_timed(self._lock, 0, 0)
        PyThread_release_lock(self._lock)

    def wait(self, timeout=None):
        """Wait for *timeout* seconds at most; None: for ever.

        Returns:
            Whether it was set.
        """
        return _acquire(self._lock, timeout)


@cython.final
cdef class NativeThread:
    """A thread of the system, whatever `threading` may stand for.

    Signals are never delivered in it. What its function raises goes to
    `sys.unraisablehook`.

    Thread-safety: any thread.
    """

    cdef object _target
    cdef bytes _name
    cdef long _native_id
    cdef unsigned long _ident
    cdef int _pid
    cdef bint _is_begun, _is_over

    def __init__(self, target, name):
        """Prepare a thread; it isn't running yet.

        Args:
            target: What it calls.
            name: As the kernel shows it, 15 bytes of ASCII at most.
        """
        self._target = target
        self._name = name.encode("ascii")[:NAME_SIZE - 1]
        self._is_begun = self._is_over = False
        self._pid = getpid()

    def start(self):
        """Start it; a second call does nothing.

        Raises:
            RuntimeError: The system has no thread to give.
        """
        cdef unsigned long ident
        cdef sigset_t all, before
        if self._is_begun:
            return
        self._is_begun = True
        self._pid = getpid()
        sigfillset(&all)
        # Faults of our own must still kill.
        sigdelset(&all, SIGSEGV)
        sigdelset(&all, SIGBUS)
        sigdelset(&all, SIGFPE)
        sigdelset(&all, SIGILL)
        Py_INCREF(self)  # the thread's
        pthread_sigmask(SIG_SETMASK, &all, &before)
        ident = PyThread_start_new_thread(_run, <PyObject *> self)
        pthread_sigmask(SIG_SETMASK, &before, NULL)
        if ident == PYTHREAD_INVALID_THREAD_ID:
            self._is_begun = False
            Py_DECREF(self)
            raise RuntimeError("can't start new thread")
        self._ident = ident

    @property
    def is_alive(self):
        """Whether it was started, in this process, and hasn't come to its end."""
        return self._is_begun and not self._is_over and self._pid == getpid()

    def is_current(self):
        """Tell whether the caller runs in it."""
        return self.is_alive and self._ident == PyThread_get_thread_ident()

    def join(self, timeout=None):
        """Wait until the system has forgotten it, without the GIL.

        Args:
            timeout: Seconds to wait at most for its function; None is for ever.

        Returns:
            Whether it is gone, or was never there.
        """
        deadline_ns = _deadline_ns(timeout)
        while self.is_alive:
            if deadline_ns is not None and time.monotonic_ns() >= deadline_ns:
                return False
            with nogil:
                usleep(200)
            PyErr_CheckSignals()
        if self._is_begun and self._pid == getpid():
            self._wait_until_gone()
        return True

    cdef int _wait_until_gone(self) except -1:
        # It is taken off the count that os.fork() looks at a moment after its end.
        # Asked this way, the kernel needs neither a descriptor nor /proc.
        cdef int pid = self._pid, tries = 0
        cdef long thread = self._native_id
        with nogil:
            while tries < GONE_TRIES and syscall(SYS_tgkill, pid, thread, 0) == 0:
                usleep(GONE_PAUSE_US)
                tries += 1
        return 0

    cdef int _call(self) except -1:
        self._ident = PyThread_get_thread_ident()
        self._native_id = syscall(SYS_gettid)
        pthread_setname_np(pthread_self(), self._name)
        # What threading does for its own, so that coverage and profilers see it.
        trace, profile = threading.gettrace(), threading.getprofile()
        if trace is not None:
            sys.settrace(trace)
        if profile is not None:
            sys.setprofile(profile)
        self._target()
        return 0


cdef void _run(void *context) noexcept with gil:
    global is_native
    cdef NativeThread thread = <NativeThread> <PyObject *> context
    is_native = 1
    Py_DECREF(thread)  # what start() counted; the variable counts as well
    _call_to_its_end(thread)
    # The function may hold what holds this thread.
    thread._target = None
    thread._is_over = True


cdef void _call_to_its_end(NativeThread thread) noexcept:
    """Call; what is raised becomes unraisable at the end of a noexcept function."""
    try:
        thread._call()
    except SystemExit:
        pass


def sleep(double seconds):
    """Sleep without the GIL, in this thread and not in the hub of its greenlets."""
    cdef double left_us = seconds * 1e6
    cdef unsigned int slice_us
    while left_us > 0:
        slice_us = <unsigned int> min(left_us + 1, 500000)
        with nogil:
            usleep(slice_us)
        left_us -= slice_us


def close(int fd):
    """Close *fd* now.

    gevent's `os.close` leaves what is no regular file to the hub of the calling thread,
    and that of a thread of ours never runs again.
    """
    cdef int result
    with nogil:
        result = unistd_close(fd)
    if result != 0 and errno != EINTR:  # at EINTR Linux has closed it
        PyErr_SetFromErrno(OSError)


def is_native_thread():
    """Tell whether the caller is a thread that was started here: without greenlets."""
    return is_native != 0


def is_main_thread():
    """Tell whether the caller is the first thread of the process."""
    return syscall(SYS_gettid) == getpid()
