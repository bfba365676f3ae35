"""What stands in an event in place of a secret."""

import base64
import binascii
import hashlib
import hmac
import re

__all__ = ["KEY_MIN_BYTES", "REDACTED", "Mask", "decoded_base64"]

REDACTED = "[redacted]"
"""What a secret is replaced by when there is no key."""

KEY_MIN_BYTES = 16

_DIGEST_CHARS = 32
_MASKED = re.compile(rf"{re.escape(REDACTED)}|hmac-sha256:[0-9a-f]{{{_DIGEST_CHARS}}}")


class Mask:
    """Replaces secrets.

    With a key, equal secrets are replaced by equal texts, so that they can be searched
    for by who has the key, and nobody else can try guesses.

    Args:
        key: At least 16 bytes; None for one text in place of all secrets.

    Raises:
        ValueError: The key is shorter.
    """

    def __init__(self, key: bytes | None = None) -> None:
        if key is not None and len(key) < KEY_MIN_BYTES:
            raise ValueError(
                f"key: expected at least {KEY_MIN_BYTES} bytes, got {len(key)}"
            )
        self._key = key

    @property
    def has_key(self) -> bool:
        """Whether equal secrets are replaced by equal texts."""
        return self._key is not None

    def __call__(self, secret: str) -> str:
        """Return what stands for *secret*; a text that does so already stays."""
        if _MASKED.fullmatch(secret):
            return secret
        if self._key is None:
            return REDACTED
        data = secret.encode(errors="surrogatepass")
        digest = hmac.new(self._key, data, hashlib.sha256).hexdigest()
        return f"hmac-sha256:{digest[:_DIGEST_CHARS]}"


def decoded_base64(text: str) -> str | None:
    """Return the text that *text* is the base64 of; None if it isn't base64 of text."""
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, ValueError):
        return None
