"""The binding of csrc: a log's ring, its writer thread, its state directory.

`_writer` is the one module that calls csrc. `_plainjson` writes plain values straight
into the ring, `coerce` makes plain what isn't. `statedir` names the state directory;
`ownership` and `distrust` say in words what csrc decides about users.
"""
