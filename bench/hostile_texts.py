"""Bodies and queries that a client makes to hold up who redacts them, of any size."""

import json
from collections.abc import Callable
from typing import Final

__all__ = ["BODIES", "QUERIES"]

Shape = Callable[[int], str]


def _repeated(piece: str) -> Shape:
    """Return what repeats *piece*; ``#`` in it is a number, another one each time."""

    def text(size: int) -> str:
        if "#" not in piece:
            return piece * (size // len(piece))
        count = size // (len(piece) + 4)
        return "".join(piece.replace("#", str(number)) for number in range(count))

    return text


def _listed(piece: str, before: str = "[", after: str = "]") -> Shape:
    repeated = _repeated(f"{piece},")
    return lambda size: before + repeated(size)[:-1] + after


def _in_a_string(shape: Shape) -> Shape:
    return lambda size: json.dumps({"a": shape(size)}, ensure_ascii=False)


BODIES: Final[dict[str, Shape]] = {
    "secrets by name": _listed('"token":"abcdefgh#"', "{", "}"),
    "names that are secret": _listed('"token#":"1"', "{", "}"),
    "objects": _listed("{}", '{"token":"x","a":[', "]}"),
    "texts with a secret": _listed('"token=#abc"'),
    "arrays of options": _listed('["--token","x"]'),
    "Secrets": _listed('{"kind":"Secret","data":{"a":"#"}}'),
    "pairs": _listed('{"name":"DB_TOKEN","value":"secretvalue#"}'),
    "a patch": _listed('{"op":"add","path":"/x#","value":"token"}'),
    "nesting": lambda size: '{"token":' + "[" * (size // 2) + "]" * (size // 2) + "}",
    "a long text": _in_a_string(lambda size: "x" * size + " token: abc"),
    "a long text in Chinese": _in_a_string(
        lambda size: "密" * (size // 3) + " token: a"
    ),
    "a block of YAML": _in_a_string(
        lambda size: "token: |\n" + _repeated(" a\n")(size)
    ),
    "open quotes": _in_a_string(_repeated('token: "')),
    "escapes": _in_a_string(lambda size: "\\" * (size // 2) + "token"),
    "points of tokens": _in_a_string(_repeated("eyJaaaa.")),
    "JSON in texts": _listed(json.dumps(json.dumps({"token": "a"}))),
    "open elements": _repeated("<password>"),
    "a form of percents": lambda size: "a=" + _repeated("%25")(size),
    "a form of addresses": lambda size: "u=" + _repeated("http%3A%2F%2Fa%3A")(size),
    "a form of many": _repeated("token=#aaaa&"),
    "ampersands": _repeated("&"),
}
QUERIES: Final[dict[str, Shape]] = {
    "tokens": _repeated("token=abcdefgh#&"),
    "percents": lambda size: "a=" + _repeated("%2525")(size),
    "options": _repeated("command=--token&command=x&"),
    "addresses": _repeated("u=http%3A%2F%2Fa%3Ab%40c&"),
    "ampersands": _repeated("&"),
    "equals": _repeated("="),
    "points": _repeated("a.b."),
}
