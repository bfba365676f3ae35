"""What `auditring.event._rawjson` does, in plain Python: slow, and easy to believe."""

import re

DEPTH_MAX = 10_000
BLANKS = re.compile(rb"[ \t\r\n]*")
STRING = rb'"[^"\\\x00-\x1f]*+(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*+)*+"'
NUMBER = rb"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?"
TOKEN = re.compile(rb"%b|%b|true|false|null|[\[\]{}:,]" % (STRING, NUMBER))
CLOSING = {"value or end": b"]", "key or end": b"}"}
MARKUP = re.compile(rb"[<>&]|\xe2\x80[\xa8\xa9]")


def tokens(text: bytes) -> list[bytes]:
    """Return the tokens of *text*; ValueError where there is none."""
    found = []
    at = BLANKS.match(text).end()
    while at < len(text):
        token = TOKEN.match(text, at)
        if token is None:
            raise ValueError(f"no token at byte {at}")
        found.append(token.group())
        at = BLANKS.match(text, token.end()).end()
    return found


def end_of_value(words: list[bytes], at: int) -> int:
    """Return where the value ends that begins at *at*; ValueError if none does."""
    stack: list[bytes] = []
    expected = "value"
    while True:
        if at == len(words):
            raise ValueError("ends too soon")
        word = words[at]
        at += 1
        if CLOSING.get(expected) == word:
            stack.pop()
            expected = "more"
        elif expected in ("value", "value or end"):
            if word in (b"{", b"["):
                stack.append(word)
                if len(stack) > DEPTH_MAX:
                    raise ValueError("too deep")
                expected = "key or end" if word == b"{" else "value or end"
            elif word in (b"]", b"}", b",", b":"):
                raise ValueError("no value")
            else:
                expected = "more"
        elif expected in ("key", "key or end"):
            if word[:1] != b'"':
                raise ValueError("no key")
            expected = "colon"
        elif expected == "colon":
            if word != b":":
                raise ValueError("no colon")
            expected = "value"
        elif word == b",":
            expected = "key" if stack[-1] == b"{" else "value"
        elif word == (b"}" if stack[-1] == b"{" else b"]"):
            stack.pop()
        else:
            raise ValueError("no comma")
        if expected == "more" and not stack:
            return at


def escaped(match: re.Match[bytes]) -> bytes:
    return b"\\u%04x" % ord(match.group().decode())


def compact(text: bytes) -> bytes:
    words = tokens(text)
    if end_of_value(words, 0) != len(words):
        raise ValueError("more than a value")
    return MARKUP.sub(escaped, b"".join(words))


def members(text: bytes) -> list[tuple[bytes, bytes]]:
    words = tokens(text)
    found = []
    at = 1
    while at < len(words) - 1:
        end = end_of_value(words, at + 2)
        found.append((words[at], b"".join(words[at + 2 : end])))
        at = end + 1
    return found


def elements(text: bytes) -> list[bytes]:
    words = tokens(text)
    found = []
    at = 1
    while at < len(words) - 1:
        end = end_of_value(words, at)
        found.append(b"".join(words[at:end]))
        at = end + 1
    return found
