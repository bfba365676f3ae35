"""Audit a Flask application, which says who its users are.

::

    init_app(app, auditor, user=lambda: current_user.get_id())
"""

from collections.abc import Callable

from flask import Flask, Response, got_request_exception, request

from ..approutes import routes_of_flask
from ..auditor import AuditedRequest, Auditor
from ..bodies import BodyRules
from ..identity import Identity
from ..rejection import REJECTION_BODY, REJECTION_CODE, REJECTION_HEADERS
from ..routes import Routes
from ..targets import Role
from . import wsgi

__all__ = ["audited", "init_app"]


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
            registered with `before_request`. None takes what the server says.
        routes: Which paths stand for which resources.
        role: Whether paths have the prefixes of Loft's gateway, or of an agent.
        bodies: Which bodies are recorded; None for `BodyRules`' defaults.
    """
    middleware = wsgi.AuditMiddleware(
        app.wsgi_app, auditor, user=None, routes=routes, role=role, bodies=bodies
    )
    app.wsgi_app = middleware  # type: ignore[method-assign]
    check = middleware.start_check

    def begin() -> Response | None:
        if not check.is_over:  # by now it has all its routes
            check.finish(lambda: routes_of_flask(app))
        identity = user() if user is not None else request.remote_user
        if _exchange().begin(identity):
            return None
        headers = {name.decode(): value.decode() for name, value in REJECTION_HEADERS}
        return Response(REJECTION_BODY, REJECTION_CODE, headers)

    def note_error(sender: Flask, exception: BaseException, **_: object) -> None:
        audited().note_error(exception)

    # First of all, whoever registered something earlier.
    app.before_request_funcs.setdefault(None, []).insert(0, begin)
    # Not weakly: nobody else keeps the function.
    got_request_exception.connect(note_error, app, weak=False)


def audited() -> AuditedRequest:
    """Return the audited request of the current one, for annotations and the like.

    Raises:
        KeyError: The application isn't audited.
    """
    return _exchange().request


def _exchange() -> wsgi.WsgiExchange:
    exchange: wsgi.WsgiExchange = request.environ[wsgi.ENVIRON_KEY]
    return exchange
