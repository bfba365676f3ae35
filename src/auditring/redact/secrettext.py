"""Find secrets in names and in free text, by what they look like.

The text is whatever a client sends, and it is a client's to make it hostile. A closer
look is taken where a sign stands and nowhere else; looks are counted, and a text with
more signs than there are looks left is masked whole. So the time grows with the text,
and has a bound.
"""

import re
from collections.abc import Callable

from ._secretsigns import (
    CODE_WORDS,
    KEY_WORDS,
    PLACE_BITS,
    SCHEME,
    SELF,
    SIGNATURE,
    USER_INFO,
    VALUE,
    WORD,
    has_sign,
    sign_places,
)

__all__ = [
    "LOOKS_MAX",
    "Looks",
    "has_sign",
    "is_secret_name",
    "is_secret_option",
    "scrub_text",
]

MaskText = Callable[[str], str]

LOOKS_MAX = 1500
"""How many closer looks a text may take; each is some microseconds."""

# A name is secret-like by its last word: password, DB_PASSWORD and dbPassword are, and
# passwordPolicy isn't. In a text the same words stand before a colon or equals sign.
# Each of them begins with one of `_secretsigns.WORD_SIGNS` or `WHOLE_WORDS`. What may
# follow is what forms with two fields have: password1, password_confirmation,
# user[password], passwords[0].
_JOINT = r"[-_. ]?"
_WORDS = (
    r"(?:pass(?<!compass)(?<!bypass)(?<!surpass)(?<!trespass)"
    r"(?:wor[dt]|wd|[-_]?phrase|[-_]?code|e)?|pwd|pswd|kennwort|wachtwoord"
    r"|contrase(?:ñ|n|%C3%B1)a|senha(?<![a-z0-9]senha)|pin(?<![a-z0-9]pin)"
    r"|otp(?<![a-z0-9]otp)|totp(?<![a-z0-9]totp)|cv[vc](?<![a-z0-9]cv[vc])2?"
    r"|secret|token|credential|authorization|cookie"
    rf"|bearer|jwt|(?:{'|'.join(KEY_WORDS)}){_JOINT}key(?:{_JOINT}data)?"
    rf"|(?:{'|'.join(CODE_WORDS)})[-_]?code|security_?answer|seed_?phrase|mnemonic"
    r"|sess(?:ion)?_?id|samlresponse|assertion|(?:code|oauth)_?verifier"
    r"|connection" + _JOINT + r"string|dockerconfigjson|dockercfg|kubeconfig)s?"
    r"(?:[-_]?(?:confirm(?:ation)?|again|repeat(?:ed)?|retype|verify|new|old|current"
    r"|value|hash))?(?:\d{0,3}\]?|\[\d{0,3}\])"
)
_LAST_WORDS = re.compile(_WORDS, re.IGNORECASE)
# What a longer name is called, says its end.
_NAME_MAX = 200
# How many tokens a language model takes, and whether there is a password.
_COUNT_NAME = re.compile(
    r"(?:.*[-_.])?(?:(?:max|min|total|prompt|completion|input|output|used|cached"
    r"|reasoning|thinking|remaining|new|num)[-_]?)+tokens",
    re.DOTALL | re.IGNORECASE,
)
_QUESTION_NAME = re.compile(r"(?:is|has)[-_]", re.IGNORECASE)
_QUOTED = r'\\?"(?:[^"\\]|\\.)*"?'
_ASSIGNED = re.compile(
    rf"""{_WORDS}\\?["']?\s{{0,8}}[:=]\s{{0,8}}
    (?:
        (?P<sign>[|>])[-+0-9]{{0,2}}[ \t]{{0,8}}(?P<block>(?=\r?\n(?:[ \t]|\r?\n)))
      | (?:(?:bearer|basic|digest|negotiate)\s{{1,8}})?
        (?P<value>\\?"(?:[^"\\]|\\.)*"?|'[^']*'?|[^\s"',;&]+)
    )""",
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)
# The next line that is neither indented nor empty.
_BLOCK_END = re.compile(r"\n[^ \t\r\n]")
# Of a longer one the end isn't looked for: all that follows is masked with it.
_BLOCK_MAX = 50_000
_ELEMENT = re.compile(
    rf"{_WORDS}(?:\s[^<>]{{0,200}})?>\s{{0,80}}"
    r"(?:<!\[CDATA\[(?P<cdata>.*?)(?:\]\]>|\Z)|(?P<value>[^<>\s][^<>]*)(?=<|\Z))",
    re.IGNORECASE | re.DOTALL,
)
_OPTION_START = re.compile(r"(?<!\S)--?[\w-]{0,40}\Z")
_OPTION = re.compile(rf"{_WORDS}\s{{1,8}}(?P<value>[^\s-]\S*)", re.IGNORECASE)
_WHOLE_OPTION = re.compile(rf"--?[\w-]*{_WORDS}", re.IGNORECASE)
# What is a secret by its own look, whatever stands before it.
_PEM = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----"
    r".*?(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY-----|\Z)",
    re.DOTALL,
)
_PEM_START = "-----BEGIN "
_SELF_EVIDENT = re.compile(
    r"""(?<![\w-])eyJ[\w-]{4,}\.[\w-]{4,}\.[\w-]*
      | (?<![A-Za-z0-9])(?:
            gh[opsur]_[A-Za-z0-9]{20,} | github_pat_\w{20,} | glpat-[\w-]{16,}
          | xox[a-z]-[A-Za-z0-9-]{10,} | sk-[A-Za-z0-9_-]{20,}
          | [a-z0-9]{6}\.[a-z0-9]{16}(?![A-Za-z0-9]))""",
    re.VERBOSE,
)
_SCHEME = re.compile(
    r"\b(?:bearer|basic)\s{1,8}(?P<value>[\w.~+/=:\[\]-]{8,})", re.IGNORECASE
)
_USER_INFO = re.compile(r"://[^\s/:@\"']{0,256}:(?P<value>[^\s/@\"']{1,1024})(?=@)")
# A signed URL lets in who has it.
_SIGNATURE = re.compile(
    r"(?<=[?&_-])(?:signature|sig)=(?P<value>[^\s\"'&#<>]+)", re.IGNORECASE
)
# What an API server says of a value that it doesn't take.
_REFUSED = re.compile(
    rf"(?:\.value|{_WORDS})[\"']?\]?: "
    rf"(?:Invalid|Unsupported|Duplicate) value: (?P<value>{_QUOTED})",
    re.IGNORECASE | re.DOTALL,
)
# A name and its value as members of an object: in JSON, as Go prints it, in YAML. The
# name holds the sign, and begins not far before it.
_PAIR = re.compile(
    r"""name\\?"?\s?:\s?\\?"(?P<key>[^"\\]{1,200})\\?",\s?\\?"?value\\?"?\s?:\s?"""
    rf"(?P<value>{_QUOTED})"
    r"""|name:[ \t]{0,8}["']?(?P<yaml_key>[\w.-]{1,200})["']?[ \t]{0,8}\r?\n"""
    r"""[ \t]{0,80}value:[ \t]{0,8}"""
    r"""(?P<yaml_value>"[^"\n]*"?|'[^'\n]*'?|[^\s"'][^\n]*)""",
    re.IGNORECASE | re.DOTALL,
)
_PAIR_REACH = 220
_PAIR_STARTS = 3


