"""Find secrets in names and in free text, by what they look like.

Every pattern takes time in proportion to the text: the text is whatever a client sends.
"""

import re
from collections.abc import Callable
from urllib.parse import quote, unquote, unquote_plus

from ._secretsigns import KEY_WORDS, has_sign

__all__ = [
    "has_sign",
    "is_secret_name",
    "is_secret_option",
    "scrub_text",
    "scrub_uri",
]

MaskText = Callable[[str], str]

# A name is secret-like by its last word: password, DB_PASSWORD and dbPassword are, and
# passwordPolicy isn't. In a text the same words stand before a colon or equals sign.
# Each of them holds one of `_secretsigns.SIGNS`.
_JOINT = r"[-_. ]?"
_WORDS = (
    r"(?:pass(?:word|wd|phrase)?|pwd|secret|token|credential|authorization|cookie|bearer"
    rf"|(?:{'|'.join(KEY_WORDS)}){_JOINT}key(?:{_JOINT}data)?|connection{_JOINT}string"
    r"|dockerconfigjson|dockercfg|kubeconfig)s?"
)
_SECRET_NAME = re.compile(rf".*{_WORDS}", re.DOTALL | re.IGNORECASE)
_ASSIGNED = re.compile(
    rf"""(?P<name>{_WORDS}\\?["']?\s{{0,8}}[:=]\s{{0,8}})
    (?:
        [|>][-+0-9]{{0,2}}[ \t]{{0,8}}(?P<block>(?:\r?\n(?:[ \t]+[^\n]*|(?=\r?\n)))+)
      | (?:(?:bearer|basic|digest|negotiate)\s{{1,8}})?
        (?P<value>\\?"(?:[^"\\]|\\.)*"?|'[^']*'?|[^\s"',;&]+)
    )""",
    re.IGNORECASE | re.VERBOSE,
)
_OPTION = re.compile(
    rf"(?P<name>(?<!\S)--?[a-z-]{{0,40}}{_WORDS}\s{{1,8}})(?P<value>[^\s-]\S*)",
    re.IGNORECASE,
)
_WHOLE_OPTION = re.compile(rf"--?[\w-]*{_WORDS}", re.IGNORECASE)
# What is a secret by its own look, whatever stands before it.
_SELF_EVIDENT = re.compile(
    r"""(?P<pem>-----BEGIN\ [A-Z0-9 ]{0,40}PRIVATE\ KEY-----
            .*?(?:-----END\ [A-Z0-9 ]{0,40}PRIVATE\ KEY-----|\Z))
      | (?P<jwt>(?<![\w-])eyJ[\w-]{4,}\.[\w-]{4,}\.[\w-]*)
      | (?P<known>(?<![A-Za-z0-9])(?:
            gh[opsur]_[A-Za-z0-9]{20,} | github_pat_\w{20,} | glpat-[\w-]{16,}
          | xox[a-z]-[A-Za-z0-9-]{10,} | sk-[A-Za-z0-9_-]{20,}
          | [a-z0-9]{6}\.[a-z0-9]{16}(?![A-Za-z0-9])))""",
    re.VERBOSE | re.DOTALL,
)
_SCHEME = re.compile(
    r"(?P<name>\b(?:bearer|basic)\s{1,8})(?P<value>[\w.~+/=:\[\]-]{8,})", re.IGNORECASE
)
_USER_INFO = re.compile(
    r"(?P<name>://[^\s/:@\"']{0,256}:)(?P<value>[^\s/@\"']{1,1024})(?=@)"
)
_QUOTED = r'\\?"(?:[^"\\]|\\.)*"?'
# What an API server says of a value that it doesn't take.
_REFUSED = re.compile(
    rf"(?P<name>(?:\.value|{_WORDS})[\"']?\]?: "
    rf"(?:Invalid|Unsupported|Duplicate) value: )(?P<value>{_QUOTED})"
)
_NAMED = (_REFUSED, _ASSIGNED, _OPTION, _SCHEME, _USER_INFO)
# A name and its value as members of an object: in JSON, as Go prints it, in YAML.
_PAIR = re.compile(
    r"""\\?"?name\\?"?\s?:\s?\\?"(?P<key>[^"\\]{1,200})\\?",\s?\\?"?value\\?"?\s?:\s?"""
    rf"(?P<value>{_QUOTED})"
    r"""|name:[ \t]{0,8}["']?(?P<yaml_key>[\w.-]{1,200})["']?[ \t]{0,8}\r?\n"""
    r"""[ \t]{0,80}value:[ \t]{0,8}"""
    r"""(?P<yaml_value>"[^"\n]*"?|'[^'\n]*'?|[^\s"'][^\n]*)""",
    re.IGNORECASE,
)


