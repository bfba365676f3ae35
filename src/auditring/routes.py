"""Which paths of an application stand for which resources: `Routes`."""

from .exchange.routes import (
    Routes,
)

__all__ = [
    "Routes",
]
