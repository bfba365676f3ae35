"""A Django application: its settings, its views and its users."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

from django.http import Http404, HttpRequest, JsonResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import path

from auditring.audit.auditor import Auditor
from auditring.exchange.body import BodyRules
from auditring.middleware.django import audited

auditor = Auditor(None)
"""Each test puts its own auditor's policy and backends here."""


def settings_of(middleware: str) -> dict[str, Any]:
    return {
        "ALLOWED_HOSTS": ["*"],
        "AUDITRING": {
            "auditor": f"{__name__}.auditor",
            "user": f"{__name__}.user_of",
            "routes": {
                "/orders": "/apis/shop.example/v1/orders",
                "/orders/{order}": "/apis/shop.example/v1/orders/{order}",
            },
            "bodies": BodyRules(resources_only=False),
        },
        "LOGGING_CONFIG": None,
        "MIDDLEWARE": [middleware],
        "ROOT_URLCONF": __name__,
        "SECRET_KEY": "only for tests",
        "USE_TZ": True,
    }


def user_of(request: HttpRequest) -> str | None:
    known: str | None = request.headers.get("X-User")
    return known or getattr(request, "late_user", None)


def late(request: HttpRequest) -> HttpResponseBase:
    """Find out who it is as a REST framework does: while the view runs."""
    request.late_user = "dora"  # type: ignore[attr-defined]
    if request.method == "DELETE":
        raise ValueError("odd")
    return JsonResponse({})


def order(request: HttpRequest, name: str) -> HttpResponseBase:
    if request.method == "DELETE":
        if name == "missing":
            raise Http404
        raise ValueError("odd")
    audited(request).annotate("shop.example/read", name)
    return JsonResponse({"order": name})


def orders(request: HttpRequest) -> HttpResponseBase:
    return JsonResponse({"size": len(request.body)}, status=201)


def form(request: HttpRequest) -> HttpResponseBase:
    return JsonResponse({"names": sorted(request.POST)})


def stream(request: HttpRequest) -> HttpResponseBase:
    def numbers() -> Iterator[str]:
        for number in range(3):
            yield f"<{number}>"

    return StreamingHttpResponse(numbers(), content_type="text/plain")


def broken_stream(request: HttpRequest) -> HttpResponseBase:
    def numbers() -> Iterator[str]:
        yield "0"
        raise ValueError("odd")

    return StreamingHttpResponse(numbers())


async def async_order(request: HttpRequest, name: str) -> HttpResponseBase:
    if name == "odd":
        raise ValueError(name)
    return JsonResponse({"order": name})


async def async_stream(request: HttpRequest) -> HttpResponseBase:
    async def numbers() -> AsyncIterator[str]:
        for number in range(3):
            yield f"<{number}>"

    return StreamingHttpResponse(numbers(), content_type="text/plain")


urlpatterns = [
    path("late", late),
    path("orders", orders),
    path("orders/<name>", order),
    path("form", form),
    path("stream", stream),
    path("broken", broken_stream),
    path("async/orders/<name>", async_order),
    path("async/stream", async_stream),
]
