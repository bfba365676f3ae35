"""Where and as what a format finds the fields of a call."""

import logging
from os import getpid
from threading import current_thread, get_ident

FIELDS = {
    "message": MESSAGE,
    "asctime": ASCTIME,
    "name": NAME,
    "levelname": LEVELNAME,
    "levelno": LEVELNO,
    "created": CREATED,
    "msecs": MSECS,
    "pathname": PATHNAME,
    "filename": FILENAME,
    "module": MODULE,
    "lineno": LINENO,
    "funcName": FUNCNAME,
    "process": PROCESS,
    "thread": THREAD,
    "threadName": THREAD_NAME,
}


cdef object value_around(int field):
    if field == PROCESS:
        return getpid() if logging.logProcesses else None
    if field == THREAD:
        return get_ident() if logging.logThreads else None
    return current_thread().name if logging.logThreads else None