class Looks:
    """How many closer looks are left, for all texts of one place together."""

    __slots__ = ("left",)

    def __init__(self, left: int = LOOKS_MAX) -> None:
        self.left = left

    def spend(self, count: int) -> bool:
        """Take *count* of them; False if there aren't so many."""
        if count > self.left:
            self.left = 0
            return False
        self.left -= count
        return True


def is_secret_name(name: str) -> bool:
    """Tell whether what is called *name* is secret, as ``DB_PASSWORD``."""
    if not has_sign(name):
        return name.lower() == "auth"
    name = name[-_NAME_MAX:]
    places = sign_places(name, _NAME_MAX)
    if not any(_LAST_WORDS.fullmatch(name, each >> PLACE_BITS) for each in places):
        return False
    if _QUESTION_NAME.match(name):
        return False
    return not name.endswith("okens") or _COUNT_NAME.fullmatch(name) is None


def is_secret_option(word: str) -> bool:
    """Tell whether *word* is an option whose value follows as a word of its own."""
    return has_sign(word) and _WHOLE_OPTION.fullmatch(word) is not None


# Where a secret begins, where what holds it ends, and what stands there instead.
_Found = tuple[int, int, str]


def scrub_text(text: str, mask: MaskText, looks: Looks | None = None) -> str:
    """Return *text* with each secret in it replaced by what *mask* makes of it."""
    looks = looks or Looks()
    places = sign_places(text, looks.left)
    if not places:
        return text
    if not looks.spend(len(places)):
        return mask(text)
    parts: list[str] = []
    done = 0
    for each in places:
        place = each >> PLACE_BITS
        if place < done:
            continue
        found = _READERS[each & (1 << PLACE_BITS) - 1](text, place, done, mask)
        if found is not None:
            start, end, shown = found
            parts += (text[done:start], shown)
            done = end
    return "".join((*parts, text[done:])) if parts else text


