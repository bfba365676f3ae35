"""A request and its answer over HTTP, for every middleware.

`reader` makes attributes of a request, `routes` say which paths are resources, `body`
and `stream` keep what was sent. `disconnects` and `incompleteness` tell how it ended,
`unrecorded` what a policy can never record of an application.
"""
