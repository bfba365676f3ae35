"""The files of a log on disk, and a place in them.

`names` and `rotated` parse what a file may be called, `formats` and `unpacking` know
how it is packed, `generations` lists them in order. A `cursor` is a place in them,
`locate` finds it again, `followers` are those who registered one.
"""
