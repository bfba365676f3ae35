"""What is known of a request before anybody answers it: `Attributes`.

The policy decides by them and an event is made of them. Nothing here looks at a body
or at an answer.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from ._plain import read_request, set_class
from .headers import Headers, read_headers
from .info import read_request_info
from .sourceips import source_ips
from .url import parse_request_url
from .user import UserInfo

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
        impersonated_user: Whom the sender asks to act as, with the groups that an event
            shows once that is granted; None if it doesn't ask.
        request_uri: Path and query, still percent-encoded, as an event shows it.
        source_ips: Addresses that the request came through, the peer last.
        user_agent: Cut after 1024 bytes.
        audit_id: The client's, or a random version-4 UUID.
        request_target: What a gateway's path leads to: ``Management``, ``Cluster``,
            ``VCluster``, ``ProjectSpace``, ``ProjectVCluster``; empty without one.
        cluster: The cluster that it leads to; empty if none is known.
        project: The project that it leads through; empty if none.
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
    request_target: str = ""
    cluster: str = ""
    project: str = ""

    @classmethod
    def from_request(
        cls,
        method: str,
        target: str,
        *,
        headers: Headers = (),
        user: UserInfo | None = None,
        peer: str = "",
        request_uri: str | None = None,
        request_target: str = "",
        cluster: str = "",
        project: str = "",
    ) -> Self:
        """Read a request as kube-apiserver does.

        Args:
            method: As sent; verbs follow from upper-case methods only.
            target: What stands between method and version on the request line, still
                percent-encoded; an absolute URL and ``*`` are fine, too. Behind a
                gateway without the gateway's prefix.
            headers: Names and values; in a list a name may come several times.
            user: Who is authenticated.
            peer: Address that the connection is from, with or without a port.
            request_uri: Stands in for that of *target*, where a prefix was taken off.
            request_target: Copied as it is, like those that follow.
            cluster: The cluster that it leads to.
            project: The project that it leads through.

        Raises:
            BadRequestError: An HTTP server refuses this method or target with 400, or
                no bytes stand for what a header holds.
            RequestInfoError: Kubernetes' request parser refuses the path, and its
                server answers 500. Both are a ValueError, and neither request is
                audited by Kubernetes.
        """
        # A list, as some may be looked at twice and an iterator's are gone then.
        pairs = headers if type(headers) is list else _pairs(headers)
        if not request_target and not cluster and not project:
            plain = read_request(cls, method, target, pairs, user, peer, request_uri)
            if plain is not None:
                return plain
        url = parse_request_url(method, target)
        info = read_request_info(method, url.path, url.query)
        header = read_headers(pairs)
        return cls(
            is_resource_request=info.is_resource_request,
            path=info.path,
            verb=info.verb,
            api_prefix=info.api_prefix,
            api_group=info.api_group,
            api_version=info.api_version,
            namespace=info.namespace,
            resource=info.resource,
            subresource=info.subresource,
            name=info.name,
            parts=info.parts,
            field_selector=info.field_selector,
            label_selector=info.label_selector,
            long_running=info.long_running,
            user=user,
            impersonated_user=header.impersonated_user,
            request_uri=url.request_uri if request_uri is None else request_uri,
            source_ips=source_ips(header.forwarded_for, header.real_ip, peer),
            user_agent=header.user_agent,
            audit_id=header.audit_id,
            request_target=request_target,
            cluster=cluster,
            project=project,
        )


def _pairs(headers: Headers) -> list[tuple[str, str]]:
    return list(headers.items() if isinstance(headers, Mapping) else headers)


set_class(Attributes)
