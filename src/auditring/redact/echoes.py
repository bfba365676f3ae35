"""Find what was masked in one place of an event wherever else it shows."""

import base64
from collections.abc import Callable, Iterable

from ..event import rawjson
from ._echotable import EchoTable
from .masks import REDACTED

__all__ = ["Echoes"]

# A shorter secret isn't looked for: too many other things are called so.
_ECHO_MIN_CHARS = 8


class Echoes:
    """Secrets in the spellings that they may come back in, each with its mask.

    A text in which looking for them would take too long is masked whole.
    """

    def __init__(self, secrets: Iterable[str], mask: Callable[[str], str]) -> None:
        shown: dict[bytes, bytes] = {}
        for secret in secrets:
            data = secret.encode(errors="surrogatepass")
            if len(data) < _ECHO_MIN_CHARS - 2:  # and no base64 of it is longer
                continue
            replacement = mask(secret).encode()
            for echo in (base64.b64encode(data), base64.urlsafe_b64encode(data)):
                if len(echo) >= _ECHO_MIN_CHARS:
                    shown.setdefault(echo, replacement)
            if len(secret) >= _ECHO_MIN_CHARS:
                shown[data] = replacement
        self._table = EchoTable(shown) if shown else None

    def __bool__(self) -> bool:
        return self._table is not None

    def replace_in(self, text: str) -> str:
        """Return *text* with all that is echoed in it masked."""
        if self._table is None or len(text) < _ECHO_MIN_CHARS:
            return text
        data = text.encode(errors="surrogatepass")
        changed = self._table.replace(data)
        if changed is None:
            return REDACTED
        return text if changed == data else changed.decode(errors="surrogatepass")

    def replace_in_body(self, body: bytes) -> bytes:
        """Return the JSON text *body* with all that its strings echo masked."""
        if self._table is None:
            return body
        changed = self._table.replace_in_json(body, self._replace_string)
        return rawjson.quote(REDACTED) if changed is None else changed

    def _replace_string(self, text: bytes) -> bytes | None:
        string = rawjson.unquote(text)
        changed = self.replace_in(string)
        return None if changed == string else rawjson.quote(changed)
