"""What compiled modules share, why the package may not load, how families load late.

`line` and `block` are C text; `octets`, `ascii`, `copying` and `slots` read and copy
Python's values without it; `versions` knows what differs between interpreters.
`loadable` says in one sentence why this package can't be imported where it can't;
`door` imports what a family has when somebody asks for it.
"""
