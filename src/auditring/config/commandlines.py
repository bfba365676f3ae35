"""The command line of a kube-apiserver, wherever somebody wrote it down.

Its own, as a text; the Pod manifest of kubeadm and what is made from such templates; a
list or mapping of extra arguments, as kubeadm, k3s, kind and vCluster have it. Only
where the arguments stand is looked for, since every distribution has a place of its
own for them.
"""

import re
import shlex
from collections.abc import Iterator
from contextlib import suppress
from typing import TypeGuard

from ..documents.tree import Mapping, Node, Scalar, Sequence, TextError

__all__ = ["PROGRAM", "arguments_in", "command_line_of"]

PROGRAM = "kube-apiserver"
_AUDIT = "--audit-"
_MARK = re.compile(r"(?:--)?audit-(?:policy-file|log-[a-z-]+|webhook-[a-z-]+)(?:=|\Z)")


def command_line_of(text: str) -> tuple[str, ...] | None:
    """Return the arguments if *text* is a command line, or a file of flags."""
    words = text.strip()
    first = words.split(None, 1)[:1]
    if not first or not (
        (first[0].startswith("--") and first[0] != "---") or PROGRAM in first[0]
    ):
        return None
    if _AUDIT not in words:
        return None
    try:
        return tuple(shlex.split(words.replace("\\\n", " "), comments=True))
    except ValueError:  # a quote without its other one
        return None


def arguments_in(node: Node) -> tuple[str, ...]:
    """Return the ``--audit-`` arguments that stand somewhere in a document."""
    return tuple(each for words in _lists_in(node) for each in _flags_of(words) if each)


def _lists_in(node: Node) -> Iterator[list[str]]:
    """Yield each list of words that has such a flag among them."""
    if isinstance(node, Sequence):
        words = [_word_of(each) for each in node.items]
        if any(_MARK.match(word) for word in words):
            yield words
            return
        for each in node.items:
            yield from _lists_in(each)
    elif isinstance(node, Mapping):
        named = [
            f"{key}={_text_of(value)}"
            for key, _, value in node.entries
            if _MARK.match(key) and isinstance(value, Scalar)
        ]
        if named:
            yield named
        for _, _, value in node.entries:
            yield from _lists_in(value)
    elif isinstance(node, Scalar) and _is_document(node.value):
        from ..documents.yamltext import read_yaml  # Here: few need it.

        with suppress(TextError):  # then it is some other text
            yield from _lists_in(read_yaml(node.value))


def _is_document(value: object) -> TypeGuard[str]:
    """Tell whether a text may be a document inside of one, as kind has its patches."""
    return isinstance(value, str) and "\n" in value and "audit-" in value


def _word_of(node: Node) -> str:
    """Return an argument; kubeadm and kwok have pairs of a name and a value, too."""
    if isinstance(node, Mapping):
        pair = {key: _text_of(value) for key, _, value in node.entries}
        name = pair.get("name", pair.get("key", ""))
        return f"{name}={pair['value']}" if len(pair) == 2 and "value" in pair else ""
    return _text_of(node)


def _text_of(node: Node) -> str:
    if not isinstance(node, Scalar) or node.value is None:
        return ""
    if isinstance(node.value, bool):
        return str(node.value).lower()
    return str(node.value)


def _flags_of(words: list[str]) -> Iterator[str]:
    takes_next = False
    for word in words:
        is_flag = _MARK.match(word) is not None
        if is_flag:
            yield word if word.startswith("--") else f"--{word}"
            takes_next = "=" not in word
        elif takes_next and not word.startswith("-"):
            yield word
            takes_next = False
        else:
            takes_next = False
