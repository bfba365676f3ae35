"""Audit a FastAPI or Starlette application, which says who its users are.

::

    app.add_middleware(AuditMiddleware, auditor=auditor)
    app.add_middleware(AuthenticationMiddleware, backend=...)

Middleware that is added later is further outside: this order lets the policy know the
user; in the other one, the events of an answer do. Where a handler's dependency finds
the user out, it tells `identify`.
"""

from collections.abc import Callable
from typing import Any

from starlette.requests import HTTPConnection

from ..audit.auditor import AuditedRequest, Auditor
from ..event.event import UserInfo
from ..exchange.body import BodyRules
from ..exchange.routes import Routes
from ..request.gateway import Role
from ..request.identity import Identity, authenticated
from . import asgi

__all__ = ["AuditMiddleware", "audited", "identify", "user_of"]


def user_of(scope: asgi.Scope) -> Identity:
    """Return the user that Starlette's AuthenticationMiddleware found.

    Its scopes are the value ``scopes`` of the user's `extra`.
    """
    user = scope.get("user")
    if user is None or not user.is_authenticated:
        return None
    name = _name_of(user)
    credentials = scope.get("auth")
    scopes = tuple(credentials.scopes) if credentials is not None else ()
    return authenticated(name, extra={"scopes": scopes} if scopes else None)


def _name_of(user: Any) -> str:  # noqa: ANN401
    """Return what tells *user* from others, or else what it's called."""
    try:
        return str(user.identity)
    except NotImplementedError:  # as SimpleUser has it
        return str(user.display_name)


class AuditMiddleware(asgi.AuditMiddleware):
    """`asgi.AuditMiddleware`, for users that Starlette authenticated."""

    def __init__(
        self,
        app: asgi.App,
        auditor: Auditor,
        *,
        user: Callable[[asgi.Scope], Identity] | None = user_of,
        routes: Routes | None = None,
        role: Role | None = None,
        bodies: BodyRules | None = None,
    ) -> None:
        """Wrap an application; see `asgi.AuditMiddleware`."""
        super().__init__(
            app, auditor, user=user, routes=routes, role=role, bodies=bodies
        )


def audited(connection: HTTPConnection) -> AuditedRequest:
    """Return the audited request of *connection*; also as a dependency.

    Raises:
        KeyError: No `AuditMiddleware` is around the application.
    """
    return asgi.audited(connection.scope)


def identify(connection: HTTPConnection, identity: Identity) -> UserInfo:
    """Record who the user is, as a handler or its dependency found out.

    Events of stages to come show it. The decision stays what it was, so a policy that
    asks for users or groups needs them earlier.
    """
    return asgi.identify(connection.scope, identity)
