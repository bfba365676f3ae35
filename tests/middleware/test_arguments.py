"""Arguments of a middleware that can't be right are refused when it is made."""

from collections.abc import Callable
from typing import Any

import flask
import pytest

from auditring import Auditor
from auditring.middleware import asgi, fastapi, wsgi
from auditring.middleware.flask import init_app

AUDITOR = Auditor(None)


def wrap_flask(
    _: object,
    auditor: Auditor,
    **options: Any,  # noqa: ANN401  # what the test gives
) -> None:
    """Wrap an application as the others are wrapped."""
    init_app(flask.Flask("app"), auditor, **options)


WRAPPERS = [
    asgi.AuditMiddleware,
    fastapi.AuditMiddleware,
    wsgi.AuditMiddleware,
    wrap_flask,
]
MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"auditor": None}, "auditor: expected an Auditor, got None"),
    (
        {"auditor": "audit.yaml"},
        "auditor: expected an Auditor, got 'audit.yaml'; auditring.config.open_auditor"
        " opens one by its configuration",
    ),
    ({"user": "me"}, "user: expected a function or None, got 'me'"),
    (
        {"routes": {"/x": "x"}},
        "routes: expected Routes or None, got {'/x': 'x'}; Routes(…) makes them",
    ),
    ({"bodies": True}, "bodies: expected BodyRules or None, got True"),
]


@pytest.mark.parametrize("wrap", WRAPPERS)
@pytest.mark.parametrize(("given", "told"), MISTAKES, ids=lambda value: str(value)[:30])
def test_a_wrong_argument_is_named_with_its_value(
    wrap: Callable[..., object], given: dict[str, Any], told: str
) -> None:
    with pytest.raises(TypeError) as caught:
        wrap(lambda *_: None, **{"auditor": AUDITOR, **given})

    assert str(caught.value) == told
