"""Exceptions that say that the client is gone, rather than that a handler failed."""

__all__ = ["is_disconnect"]

# By name, since each framework and event loop has its own: asyncio, trio, Starlette
# (HTTP and WebSocket), uvicorn, Hypercorn; a generator of WSGI that is closed.
_NAMES = frozenset(
    [
        "CancelledError",
        "Cancelled",
        "ClientDisconnect",
        "WebSocketDisconnect",
        "ClientDisconnected",
        "BrokenPipeError",
        "ConnectionResetError",
        "GeneratorExit",
    ]
)


def is_disconnect(error: BaseException) -> bool:
    """Tell whether *error* only means that nobody waits for the answer any more."""
    return any(kind.__name__ in _NAMES for kind in type(error).__mro__)
