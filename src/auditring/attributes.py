"""What is known of a request before anybody answers it: `Attributes`.

The policy decides by them and an event is made of them. Nothing here looks at a body
or at an answer.
"""

from dataclasses import dataclass
from typing import Self

from .event import UserInfo

__all__ = ["Attributes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attributes:
    """What method, request target, headers and peer of a request say.

    Every string that stands for bytes of the request holds bytes that aren't UTF-8 as
    surrogate escapes, so that nothing is lost and equal bytes are equal strings.

    Attributes:
        is_resource_request: Whether the path is one of an API object or a collection.
        path: The percent-decoded path, otherwise as received: ``//`` and ``..`` stay.
        verb: ``get list watch create update patch delete deletecollection proxy`` or
            empty; the lower-case method if this is no resource request.
        api_prefix: ``api`` or ``apis``; also for some that are no resource requests.
        api_group: Empty for the core group.
        api_version: Without the group: ``v1``.
        namespace: Empty for what is in no namespace, and for all namespaces at once.
        resource: Plural name as in the path.
        subresource: What follows the name.
        name: From the path, or of list and watch from the field selector.
        parts: The path's segments from the resource on.
        field_selector: The query's, of list, watch and deletecollection.
        label_selector: Likewise.
        long_running: Whether an answer is expected to take as long as it likes.
        user: Who is authenticated; None if nobody is known.
        impersonated_user: Whom the caller asks to act as; None if it doesn't.
        request_uri: Path and query, still percent-encoded, as an event shows it.
        source_ips: Addresses that the request came through, the peer last.
        user_agent: Cut after 1024 bytes.
        audit_id: The client's, or a random version-4 UUID.
    """

    is_resource_request: bool = False
    path: str = ""
    verb: str = ""
    api_prefix: str = ""
    api_group: str = ""
    api_version: str = ""
    namespace: str = ""
    resource: str = ""
    subresource: str = ""
    name: str = ""
    parts: tuple[str, ...] = ()
    field_selector: str = ""
    label_selector: str = ""
    long_running: bool = False
    user: UserInfo | None = None
    impersonated_user: UserInfo | None = None
    request_uri: str = ""
    source_ips: tuple[str, ...] = ()
    user_agent: str = ""
    audit_id: str = ""

    @classmethod
    def from_request(
        cls, method: str, target: str, *, user: UserInfo | None = None
    ) -> Self:
        """Read a request's *method* and *target*; not there yet."""
        raise NotImplementedError
