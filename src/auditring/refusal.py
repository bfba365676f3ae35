"""The answer to a request that must not be carried out because it can't be audited.

Source: Kubernetes v1.36, a request that `blocking-strict` refuses.
"""

__all__ = ["REFUSAL_BODY", "REFUSAL_CODE", "REFUSAL_HEADERS"]

REFUSAL_CODE = 500
REFUSAL_BODY = b"Internal Server Error: failed to store audit event\n"
REFUSAL_HEADERS = (
    (b"content-type", b"text/plain; charset=utf-8"),
    (b"content-length", str(len(REFUSAL_BODY)).encode()),
    (b"x-content-type-options", b"nosniff"),
)
