"""Settings in environment variables, one a key.

A variable is ``AUDITRING_`` and the key's path in capitals: an underscore before each
word, two between the levels. ``maxSize`` is AUDITRING_MAX_SIZE, ``batch.maxWait``
AUDITRING_BATCH__MAX_WAIT. What stands in it is what would stand in the file, lists and
objects as YAML or JSON. An empty variable is as none.
"""

from collections.abc import Mapping

from ..documents.suggestion import unknown
from ..documents.tree import Node, Scalar, TextError
from ..errors import ConfigProblem
from .keys import KEYS, Key
from .text import SWITCHES, Origin, Reading

__all__ = ["CONFIG_VARIABLE", "read_environment", "take_text"]

PREFIX = "AUDITRING_"
CONFIG_VARIABLE = "AUDITRING_CONFIG"
"""Names the file of the configuration."""

# What building and testing this package looks at.
_OTHERS = {CONFIG_VARIABLE, *(PREFIX + name for name in ("CI", "DEBUG", "SANITIZE"))}
_VARIABLES = {key.variable: key for key in KEYS.values()}
# A block with but a truth value, as in a file: AUDITRING_MASKS=off.
_SWITCHES = {PREFIX + name.upper(): KEYS[f"{name}.enabled"] for name in SWITCHES}


def read_environment(environ: Mapping[str, str]) -> Reading:
    """Read the variables of this package in *environ*; unknown ones are warned of."""
    reading = Reading()
    for name in sorted(environ):
        text = environ[name]
        if not name.startswith(PREFIX) or name in _OTHERS or not text:
            continue
        key = _VARIABLES.get(name) or _SWITCHES.get(name)
        if key is None:
            message = unknown(name, _VARIABLES, "setting", repr(text))
            problem = ConfigProblem(name, None, "", message, "warning")
            reading.problems.append(problem)
            continue
        take_text(reading, key, text, Origin("environment", name))
    return reading


def take_text(reading: Reading, key: Key, text: str, origin: Origin) -> None:
    """Read the value of *key* from a text that isn't in a file."""
    try:
        node = _node_of_text(key, text)
    except TextError as error:
        reading.failed.add(key.path)
        reading.blame(origin, 0, key.path, f"{error.reason}, in {text!r}")
    else:
        reading.take(key, node, origin)


def _node_of_text(key: Key, text: str) -> Node:
    if key.type.is_text:
        return Scalar(1, text)
    # PyYAML is loaded where there is something to read. JSON is YAML, too.
    from ..documents.yamltext import read_yaml

    return read_yaml(text)
