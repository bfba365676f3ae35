"""Secrets among the words of a command, each of them a text of its own."""

import re

from .secrettext import is_secret_option

__all__ = ["OPTION_SIGNS", "Arguments"]

# -p is a port or a path to most programs, and a password to some.
_NO_PASSWORD = re.compile(r"[\d:,.-]{0,20}(?:/(?:tcp|udp))?|[./~-].*", re.DOTALL)
_USER = re.compile(r"[^\s:/@]{1,256}:(?!//)")
# Programs that take a password in the same word, -pSECRET, and what they begin with.
_JOINED = ("mysql", "mariadb", "sshpass")
# Programs whose -p says something else.
_OTHERS = frozenset(("mkdir", "kubectl", "tar", "cp", "ps", "rsync", "git", "grep"))
_PASSWORD_OPTION = "-p"
_USER_OPTIONS = ("-u", "--user", "--proxy-user", "-U")

OPTION_SIGNS = (b'"-p', b'"-u"', b'"-U"', b'"--user"', b'"--proxy-user"')
"""What a list of arguments as JSON holds, where one of them may be secret."""


class Arguments:
    """The words of one command, taken in turn."""

    __slots__ = ("_is_other", "_joins", "_option")

    def __init__(self) -> None:
        self._option = ""
        self._joins = False
        self._is_other = False

    def secret_start(self, word: str) -> int | None:
        """Return where in *word* the secret begins that it is; None if it is none."""
        option, self._option = self._option, ""
        program = word.rpartition("/")[2]
        if program.startswith(_JOINED):
            self._joins = True
        elif program in _OTHERS:
            self._is_other = True
        if option and _is_value(option, word):
            if option in _USER_OPTIONS:
                user = _USER.match(word)
                return user.end() if user else None
            return 0
        if self._joins and word.startswith("-p") and len(word) > 2:
            return 2
        if word in _USER_OPTIONS or (word == _PASSWORD_OPTION and not self._is_other):
            self._option = word
        elif word.startswith("-") and is_secret_option(word):
            self._option = "--"
        return None


def _is_value(option: str, word: str) -> bool:
    if option == "--" or option in _USER_OPTIONS:
        return not word.startswith("--")
    return _NO_PASSWORD.fullmatch(word) is None
