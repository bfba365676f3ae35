from typing import final

@final
class Piece: ...

__pyx_capi__: dict[str, object]
