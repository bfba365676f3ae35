from collections.abc import Mapping
from typing import Any

def headers_of(environ: Mapping[str, Any]) -> list[tuple[str, str]]: ...
