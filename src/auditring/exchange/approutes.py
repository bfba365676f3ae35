"""The routes that an application says it has, whichever framework it is made with.

Frameworks are known by what their objects have, so that none needs to be installed.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

__all__ = ["METHODS", "AppRoute", "routes_of", "routes_of_django", "routes_of_flask"]

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
"""Those that a route may have that names none."""

# Frameworks answer these by themselves.
_IMPLIED = {"HEAD", "OPTIONS"}
_DEPTH_MAX = 32
_ROUTES_MAX = 10_000
_PLACEHOLDER = re.compile(r"\{[^{}]*\}|<[^<>]*>")
# A group of a regular expression, one within it included, and what repeats it.
_GROUP = re.compile(r"\((?:[^()\\]|\\.|\([^()]*\))*\)[*+?]?")
_META = re.compile(r"(?<!\\)[.*+?\[{|]")


class AppRoute(NamedTuple):
    """A path that an application serves.

    Attributes:
        path: With ``x`` for what differs from request to request.
        prefix: What comes before the first of those; the whole path if none does.
        methods: In the order of the alphabet.
    """

    path: str
    prefix: str
    methods: tuple[str, ...] = METHODS


def routes_of(app: object) -> list[AppRoute]:
    """Return the routes of a Starlette, FastAPI or Flask application, or of others.

    What wraps one, as middleware does, is looked through. Empty for what has none that
    are known.
    """
    for _ in range(_DEPTH_MAX):
        if hasattr(app, "url_map"):
            return list(routes_of_flask(app))
        routes = getattr(app, "routes", None)
        if isinstance(routes, Iterable):
            return list(_of_starlette(routes, "", 0))[:_ROUTES_MAX]
        app = getattr(app, "app", None)
    return []


def _of_starlette(routes: Iterable[Any], before: str, depth: int) -> Iterator[AppRoute]:
    if depth > _DEPTH_MAX:
        return
    for route in routes:
        if included := getattr(route, "original_router", None):
            # What include_router leaves in newer versions of FastAPI.
            prefix = before + route.include_context.prefix
            yield from _of_starlette(included.routes, prefix, depth + 1)
            continue
        path = getattr(route, "path", None)
        if not isinstance(path, str):
            continue
        below = getattr(route, "routes", None)
        if getattr(route, "methods", None) is None and below:
            yield from _of_starlette(below, before + path, depth + 1)
        elif hasattr(route, "endpoint"):
            # A WebSocket has no methods and begins as a GET.
            methods = getattr(route, "methods", ("GET",)) or METHODS
            yield _route(before + path, methods)


def routes_of_flask(app: Any) -> Iterator[AppRoute]:  # noqa: ANN401  # a Flask
    """Yield the routes of a Flask application but that of its static files."""
    for rule in app.url_map.iter_rules():
        if rule.endpoint != "static":
            yield _route(rule.rule, rule.methods or METHODS)


def routes_of_django(patterns: Iterable[Any]) -> Iterator[AppRoute]:
    """Yield the routes of patterns, as a URL resolver of Django has them."""
    yield from _of_django(patterns, "/", 0)


def _of_django(patterns: Iterable[Any], before: str, depth: int) -> Iterator[AppRoute]:
    if depth > _DEPTH_MAX:
        return
    for each in patterns:
        text = str(each.pattern)
        if not hasattr(each.pattern, "_route"):
            text = _GROUP.sub("<x>", text.strip("^$").replace(r"\Z", ""))
            if found := _META.search(text):
                text = text[: found.start()] + "<x>"
            text = text.replace("\\", "")
        below = getattr(each, "url_patterns", None)
        if below is None:
            yield _route(before + text, METHODS)
        else:
            yield from _of_django(below, before + text, depth + 1)


def _route(template: str, methods: Iterable[str]) -> AppRoute:
    found = _PLACEHOLDER.search(template)
    prefix = template if found is None else template[: found.start()]
    wanted = sorted({str(method).upper() for method in methods} - _IMPLIED)
    path = _PLACEHOLDER.sub("x", template) or "/"
    return AppRoute(path, prefix, tuple(wanted) or METHODS)
