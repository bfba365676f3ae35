"""What a WSGI environ says of a request, in the terms of its request line.

In an environ a character stands for a byte; here text is UTF-8 again, and bytes that
aren't are surrogate escapes. Source: PEP 3333.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from ._environ import headers_of

__all__ = ["headers_of", "peer_of", "target_of"]

Environ = Mapping[str, Any]

# The request line's target, where the server keeps it: gunicorn, uWSGI and Werkzeug.
_RAW_TARGETS = ("RAW_URI", "REQUEST_URI")


def target_of(environ: Environ) -> str:
    """Return what stood on the request line, as near as the server tells."""
    for name in _RAW_TARGETS:
        raw = environ.get(name)
        if raw:
            return _text(raw)
    path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    encoded = quote(path.encode("latin-1", "replace")) or "/"
    query = environ.get("QUERY_STRING", "")
    return f"{encoded}?{_text(query)}" if query else encoded


def peer_of(environ: Environ) -> str:
    """Return the address that the connection is from; empty for a Unix socket."""
    return environ.get("REMOTE_ADDR") or ""


def _text(native: str) -> str:
    if native.isascii():
        return native
    return native.encode("latin-1", "replace").decode("utf-8", "surrogateescape")
