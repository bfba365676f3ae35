from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self, final

from .attributes import Attributes
from .backend import Backend
from .decisions import Decision
from .event import Event, Level, UserInfo
from .losses import Losses
from .status import Status

def panic_message(value: object) -> str: ...
def unrecorded_request(attributes: Attributes) -> AuditedRequest: ...
def begin_request(
    attributes: Attributes,
    decision: Decision,
    outlet: Outlet,
    received_ns: int | None,
) -> AuditedRequest: ...

@final
class Tally:
    refused: int
    annotation_conflicts: int
    @property
    def requests(self) -> dict[Level, int]: ...
    @property
    def events(self) -> dict[Level, int]: ...

@final
class Outlet:
    def __new__(
        cls,
        backends: tuple[Backend, ...],
        tally: Tally,
        losses: Losses,
        redact: Callable[[Event], Event] | None,
        clock_ns: Callable[[], int] | None,
        adds_latency: bool,
    ) -> Self: ...

@final
class AuditedRequest:
    attributes: Attributes
    decision: Decision | None
    level: Level
    audit_id: str
    stage: str
    annotations: Mapping[str, str]
    is_enabled: bool
    is_refused: bool
    is_over: bool
    has_started: bool
    long_running: bool
    @property
    def event(self) -> Event: ...
    @property
    def line(self) -> bytes: ...
    @property
    def wants_request_object(self) -> bool: ...
    @property
    def wants_response_object(self) -> bool: ...
    def receive(self) -> bool: ...
    def start_response(self, code: int) -> None: ...
    def complete(self) -> None: ...
    def panic(self, value: object) -> None: ...
    def fail(self, status: Status, body: object = None) -> None: ...
    def note_error(self, error: BaseException) -> None: ...
    def record_request_object(self, body: Any) -> None: ...
    def record_patch(self, body: bytes) -> None: ...
    def record_response_object(self, body: Any) -> None: ...
    def fill_object_ref(
        self,
        *,
        namespace: str = "",
        name: str = "",
        uid: str = "",
        resource_version: str = "",
    ) -> None: ...
    def annotate(self, key: str, value: str) -> None: ...
    def impersonate(self, user: UserInfo, constraint: str = "") -> None: ...
    def identify(self, user: UserInfo) -> None: ...
    def add_latency(self, part: str, ns: int) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...
