"""Audit logging for Python that survives kill -9 and many processes.

This is the public door. Others are `auditring.event`, `policy`, `redact`, `follow`,
`handlers`, `config`, `encode`, `routes`, `errors`, `metrics`, `cursor`, and the modules
of `backends` and `middleware`; what none of them lists is private. Importing it loads
no third-party module but orjson.
"""

from typing import TYPE_CHECKING

from ._native import door
from ._native import (
    loadable as loadable,  # Before the others: it says why they can't be loaded.
)
from ._version import __version__
from .errors import (
    AuditringError,
    ClosedError,
    CursorError,
    PolicyError,
    RingFullError,
)
from .follow import follow
from .log.writer import LogWriter

__all__ = [
    "Attributes",
    "Auditor",
    "AuditringError",
    "ClosedError",
    "CursorError",
    "Event",
    "Level",
    "LogWriter",
    "Policy",
    "PolicyError",
    "RingFullError",
    "Stage",
    "Stats",
    "UserInfo",
    "__version__",
    "follow",
]

if TYPE_CHECKING:
    from .audit.auditor import Auditor
    from .event.event import Event, Level, Stage
    from .log.stats import Stats
    from .policy.policy import Policy
    from .request.attributes import Attributes
    from .request.user import UserInfo

# What not every program uses, and where it is.
_LATER = {
    "Attributes": ".request.attributes",
    "Auditor": ".audit.auditor",
    "Event": ".event.event",
    "Level": ".event.event",
    "Policy": ".policy.policy",
    "Stage": ".event.event",
    "Stats": ".log.stats",
    "UserInfo": ".request.user",
}
__getattr__, __dir__ = door.open_late(__name__, _LATER)
