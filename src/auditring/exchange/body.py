"""Bodies of a request and its answer, kept as they pass for whoever wants them."""

from ..audit.auditor import AuditedRequest
from ..event.payload import PAYLOAD_MAX_BYTES, Omission, Payload, read_payload

__all__ = ["Body", "BodyRules"]


class BodyRules:
    """Which bodies are recorded, and how much of one.

    Attributes:
        max_bytes: What is kept of a body, and how large it may be once decoded.
        resources_only: Whether only bodies of resource requests are, as in Kubernetes.
            What others send, as a login form, is nobody's object.
    """

    __slots__ = ("max_bytes", "resources_only")

    def __init__(
        self, *, max_bytes: int = PAYLOAD_MAX_BYTES, resources_only: bool = True
    ) -> None:
        """Take the rules.

        Raises:
            ValueError: The limit is negative.
        """
        if max_bytes < 0:
            raise ValueError(f"max_bytes: expected 0 or more, got {max_bytes!r}")
        self.max_bytes = max_bytes
        self.resources_only = resources_only

    def __repr__(self) -> str:
        """Spell the call that makes such rules."""
        return (
            f"BodyRules(max_bytes={self.max_bytes},"
            f" resources_only={self.resources_only})"
        )

    def allow(self, request: AuditedRequest) -> bool:
        """Tell whether bodies of *request* are recorded, if its level wants them.

        Never those of a long-running request: there is no end to them.
        """
        if request.long_running:
            return False
        return request.attributes.is_resource_request or not self.resources_only


class Body:
    """What has passed of a body, up to a limit."""

    __slots__ = ("_chunks", "_max_bytes", "_size", "is_whole")

    def __init__(self, max_bytes: int) -> None:
        """Begin with nothing."""
        self._chunks: list[bytes] = []
        self._max_bytes = max_bytes
        self._size = 0
        self.is_whole = False

    def add(self, chunk: bytes) -> None:
        """Keep a piece, unless the limit is passed by now."""
        if self._size <= self._max_bytes:
            self._chunks.append(bytes(chunk))
        self._size += len(chunk)

    def end(self) -> None:
        """Take note that no more comes."""
        self.is_whole = True

    def payload(self, content_type: str, content_encoding: str) -> Payload:
        """Return it as an event holds it, by what the headers say of it."""
        if not self._size:
            return Payload()
        is_cut = not self.is_whole or self._size > self._max_bytes
        if is_cut:
            return Payload(omission=Omission.TRUNCATED)
        return read_payload(
            b"".join(self._chunks),
            content_type=content_type,
            content_encoding=content_encoding,
            max_bytes=self._max_bytes,
        )