def _read_word(text: str, place: int, done: int, mask: MaskText) -> _Found | None:
    if text.startswith(("private key", "PRIVATE KEY"), place):
        start = text.rfind(_PEM_START, max(done, place - 51), place)
        match = _PEM.match(text, start) if start >= 0 else None
        if match is not None:
            return start, match.end(), mask(match.group())
    for pattern in (_REFUSED, _ASSIGNED):
        match = pattern.match(text, place)
        if match is not None:
            return _masked_value(match, mask)
    if text.find(">", place, place + 260) >= 0:
        match = _ELEMENT.match(text, place)
        if match is not None:
            return _masked_element(match, mask)
    if text.rfind("-", max(done, place - 42), place) >= 0:
        start_of_option = _OPTION_START.search(text, max(done, place - 42), place)
        match = _OPTION.match(text, place) if start_of_option else None
        if match is not None:
            return _masked_value(match, mask)
    return _read_pair(text, place, done, mask) or _read_scheme(text, place, done, mask)


def _read_pair(text: str, place: int, done: int, mask: MaskText) -> _Found | None:
    low, end = max(done, place - _PAIR_REACH), place + 4
    for _ in range(_PAIR_STARTS):
        end = max(text.rfind("ame", low, end), text.rfind("AME", low, end))
        match = _PAIR.match(text, end - 1) if end > low else None
        if match is None:
            if end <= low:
                return None
            continue
        kind = "yaml_" if match["key"] is None else ""
        if not is_secret_name(match[f"{kind}key"]):
            return None
        start, end = match.span(f"{kind}value")
        return start, end, _masked_literal(match[f"{kind}value"], mask)
    return None


def _read_self(text: str, place: int, done: int, mask: MaskText) -> _Found | None:
    match = _SELF_EVIDENT.match(text, place)
    return match and (place, match.end(), mask(match.group()))


def _read_scheme(text: str, place: int, done: int, mask: MaskText) -> _Found | None:
    match = _SCHEME.match(text, place)
    return match and _masked_value(match, mask)


def _read_user_info(text: str, place: int, done: int, mask: MaskText) -> _Found | None:
    match = _USER_INFO.match(text, place)
    return match and _masked_value(match, mask)


def _read_signature(text: str, place: int, done: int, mask: MaskText) -> _Found | None:
    match = _SIGNATURE.match(text, place)
    return match and _masked_value(match, mask)


def _read_refused(text: str, place: int, done: int, mask: MaskText) -> _Found | None:
    match = _REFUSED.match(text, place)
    return match and _masked_value(match, mask)


_READERS = {
    WORD: _read_word,
    SELF: _read_self,
    USER_INFO: _read_user_info,
    SCHEME: _read_scheme,
    VALUE: _read_refused,
    SIGNATURE: _read_signature,
}


def _masked_value(match: re.Match[str], mask: MaskText) -> _Found:
    if match.re is _ASSIGNED and match["block"] is not None:
        end = _block_end(match.string, match.end())
        block = match.string[match.end() : end]
        return match.start("sign"), end, mask(_unindented(block))
    start, end = match.span("value")
    return start, end, _masked_literal(match["value"], mask)


def _masked_element(match: re.Match[str], mask: MaskText) -> _Found:
    group = "value" if match["cdata"] is None else "cdata"
    start, end = match.span(group)
    return start, end, mask(match[group]) if end > start else ""


def _masked_literal(value: str, mask: MaskText) -> str:
    """Mask what is in the quotes of *value*, or all of it if it has none."""
    opener = re.match(r"""\\?["']""", value)
    if opener is None:
        return mask(value)
    quote_mark = opener.group()
    inner = value.removeprefix(quote_mark).removesuffix(quote_mark[-1])
    inner = inner.removesuffix("\\") if len(quote_mark) > 1 else inner
    return f"{quote_mark}{mask(inner)}{quote_mark}"


def _block_end(text: str, start: int) -> int:
    line = _BLOCK_END.search(text, start, start + _BLOCK_MAX)
    return len(text.removesuffix("\n")) if line is None else line.start()


def _unindented(block: str) -> str:
    if len(block) > _BLOCK_MAX:
        return block
    return "\n".join(line.strip() for line in block.splitlines()).strip()
