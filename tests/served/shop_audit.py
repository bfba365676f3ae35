"""How the served shops are audited: who sends a request says how much is recorded.

SHOP_LOG is the path of the log.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from auditring import Auditor, LogWriter, Policy
from auditring.exchange.body import BodyRules
from auditring.routes import Routes

__all__ = [
    "BODIES",
    "FILE",
    "ROUTES",
    "auditor",
    "broken_numbers",
    "event_stream",
    "numbers",
]

POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
rules:
  - {level: None, users: [nora]}
  - {level: Metadata, users: [mia]}
  - {level: Request, users: [ron]}
  - {level: RequestResponse, users: [rita]}
  - {level: RequestResponse, users: [olga], omitStages: [RequestReceived]}
"""

ROUTES = Routes(
    {
        "/orders": "/apis/shop.example/v1/orders",
        "/orders/{order}": "/apis/shop.example/v1/orders/{order}",
    }
)
BODIES = BodyRules(max_bytes=2000, resources_only=False)
# Served as it is.
FILE = Path(__file__).with_name("price-list.txt")

# Small files, so that requests are served while the log is rotated.
auditor = Auditor(
    Policy.from_yaml(POLICY), LogWriter(os.environ["SHOP_LOG"], max_bytes=200_000)
)


def numbers() -> Iterator[str]:
    """Yield an answer in three pieces."""
    for number in range(3):
        yield f"<{number}>"


def broken_numbers() -> Iterator[str]:
    """Yield a piece of an answer, then raise."""
    yield "<0>"
    raise ValueError("odd")


def event_stream() -> Iterator[str]:
    """Yield an answer of Server-Sent Events."""
    for number in range(3):
        yield f"data: {number}\n\n"
