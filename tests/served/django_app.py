"""A shop with Django, to be served by gunicorn or uvicorn."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.handlers.asgi import ASGIRequest
from django.core.wsgi import get_wsgi_application
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase, StreamingHttpResponse
from django.urls import include, path
from shop_audit import (
    BODIES,
    FILE,
    ROUTES,
    auditor,
    broken_numbers,
    event_stream,
    numbers,
)


def user_of(request: HttpRequest) -> str | None:
    return request.headers.get("X-User")


def order(request: HttpRequest, name: str) -> HttpResponseBase:
    if request.method == "PUT":
        return HttpResponse(request.body, content_type=request.content_type)
    if request.method == "DELETE":
        if name == "missing":
            raise Http404
        raise ValueError("odd")
    return JsonResponse({"order": name})


def orders(request: HttpRequest) -> HttpResponseBase:
    return JsonResponse({"size": len(request.body)}, status=201)


def _streamed(
    request: HttpRequest, pieces: Iterator[str] | Iterator[bytes], kind: str
) -> HttpResponseBase:
    """Answer in pieces, as the server's interface wants them."""

    async def asynchronous() -> AsyncIterator[str | bytes]:
        for piece in pieces:
            yield piece
            await asyncio.sleep(0)  # lets the server notice who left

    is_async = isinstance(request, ASGIRequest)
    return StreamingHttpResponse(
        asynchronous() if is_async else pieces,  # type: ignore[arg-type]
        content_type=kind,
    )


def stream(request: HttpRequest) -> HttpResponseBase:
    return _streamed(request, numbers(), "text/plain")


def broken(request: HttpRequest) -> HttpResponseBase:
    return _streamed(request, broken_numbers(), "text/plain")


def file(request: HttpRequest) -> HttpResponseBase:
    # Under ASGI, Django reads it at once, and warns of that.
    if isinstance(request, ASGIRequest):
        return _streamed(request, iter(FILE.read_text().splitlines(True)), "text/plain")
    return FileResponse(FILE.open("rb"), content_type="text/plain")


def events(request: HttpRequest) -> HttpResponseBase:
    return _streamed(request, event_stream(), "text/event-stream")


def endless(request: HttpRequest) -> HttpResponseBase:
    def chunks() -> Iterator[bytes]:
        while True:
            yield b"x" * 65536

    return _streamed(request, chunks(), request.GET["kind"])


def inside(request: HttpRequest, name: str) -> HttpResponseBase:
    return JsonResponse({"inside": name})


urlpatterns = [
    path("orders", orders),
    path("orders/<name>", order),
    path("stream", stream),
    path("broken", broken),
    path("file", file),
    path("events", events),
    path("endless", endless),
    path("sub/", include([path("a/<name>", inside)])),
]

settings.configure(
    ALLOWED_HOSTS=["*"],
    AUDITRING={
        "auditor": auditor,
        "user": user_of,
        "routes": ROUTES,
        "bodies": BODIES,
    },
    LOGGING_CONFIG=None,
    MIDDLEWARE=["auditring.middleware.django.AuditMiddleware"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="only for tests",
    USE_TZ=True,
)
django.setup()

app = get_wsgi_application()
asgi_app = get_asgi_application()
