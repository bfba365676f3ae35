"""Find what was masked in one place of an event wherever else it shows."""

import base64
import re
from collections.abc import Callable, Iterable

from . import rawjson

__all__ = ["Echoes"]

# A shorter secret isn't looked for: too many other things are called so.
_ECHO_MIN_CHARS = 8
# With more secrets, as in a list of Secrets, whole words are all that is looked for in
# bodies: the time would grow with their number times that of the strings.
_SUBSTRINGS_MAX = 64
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_WORD = re.compile(r"[^\s\"'<>(){}\[\],;:=]+")


class Echoes:
    """Secrets in the spellings that they may come back in, each with its mask."""

    def __init__(self, secrets: Iterable[str], mask: Callable[[str], str]) -> None:
        masks: dict[str, str] = {}
        for secret in secrets:
            replacement = mask(secret)
            data = secret.encode(errors="surrogatepass")
            masks[base64.b64encode(data).decode()] = replacement
            masks[base64.urlsafe_b64encode(data).decode()] = replacement
            masks[secret] = replacement
        # The longest first: one may be a part of another.
        found = [text for text in masks if len(text) >= _ECHO_MIN_CHARS]
        self._masks = {text: masks[text] for text in sorted(found, key=len)[::-1]}

    def __bool__(self) -> bool:
        return bool(self._masks)

    def replace_in(self, text: str) -> str:
        """Return *text* with all that is echoed in it masked."""
        for echo, mask in self._masks.items():
            text = text.replace(echo, mask)
        return text

    def replace_in_body(self, body: bytes) -> bytes:
        """Return the JSON text *body* with all that its strings echo masked."""
        return _STRING.sub(self._replace_string, body)

    def _replace_string(self, match: re.Match[bytes]) -> bytes:
        string = rawjson.unquote(match.group())
        if len(self._masks) <= _SUBSTRINGS_MAX:
            changed = self.replace_in(string)
        else:
            changed = self._masks.get(string) or _WORD.sub(self._replace_word, string)
        return match.group() if changed == string else rawjson.quote(changed)

    def _replace_word(self, match: re.Match[str]) -> str:
        return self._masks.get(match.group(), match.group())
