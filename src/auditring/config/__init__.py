"""Audit as a configuration file says: Loft's ``audit:`` block, or Kubernetes' flags.

::

    from auditring.config import open_auditor

    auditor = open_auditor("audit.yaml", watch=1.0)
    app = AuditMiddleware(app, auditor)

The reference of all keys is docs/reference/configuration.md. `keys` has them, `text`,
`environment`, `flags` and `from_mapping` are where they come from, `loading` puts
them together and judges; `assembly` and `auditor` make of them what runs.
"""

from typing import TYPE_CHECKING

from .._native.door import open_late

__all__ = [
    "KEYS",
    "Config",
    "ConfigError",
    "ConfigProblem",
    "ConfiguredAuditor",
    "Settings",
    "Source",
    "load_config",
    "open_auditor",
    "parse_config",
]

if TYPE_CHECKING:
    from ..errors import ConfigError, ConfigProblem
    from .auditor import ConfiguredAuditor
    from .keys import KEYS, Settings
    from .loading import Config, Source, load_config, parse_config
    from .open import open_auditor

# Who uses one module of the family needn't load all.
_LATER = {
    "KEYS": ".keys",
    "Config": ".loading",
    "ConfigError": "..errors",
    "ConfigProblem": "..errors",
    "ConfiguredAuditor": ".auditor",
    "Settings": ".keys",
    "Source": ".loading",
    "load_config": ".loading",
    "open_auditor": ".open",
    "parse_config": ".loading",
}
__getattr__, __dir__ = open_late(__name__, _LATER)
