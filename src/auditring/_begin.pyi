from ._audited import AuditedRequest
from ._outlet import Outlet
from .attributes import Attributes

def begin_request(
    attributes: Attributes, outlet: Outlet, received_ns: int | None
) -> AuditedRequest: ...

__pyx_capi__: dict[str, object]
