from collections.abc import Callable
from typing import Self, final

from ..backends.backend import Backend
from ..backends.losses import Losses
from ..event.event import Event, Level
from ..policy._decide import DecisionTable
from ..request.attributes import Attributes

@final
class Tally:
    refused: int
    annotation_conflicts: int
    @property
    def requests(self) -> dict[Level, int]: ...
    @property
    def events(self) -> dict[Level, int]: ...

@final
class Way: ...

@final
class Outlet:
    decisions: DecisionTable | None
    redact: Callable[[Event], Event] | None
    leaves: Callable[[Attributes, dict[str, str]], bool] | None
    __weakref__: object
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
class Gate:
    outlet: Outlet
    def __new__(cls, outlet: Outlet) -> Self: ...
