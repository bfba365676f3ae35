"""Audit a Flask application, which says who its users are.

::

    init_app(app, auditor, user=lambda: current_user.get_id())
"""

from collections.abc import Callable

from flask import Flask, Response, got_request_exception, request

from ..audit.auditor import AuditedRequest, Auditor
from ..event.event import UserInfo
from ..exchange.approutes import routes_of_flask
from ..exchange.arguments import check_arguments
from ..exchange.body import BodyRules
from ..exchange.rejection import REJECTION_BODY, REJECTION_CODE, REJECTION_HEADERS
from ..exchange.routes import Routes
from ..request.gateway import Role
from ..request.identity import Identity
from . import wsgi

__all__ = ["audited", "identify", "init_app"]


def init_app(
    app: Flask,
    auditor: Auditor,
    *,
    user: Callable[[], Identity] | None = None,
    routes: Routes | None = None,
    role: Role | None = None,
    bodies: BodyRules | None = None,
) -> None:
    """Audit the requests of *app*.

    Flask answers for the exceptions of its handlers; they are panics all the same,
    unless an error handler makes less than a server error of them.

    Args:
        app: The application.
        auditor: Who decides what is recorded.
        user: Says who sent the current request, before all other functions that were
            registered with `before_request`, and again at the request's end if nobody
            was known. None takes what the server says.
        routes: Which paths stand for which resources.
        role: Whether paths have the prefixes of Loft's gateway, or of an agent.
        bodies: Which bodies are recorded; None for `BodyRules`' defaults.
    """
    check_arguments(auditor, user, routes, bodies)
    middleware = wsgi.AuditMiddleware(
        app.wsgi_app, auditor, user=None, routes=routes, role=role, bodies=bodies
    )
    app.wsgi_app = middleware  # type: ignore[method-assign]
    check = middleware.start_check

    def begin() -> Response | None:
        if not check.is_over:  # by now it has all its routes
            check.finish(lambda: routes_of_flask(app))
        if _exchange().begin_for(user or _remote_user):
            return None
        headers = {name.decode(): value.decode() for name, value in REJECTION_HEADERS}
        return Response(REJECTION_BODY, REJECTION_CODE, headers)

    def note_error(sender: Flask, exception: BaseException, **_: object) -> None:
        audited().note_error(exception)

    def ask_now(error: BaseException | None) -> None:
        # Who asks for the current user finds none once the request is left.
        exchange = request.environ.get(wsgi.ENVIRON_KEY)
        if exchange is not None:
            exchange.request.ask_now()

    app.teardown_request(ask_now)
    # First of all, whoever registered something earlier.
    app.before_request_funcs.setdefault(None, []).insert(0, begin)
    # Not weakly: nobody else keeps the function.
    got_request_exception.connect(note_error, app, weak=False)


def _remote_user() -> Identity:
    """Say who sent the current request, by what the server says."""
    return request.remote_user


def identify(identity: Identity) -> UserInfo:
    """Record who the user of the current request is, as a view or decorator found out.

    Events of stages to come show it. The decision stays what it was, so a policy that
    asks for users or groups needs them earlier.

    Raises:
        KeyError: The application isn't audited.
        TypeError: *identity* is something else.
    """
    return wsgi.identify(request.environ, identity)


def audited() -> AuditedRequest:
    """Return the audited request of the current one, for annotations and the like.

    Raises:
        KeyError: The application isn't audited.
    """
    return _exchange().request


def _exchange() -> wsgi.WsgiExchange:
    exchange: wsgi.WsgiExchange = request.environ[wsgi.ENVIRON_KEY]
    return exchange
