from ._routetable cimport RouteTable


cpdef object read_scope(dict scope, identity, RouteTable routes)
