from ._audited cimport AuditedRequest
from ._outlet cimport Outlet


cpdef AuditedRequest begin_request(attributes, Outlet outlet, received_ns)
