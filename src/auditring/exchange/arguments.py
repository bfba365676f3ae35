"""What is wrong with the arguments of a middleware, said when it is made.

Else the first request would say it, from somewhere inside.
"""

from ..audit.auditor import Auditor
from .body import BodyRules
from .routes import Routes

__all__ = ["check_arguments"]


def check_arguments(
    auditor: object, user: object, routes: object, bodies: object
) -> None:
    """Check what a middleware was given.

    Raises:
        TypeError: It isn't an `Auditor`, a function or None, `Routes` or None,
            `BodyRules` or None; the text names the argument and its value.
    """
    if not isinstance(auditor, Auditor):
        hint = "; auditring.config.open_auditor opens one by its configuration"
        told = f"auditor: expected an Auditor, got {auditor!r}"
        raise TypeError(told + (hint if isinstance(auditor, str) else ""))
    if user is not None and not callable(user):
        raise TypeError(f"user: expected a function or None, got {user!r}")
    if not isinstance(routes, Routes | None):
        hint = "; Routes(…) makes them" if isinstance(routes, dict | list) else ""
        raise TypeError(f"routes: expected Routes or None, got {routes!r}{hint}")
    if not isinstance(bodies, BodyRules | None):
        raise TypeError(f"bodies: expected BodyRules or None, got {bodies!r}")
