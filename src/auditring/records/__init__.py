"""From a call of the logging module to a line or an event.

`_record` has what there is to say of it, `_format` its line, `event` an audit event.
"""
