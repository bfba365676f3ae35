"""Attributes of the requests that an application serves, none of which is refused.

Kubernetes' own paths are read as they are, a table of `Routes` tells of others, and
what can't be read is a request for a path and no more.
"""

from dataclasses import replace
from urllib.parse import unquote_to_bytes

from ..errors import RequestError
from ..event.event import UserInfo
from ..request.attributes import Attributes
from ..request.gateway import Role, find_route
from ..request.headers import Headers
from .routes import Routes

__all__ = ["RequestReader"]


class RequestReader:
    """Reads requests as one application has them.

    Safe to share between threads.
    """

    def __init__(self, routes: Routes | None = None, role: Role | None = None) -> None:
        """Say how paths are to be read.

        Args:
            routes: Which paths stand for which resources; None for those of
                Kubernetes only.
            role: Whether the paths are those of Loft's gateway, or of an agent of it,
                whose prefix tells where a request leads.
        """
        self._routes = routes
        self._role = role

    @property
    def has_routes(self) -> bool:
        """Whether a table says which paths stand for which resources."""
        return self._routes is not None or self._role is not None

    def read(
        self,
        method: str,
        target: str,
        headers: Headers,
        *,
        user: UserInfo | None = None,
        peer: str = "",
    ) -> Attributes:
        """Return what is known of a request; the arguments are `Attributes`' own."""
        try:
            return self._read(method, target, headers, user, peer)
        except RequestError:
            return _path_only(method, target, headers, user, peer)

    def _read(
        self,
        method: str,
        target: str,
        headers: Headers,
        user: UserInfo | None,
        peer: str,
    ) -> Attributes:
        if self._role is not None:
            route = find_route(method, target, role=self._role)
            return Attributes.from_request(
                method,
                route.rest,
                headers=headers,
                user=user,
                peer=peer,
                request_uri=route.request_uri,
                request_target=route.request_target or "",
                cluster=route.cluster,
                project=route.project,
            )
        if self._routes is not None:
            path, mark, query = target.partition("?")
            found = self._routes.find(path)
            if found is not None:
                return Attributes.from_request(
                    method,
                    found + mark + query,
                    headers=headers,
                    user=user,
                    peer=peer,
                    request_uri=target,
                )
        return Attributes.from_request(
            method, target, headers=headers, user=user, peer=peer
        )


def _path_only(
    method: str, target: str, headers: Headers, user: UserInfo | None, peer: str
) -> Attributes:
    """Return what is known of a request that Kubernetes would have refused."""
    path = target.partition("?")[0].encode("utf-8", "surrogateescape")
    known = Attributes.from_request("GET", "/", headers=headers, user=user, peer=peer)
    return replace(
        known,
        path=unquote_to_bytes(path).decode("utf-8", "surrogateescape"),
        verb=method.lower(),
        request_uri=target,
    )
