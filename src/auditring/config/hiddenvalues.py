"""The door that every message about a configuration goes through: it shows no secret.

What reads values needn't know which of them are secret: a password may stand beside the
block it belongs to, in the query of an address, or under a name that nobody knows.
"""

import re
from dataclasses import replace

from ..errors import ConfigProblem
from ..redact.secrettext import is_secret_name, scrub_text

__all__ = ["hidden_problem", "hidden_text"]

_HIDDEN = "***"
# What Go's drivers take: user:password@tcp(host)/name, without a scheme.
_USER_INFO = re.compile(
    r"""(?<![^\s'"/=])(?!user:password@)[^\s:/@'"=(]{1,128}:(?!//)[^\s@'"]{1,256}"""
    r"""@(?=[\w\[(])"""
)
_GOT = re.compile(
    r"\b(got|in|says) (?!none\b).*?(?=; did you mean|\Z| beside it)", re.DOTALL
)


def hidden_text(text: str) -> str:
    """Return *text* without what looks like a secret in it."""
    return scrub_text(_USER_INFO.sub(f"{_HIDDEN}@", text), _hide)


def _hide(secret: str) -> str:
    # What stands for it in a sample isn't one.
    return secret if secret == "password" else _HIDDEN


def hidden_problem(problem: ConfigProblem) -> ConfigProblem:
    """Return *problem* without a value that is secret by its name or by its look."""
    message = problem.message
    if _is_secret(problem):
        message = _GOT.sub(r"\1 a value that isn't shown", message)
    message = hidden_text(message)
    return problem if message == problem.message else replace(problem, message=message)


def _is_secret(problem: ConfigProblem) -> bool:
    names = [re.sub(r"\[\d+\]", "", name) for name in problem.key.split(".")]
    if problem.line is None:  # a variable or a flag
        names.append(problem.place)
    return any(map(is_secret_name, names))
