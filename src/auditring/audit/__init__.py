"""One request's life: received, started, complete or panicked.

An `auditor` decides on a request; `_admission` admits it, `_request` lives as long as
it, `_pipeline` takes its events through redaction to the backends.
"""
