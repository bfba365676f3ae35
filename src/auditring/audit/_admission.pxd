from ._request cimport AuditedRequest
from ._pipeline cimport Outlet


cpdef AuditedRequest begin_request(attributes, Outlet outlet, received_ns)
