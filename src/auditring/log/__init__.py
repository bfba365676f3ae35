"""One log, written: `writer.LogWriter` over the ring.

`options` checks what it is given, `lifetime` keeps it through forks and exit,
`messenger` tells `on_error`, `stats` are its counters.
"""
