"""Tell a label selector from nonsense, as in ``?labelSelector=app=web,tier in (a,b)``.

Whether it parses is all that an audit needs: a selector that doesn't changes what the
rest of its query means.

Source: Kubernetes v1.36, label selectors.
"""

import re

from .dnsname import is_dns_subdomain

__all__ = ["is_label_selector"]

NAME_MAX_BYTES = 63
INT64_MAX = 2**63 - 1

# A NUL where a token could begin ends the text; one right behind a token is swallowed.
_TOKEN = re.compile(r"[ \t\r\n]*([=!]=|[=!(),<>]|[^=!(),<> \t\r\n\0]+)\0?")
_NAME = re.compile(r"[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?")

_END = ""
_SYMBOLS = frozenset(["=", "==", "!=", "!", "(", ")", ",", "<", ">", _END])
_ENDS_OF_REQUIREMENT = frozenset([",", _END])


class _Tokens:
    """The tokens of a selector, and `_END` from its end on.

    ``in`` and ``notin`` are words like others here: the place decides what they mean.
    """

    def __init__(self, selector: str) -> None:
        self._selector = selector
        self._position = 0
        self.next = _END
        self.take()

    def take(self) -> str:
        """Return the next token and go on to the one behind it."""
        taken = self.next
        token = _TOKEN.match(self._selector, self._position)
        if token is None:
            self.next = _END
        else:
            self.next = token[1]
            self._position = token.end()
        return taken


def is_label_selector(selector: str) -> bool:
    """Tell whether *selector* is requirements joined by commas, or nothing."""
    tokens = _Tokens(selector)
    if tokens.next == _END:
        return True
    while _take_requirement(tokens):
        behind = tokens.take()
        if behind != ",":
            return behind == _END
    return False


def _take_requirement(tokens: _Tokens) -> bool:
    """Take ``key``, ``!key`` or ``key operator value``; tell whether it is one."""
    is_negated = tokens.next == "!"
    if is_negated:
        tokens.take()
    if not _is_key(tokens.take()):
        return False
    if is_negated or tokens.next in _ENDS_OF_REQUIREMENT:
        return True
    operator = tokens.take()
    if operator in ("in", "notin"):
        return _take_set(tokens)
    if operator in ("=", "==", "!="):
        return _is_value(_take_value(tokens))
    return operator in ("<", ">") and _is_int64(_take_value(tokens))


def _take_value(tokens: _Tokens) -> str:
    """Take what follows an operator; nothing there is the empty value."""
    return "" if tokens.next in _ENDS_OF_REQUIREMENT else tokens.take()


def _take_set(tokens: _Tokens) -> bool:
    """Take values in parentheses, each of which may be empty."""
    if tokens.take() != "(":
        return False
    while tokens.next != ")":
        value = "" if tokens.next == "," else tokens.take()
        if not _is_value(value) or tokens.next not in (",", ")"):
            return False
        if tokens.next == ",":
            tokens.take()
    tokens.take()
    return True


def _is_key(token: str) -> bool:
    """Tell whether *token* is a name, or a DNS subdomain, a slash and a name."""
    prefix, slash, name = token.rpartition("/")
    return _is_name(name) and (not slash or is_dns_subdomain(prefix))


def _is_name(text: str) -> bool:
    return len(text) <= NAME_MAX_BYTES and _NAME.fullmatch(text) is not None


def _is_value(token: str) -> bool:
    return not token or _is_name(token)


def _is_int64(token: str) -> bool:
    """Tell whether *token* is a value and a number; it so can't have a sign."""
    return _is_name(token) and token.isdigit() and int(token) <= INT64_MAX
