"""What compiled modules share, and why the package may not load.

`line` and `block` are C text; `octets`, `ascii`, `copying` and `slots` read and copy
Python's values without it; `versions` knows what differs between interpreters.
`loadable` says in one sentence why this package can't be imported where it can't.
"""
