"""From a call of the logging module to a line or an event.

`_logcall` and `_record` make a record, `_format` its line, `event` an audit event.
"""
