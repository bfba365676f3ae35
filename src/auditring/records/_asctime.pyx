"""A formatter's ``%(asctime)s``: records of one millisecond share its text."""

from libc.math cimport floor
from libc.stdint cimport int64_t

import re
import time

cdef extern from "<time.h>":
    long timezone
    char *tzname[2]

cdef object CLOCKS = (time.localtime, time.gmtime)

MSEC_FORMAT = re.compile(r"%s(?P<between>[^%]*)%03d")


cdef Asctime asctime_of(object formatter):
    """Return what makes the times of a formatter; None when they can't be known."""
    cdef Asctime self = Asctime.__new__(Asctime)
    self._second = -1
    self._converter = formatter.converter
    if self._converter not in CLOCKS:
        return None
    self._format = formatter.datefmt or formatter.default_time_format
    if not formatter.datefmt and formatter.default_msec_format:
        match = MSEC_FORMAT.fullmatch(formatter.default_msec_format)
        if match is None:
            return None
        self._before_msecs = match["between"]
    return self


cdef class Asctime:
    """Makes times as one formatter does, as long as its attributes are the same."""

    cdef object text(self, double created, int msecs):
        """Return what formatTime does, for a time in seconds since the epoch."""
        cdef int64_t second = <int64_t> floor(created)
        if (
            second != self._second
            or timezone != self._zone
            or tzname[0] != self._zone_names[0]
            or tzname[1] != self._zone_names[1]
        ):
            moment = self._converter(created)
            self._second_text = time.strftime(self._format, moment)
            self._second = second
            self._zone = timezone
            self._zone_names = [tzname[0], tzname[1]]
            self._msecs = -1
        if msecs != self._msecs:
            self._text = self._second_text
            if self._before_msecs is not None:
                self._text = f"{self._second_text}{self._before_msecs}{msecs:03d}"
            self._msecs = msecs
        return self._text
