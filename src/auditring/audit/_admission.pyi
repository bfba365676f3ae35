from ..request.attributes import Attributes
from ._pipeline import Outlet
from ._request import AuditedRequest

def begin_request(
    attributes: Attributes, outlet: Outlet, received_ns: int | None
) -> AuditedRequest: ...

__pyx_capi__: dict[str, object]
