"""A configuration file with its log, and what an auditor makes of a request."""

from pathlib import Path

from auditring.config import ConfiguredAuditor, open_auditor
from auditring.event import Level, UserInfo
from auditring.request.attributes import Attributes

TEXT = """\
audit:
  enabled: true
  path: {path}
  level: {level}
"""


def request_of(method: str = "GET") -> Attributes:
    target = "/api/v1/namespaces/shop/configmaps/prices"
    return Attributes.from_request(method, target, user=UserInfo("alice"))


class Site:
    """A configuration file with its log."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "audit.yaml"
        self.log = folder / "audit.log"
        self.write()

    def write(self, level: object = 2, more: str = "") -> None:
        text = TEXT.format(path=self.log, level=level)
        self.replace(text + more)

    def replace(self, text: str) -> None:
        """Put a whole new file in the place of the one there."""
        new = self.file.with_suffix(".new")
        new.write_text(text)
        new.replace(self.file)

    def open(self, **options: float) -> ConfiguredAuditor:
        return open_auditor(self.file, environ={}, **options)


def level_of(auditor: ConfiguredAuditor, method: str = "GET") -> Level:
    return auditor.begin(request_of(method)).level
