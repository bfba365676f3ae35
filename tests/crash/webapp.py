"""A web application that logs each request twice, as WSGI and as ASGI.

Into app.log goes a line through a drop-in handler of the standard library's logging,
into audit.log go the events of the audit middleware. The environment says where they
are: WEBAPP_FOLDER, and WEBAPP_GROUP, the number of a group or "". WEBAPP_MAX_BYTES is
the size of their files, WEBAPP_BOOT_STREAM the stream of a line that is logged when the
application is loaded.

The query says which line: `stream` and `number`. The answer is the worker's pid and
user, and begins once the line is logged.
"""

import logging
import os
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from stream import make_line

from auditring import Auditor, LogWriter, Policy
from auditring.handlers import RotatingFileHandler
from auditring.middleware import asgi, wsgi

if TYPE_CHECKING:
    from wsgiref.types import StartResponse

__all__ = ["asgi_app", "wsgi_app"]

# Everything, with both of its stages.
POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
rules: [{level: Metadata}]
"""

_folder = Path(os.environ["WEBAPP_FOLDER"])
_max_bytes = int(os.environ["WEBAPP_MAX_BYTES"])
_group = int(os.environ["WEBAPP_GROUP"]) if os.environ["WEBAPP_GROUP"] else None

_logger = logging.getLogger("webapp")
_logger.setLevel(logging.INFO)
_logger.propagate = False
_logger.addHandler(
    RotatingFileHandler(
        _folder / "app.log",
        maxBytes=_max_bytes,
        backupCount=100_000,
        compress="gzip",
        ring_bytes=65_536,
        group=_group,
    )
)


def _log_line(stream: int, number: int) -> None:
    _logger.info(make_line(stream, number).decode().rstrip("\n"))


# With --preload, there is a ring before the workers are forked.
_log_line(int(os.environ["WEBAPP_BOOT_STREAM"]), os.getpid())

_auditor = Auditor(
    Policy.from_yaml(POLICY),
    LogWriter(
        _folder / "audit.log",
        max_bytes=_max_bytes,
        compress="gzip",
        ring_bytes=65_536,
        group=_group,
    ),
)


def _log(query: str) -> bytes:
    """Log the line that *query* asks for; return the answer."""
    wanted = parse_qs(query)
    _log_line(int(wanted["stream"][0]), int(wanted["number"][0]))
    return b"%d %d" % (os.getpid(), os.getuid())


def _answer(
    environ: dict[str, Any], start_response: "StartResponse"
) -> Iterable[bytes]:
    body = _log(environ["QUERY_STRING"])
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


async def _answer_async(
    scope: MutableMapping[str, Any],
    receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
    send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
) -> None:
    if scope["type"] == "lifespan":
        while (message := await receive())["type"] != "lifespan.shutdown":
            await send({"type": message["type"] + ".complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    body = _log(scope["query_string"].decode())
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


wsgi_app = wsgi.AuditMiddleware(_answer, _auditor)
asgi_app = asgi.AuditMiddleware(_answer_async, _auditor)