def is_secret_name(name: str) -> bool:
    """Tell whether what is called *name* is secret, as ``DB_PASSWORD``."""
    if not has_sign(name):
        return name.lower() == "auth"
    return _SECRET_NAME.fullmatch(name) is not None


def is_secret_option(word: str) -> bool:
    """Tell whether *word* is an option whose value follows as a word of its own."""
    return has_sign(word) and _WHOLE_OPTION.fullmatch(word) is not None


def scrub_text(text: str, mask: MaskText) -> str:
    """Return *text* with each secret in it replaced by what *mask* makes of it."""
    if not has_sign(text):
        return text
    text = _SELF_EVIDENT.sub(lambda match: mask(match.group()), text)
    text = _PAIR.sub(lambda match: _masked_pair(match, mask), text)
    for pattern in _NAMED:
        text = pattern.sub(lambda match: _masked_value(match, mask), text)
    return text


def _masked_pair(match: re.Match[str], mask: MaskText) -> str:
    kind = "yaml_" if match["key"] is None else ""
    if not is_secret_name(match[f"{kind}key"]):
        return match.group()
    start = match.group()[: match.start(f"{kind}value") - match.start()]
    return start + _masked_literal(match[f"{kind}value"], mask)


def _masked_value(match: re.Match[str], mask: MaskText) -> str:
    if match.groupdict().get("block") is not None:
        return match["name"] + mask(_unindented(match["block"]))
    start = match.group()[: match.start("value") - match.start()]
    return start + _masked_literal(match["value"], mask)


def _masked_literal(value: str, mask: MaskText) -> str:
    """Mask what is in the quotes of *value*, or all of it if it has none."""
    opener = re.match(r"""\\?["']""", value)
    if opener is None:
        return mask(value)
    quote_mark = opener.group()
    inner = value.removeprefix(quote_mark).removesuffix(quote_mark[-1])
    inner = inner.removesuffix("\\") if len(quote_mark) > 1 else inner
    return f"{quote_mark}{mask(inner)}{quote_mark}"


def _unindented(block: str) -> str:
    return "\n".join(line.strip() for line in block.splitlines()).strip()


def scrub_uri(uri: str, mask: MaskText) -> str:
    """Return *uri* with secrets in its query replaced; its path stays as it is.

    A parameter is secret by its name or by what its value looks like, and both may be
    percent-encoded.
    """
    path, question_mark, query = uri.partition("?")
    if not question_mark:
        return uri
    parts = [_scrub_parameter(part, mask) for part in query.split("&")]
    return f"{path}?{'&'.join(parts)}"


def _scrub_parameter(parameter: str, mask: MaskText) -> str:
    name, equals_sign, value = parameter.partition("=")
    if not equals_sign:
        name, value = "", parameter
    plain = unquote_plus(value, errors="surrogateescape")
    if is_secret_name(unquote(name)):
        scrubbed = mask(plain) if plain else plain
    else:
        scrubbed = scrub_text(plain, mask)
    if scrubbed == plain:
        return parameter
    return name + equals_sign + quote(scrubbed, safe="", errors="surrogateescape")
