"""Who asks for what: a request as Kubernetes sees it.

`url` and `headers` are read, `info` says what is asked for, `gateway` for which
cluster; `sourceips`, `user` and `impersonation` say who asks. `attributes` holds it
all; `_plain` makes the same of ordinary requests in one go.
"""
