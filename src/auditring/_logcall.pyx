"""What a format finds in a call, where a LogRecord has attributes."""

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


cdef object value_of_call(int field, call *given):
    """Return a field that is neither its message, nor its time as text."""
    if field == NAME:
        return <object> given.name
    if field == LEVELNAME:
        return <object> given.levelname
    if field == LEVELNO:
        return <object> given.levelno
    if field == CREATED:
        return given.created
    if field == MSECS:
        return <double> given.msecs
    if field == PATHNAME:
        return <object> given.pathname
    if field == FILENAME:
        return <object> given.filename
    if field == MODULE:
        return <object> given.module
    if field == LINENO:
        return given.lineno
    if field == FUNCNAME:
        return <object> given.function
    if field == PROCESS:
        return getpid() if logging.logProcesses else None
    if field == THREAD:
        return get_ident() if logging.logThreads else None
    return current_thread().name if logging.logThreads else None
