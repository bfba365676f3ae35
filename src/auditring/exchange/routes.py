"""Which of an application's paths stand for which resources.

A policy speaks of resources, and Kubernetes' paths are made of them. The paths of
other applications are not; a table says how each would look in Kubernetes::

    Routes({
        "/shops/{shop}/orders": "/apis/shop.example/v1/namespaces/{shop}/orders",
        "/shops/{shop}/orders/{order}":
            "/apis/shop.example/v1/namespaces/{shop}/orders/{order}",
        "/healthz": "/healthz",
    })

Paths that aren't in the table are taken as they are.
"""

import re
from collections.abc import Mapping

from ..errors import RequestError
from ..request.info import read_request_info
from ._routetable import RouteTable

__all__ = ["Routes"]

_PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")


class Routes:
    """A table of paths; the first that matches counts.

    Safe to share between threads.

    Attributes:
        table: What finds a path, for compiled code that does so at each request.
    """

    def __init__(self, table: Mapping[str, str]) -> None:
        """Take a table of paths and what each stands for.

        Args:
            table: Paths as the application has them, and as Kubernetes would. A name
                in braces stands for a whole segment, whatever it is; in the second it
                stands where the segment goes. A slash at the end of a request's path
                doesn't matter.

        Raises:
            ValueError: A path isn't one; the text names it.
        """
        self.table = RouteTable()
        for path, target in table.items():
            names = _check(path, target)
            pieces = _PLACEHOLDER.split(target)
            self.table.add(
                _PLACEHOLDER.split(path.rstrip("/"))[::2],
                pieces[::2],
                [names.index(name) for name in pieces[1::2]],
            )

    def find(self, path: str) -> str | None:
        """Return what *path* stands for, None if it isn't in the table.

        Args:
            path: Still percent-encoded, without a query.
        """
        return self.table.find(path)


def _check(path: str, target: str) -> list[str]:
    """Return the names in *path*, once both are known to be right."""
    for given in (path, target):
        if not given.startswith("/") or "?" in given:
            raise ValueError(f"routes: expected a path, got {given!r}")
        if "{" in _PLACEHOLDER.sub("", given) or "}" in _PLACEHOLDER.sub("", given):
            raise ValueError(f"routes: {given!r} has a brace that stands for no name")
    names = _PLACEHOLDER.findall(path)
    if len(set(names)) < len(names):
        raise ValueError(f"routes: {path!r} has a name twice")
    unknown = set(_PLACEHOLDER.findall(target)) - set(names)
    if unknown:
        raise ValueError(
            f"routes: {target!r} has a name that {path!r} hasn't: {min(unknown)!r}"
        )
    try:
        read_request_info("GET", target, "")
    except RequestError as error:
        raise ValueError(f"routes: {target!r}: {error}") from error
    return names
