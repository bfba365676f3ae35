from collections.abc import Iterable
from typing import final

@final
class OwnAttributes: ...

def is_untouched(kind: type, names: Iterable[str]) -> bool: ...

__pyx_capi__: dict[str, object]
