"""A web application that writes one line a request, as a module-level writer does.

The environment says where: WEBAPP_LOG, and WEBAPP_GROUP, the number of a group or "".
"""

import os
from collections.abc import Callable, Iterable
from urllib.parse import parse_qs

from stream import make_line

from auditring import LogWriter

__all__ = ["app"]

_group = os.environ["WEBAPP_GROUP"]
_log = LogWriter(
    os.environ["WEBAPP_LOG"],
    max_bytes=50_000,
    ring_bytes=65_536,
    group=int(_group) if _group else None,
)


def app(
    environ: dict[str, str], start_response: Callable[..., object]
) -> Iterable[bytes]:
    """Write the line that the query asks for; answer with the worker's pid and user."""
    query = parse_qs(environ["QUERY_STRING"])
    _log.write(make_line(int(query["stream"][0]), int(query["number"][0])))
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"%d %d" % (os.getpid(), os.getuid())]
