from typing import final

@final
class Asctime: ...

__pyx_capi__: dict[str, object]
