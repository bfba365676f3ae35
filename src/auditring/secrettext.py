"""Find secrets in names and in free text, by what they look like.

Every pattern takes time in proportion to the text: the text is whatever a client sends.
"""

import re
from collections.abc import Callable
from urllib.parse import quote, unquote, unquote_plus

__all__ = [
    "is_secret_name",
    "is_secret_option",
    "may_hold_secret",
    "scrub_text",
    "scrub_uri",
]

MaskText = Callable[[str], str]

# A name is secret-like by its last word: password, DB_PASSWORD and dbPassword are, and
# passwordPolicy isn't. Names are compared without - _ . and in lower case.
_LAST_WORDS = (
    r"pass(?:word|wd|phrase)?|pwd|passwords|secret|token|credentials?|authorization"
    r"|cookie|(?:api|access|secret|private|signing|encryption|client|tls|ca|ssh|shared)"
    r"key(?:data)?|dockerconfigjson|dockercfg|connectionstring|kubeconfig|bearer"
)
_SECRET_NAME = re.compile(rf"auth|.*(?:{_LAST_WORDS})", re.DOTALL)
_JOINTS = re.compile(r"[-_.\s]")

# The same words before a colon or an equals sign.
_WORDS_IN_TEXT = (
    r"pass(?:word|wd|phrase)?|pwd|secret|token|credentials?|authorization|cookie"
    r"|(?:api|access|secret|private|signing|encryption|client|tls|ca|ssh|shared)"
    r"[-_.]?key(?:[-_.]?data)?|connection[-_.]?string"
)
_ASSIGNED = re.compile(
    rf"""(?P<name>(?:{_WORDS_IN_TEXT})\\?["']?\s{{0,8}}[:=]\s{{0,8}})
    (?:
        [|>][-+0-9]{{0,2}}[ \t]{{0,8}}(?P<block>(?:\r?\n(?:[ \t]+[^\n]*|(?=\r?\n)))+)
      | (?:(?:bearer|basic|digest|negotiate)\s{{1,8}})?
        (?P<value>\\?"(?:[^"\\]|\\.)*"?|'[^']*'?|[^\s"',;&]+)
    )""",
    re.IGNORECASE | re.VERBOSE,
)
_OPTION = re.compile(
    rf"(?P<name>(?<!\S)--?[a-z-]{{0,40}}(?:{_WORDS_IN_TEXT})\s{{1,8}})(?P<value>[^\s-]\S*)",
    re.IGNORECASE,
)
_WHOLE_OPTION = re.compile(rf"--?[\w-]*(?:{_WORDS_IN_TEXT})", re.IGNORECASE)
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
_NAMED = (_ASSIGNED, _OPTION, _SCHEME, _USER_INFO)

# Without any of these in its lower case, nothing above matches a text.
_SIGNS = (
    *("pass", "pwd", "secret", "token", "credential", "authoriz", "cookie", "key"),
    *("connection", "kubeconfig", "dockerc", "bearer", "basic", "eyj", "://"),
    *("gho_", "ghp_", "ghs_", "ghu_", "ghr_", "github_pat_", "glpat-", "xox", "sk-"),
)
_BOOTSTRAP_TOKEN = r"[a-z0-9]{6}\.[a-z0-9]{16}"
_SIGN = re.compile("|".join([*map(re.escape, _SIGNS), _BOOTSTRAP_TOKEN]))
# In a body also: a letter that is spelled as an escape, and a patch, which sets values
# without their names.
_BODY_SIGNS = (b"\\u", b"\\/", b'"op"', b'"auth"', *(sign.encode() for sign in _SIGNS))
_BOOTSTRAP_TOKEN_IN_BODY = re.compile(_BOOTSTRAP_TOKEN.encode())


def is_secret_name(name: str) -> bool:
    """Tell whether what is called *name* is secret, as ``DB_PASSWORD``."""
    return _SECRET_NAME.fullmatch(_JOINTS.sub("", name).lower()) is not None


def is_secret_option(word: str) -> bool:
    """Tell whether *word* is an option whose value follows as a word of its own."""
    return _WHOLE_OPTION.fullmatch(word) is not None


def may_hold_secret(body: bytes) -> bool:
    """Tell whether anything here could match in the JSON text *body*.

    Much faster than trying, and right for most bodies.
    """
    # One search for each is faster here than one for all.
    lower = body.lower()
    for sign in _BODY_SIGNS:
        if sign in lower:
            return True
    return _BOOTSTRAP_TOKEN_IN_BODY.search(body) is not None


def scrub_text(text: str, mask: MaskText) -> str:
    """Return *text* with each secret in it replaced by what *mask* makes of it."""
    if _SIGN.search(text.lower()) is None:
        return text
    text = _SELF_EVIDENT.sub(lambda match: mask(match.group()), text)
    for pattern in _NAMED:
        text = pattern.sub(lambda match: _masked_value(match, mask), text)
    return text


def _masked_value(match: re.Match[str], mask: MaskText) -> str:
    groups = match.groupdict()
    if groups.get("block") is not None:
        return match["name"] + mask(_unindented(match["block"]))
    value = match["value"]
    start = match.group()[: match.start("value") - match.start()]
    opener = re.match(r"""\\?["']""", value)
    if opener is None:
        return start + mask(value)
    quote_mark = opener.group()
    inner = value.removeprefix(quote_mark).removesuffix(quote_mark[-1])
    inner = inner.removesuffix("\\") if len(quote_mark) > 1 else inner
    return f"{start}{quote_mark}{mask(inner)}{quote_mark}"


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
