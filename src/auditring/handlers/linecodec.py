"""Codecs of lines of text: their names, and whether a ring may take what they make."""

import codecs
import locale
import sys

__all__ = ["codec_name", "is_plain_codec"]

# Codecs in which ASCII is one byte each and that have no state between two lines.
_PLAIN_CODECS = ("utf-8", "ascii", "gbk", "gb18030", "gb2312", "big5", "euc_")
_PLAIN_CODEC_FAMILIES = ("iso8859", "cp125", "koi8", "mac-")


def codec_name(encoding: str | None) -> str:
    """Return the name of the codec that `open` takes for *encoding*.

    Raises:
        LookupError: There is none.
    """
    if encoding is None:
        encoding = "utf-8" if sys.flags.utf8_mode else "locale"
    if encoding == "locale":
        encoding = locale.getencoding()
    return codecs.lookup(encoding).name


def is_plain_codec(name: str) -> bool:
    """Tell whether each line stands for itself, in bytes as in text."""
    plain = name in _PLAIN_CODECS or name.startswith(_PLAIN_CODEC_FAMILIES)
    return plain or name.startswith("euc_")
