from logging import Formatter, LogRecord
from typing import Any, Self

from typing_extensions import disjoint_base

from ..ring._writer import Writer

@disjoint_base
class FastHandler:
    def __new__(cls, *args: Any, **kwargs: Any) -> Self: ...
    def __setattr__(self, name: str, value: Any, /) -> None: ...
    def __delattr__(self, name: str, /) -> None: ...
    def _count_changes(self) -> int: ...
    def _is_before_arming(self) -> bool: ...
    def _arm(
        self,
        changes: int,
        writer: Writer,
        formatter: Formatter | None,
        filters: list[Any],
        *,
        terminator: bytes,
        encoding: str,
        errors: str,
        limit: int,
        due: float,
        takes_calls: bool,
    ) -> None: ...
    def _disarm(self) -> None: ...
    def handle(self, record: LogRecord, /) -> Any: ...
    def _put_quickly(self, record: LogRecord) -> bool: ...
