"""What PyYAML's parser finds wrong, in the words of who writes YAML."""

import re

__all__ = ["in_words"]

_TOKENS = {
    "<stream end>": "the end of the text",
    "<document start>": "'---'",
    "<document end>": "'...'",
    "<directive>": "a directive",
    "<block sequence start>": "a list",
    "<block mapping start>": "a key",
    "<block end>": "the end of a block",
    "<alias>": "an alias",
    "<anchor>": "an anchor",
    "<tag>": "a tag",
    "<scalar>": "a value",
}
_SENTENCES = {
    "mapping values are not allowed here": (
        "a ':' can't stand here: a text that holds one needs quotes, and a key its line"
    ),
    "mapping keys are not allowed here": "a key can't begin here",
    "sequence entries are not allowed here": "the item of a list can't begin here",
    "could not find expected ':'": "expected a ':' behind a key",
    "found unexpected end of stream": "a quote isn't closed before the end",
    "found unexpected document separator": "a quote isn't closed before '---'",
}
_CHARACTER = re.compile(r"found character '(.+)' that cannot start any token")
_IN_BLOCK = re.compile(r"expected <block end>, but found '(.+)'")
_FOUND = re.compile(r"(?:but )?(?:found|got) '(<[a-z ]+>)'")


def in_words(problem: str) -> str:
    """Return what a parser's *problem* is to people; what is clear stays as it is."""
    if problem in _SENTENCES:
        return _SENTENCES[problem]
    if found := _CHARACTER.fullmatch(problem):
        if found[1] == r"\t":
            return "a tab can't be indentation"
        return f"no value can begin with {found[1]}; a text needs quotes"
    if found := _IN_BLOCK.fullmatch(problem):
        what = _TOKENS.get(found[1], f"{found[1]!r}")
        return f"{what} can't stand here: it isn't indented as the lines before it"
    problem = _FOUND.sub(lambda match: f"found {_TOKENS[match[1]]}", problem)
    return problem.replace("the node content", "a value").replace(
        "'<document start>'", "'---'"
    )
