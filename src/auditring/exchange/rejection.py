"""The answer to a request that must not be carried out because it can't be audited.

Source: Kubernetes v1.36, a request that `blocking-strict` refuses.
"""

__all__ = ["REJECTION_BODY", "REJECTION_CODE", "REJECTION_HEADERS"]

REJECTION_CODE = 500
REJECTION_BODY = b"Internal Server Error: failed to store audit event\n"
REJECTION_HEADERS = (
    (b"content-type", b"text/plain; charset=utf-8"),
    (b"content-length", str(len(REJECTION_BODY)).encode()),
    (b"x-content-type-options", b"nosniff"),
)
