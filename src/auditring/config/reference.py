"""The reference of all keys and flags as Markdown, made from their tables."""

import json
from collections.abc import Iterable, Iterator

from .flags import FLAGS
from .keys import KEYS, Key

__all__ = ["config_reference"]

_HEAD = """\
# Configuration

<!-- Made by `auditring config reference`, which test_configschema.py compares. -->

A configuration is a file of YAML or JSON, or a mapping in Python. It holds the `audit:`
block of Loft's configuration, with more keys; the block may also stand alone, without
`audit:` above it, or in the values of Loft's Helm chart, below `config.audit`.

```yaml
audit:
  enabled: true
  path: /var/log/shop/audit.log
  level: 2
  maxSize: 100
  maxBackups: 10
  compress: true
```

```python
from auditring.config import open_auditor

auditor = open_auditor("audit.yaml", watch=1.0)
```

A flag wins over an environment variable, a variable over the file, the file over the
defaults. `auditring config check FILE` tells every mistake with its line,
`auditring config show FILE` what holds and where each value comes from.
`schema/auditring-config.schema.json` is for editors.

## How values are written

- **Sizes**: megabytes of 1,048,576 bytes, as Loft has them, or a size with a unit as
  Kubernetes has it: `512Ki`, `100Mi`, `1Gi`, `1500k`. Keys that are said to be in bytes
  take bytes instead of megabytes.
- **Ages**: days (`maxAge`) or hours (`dataStoreTTL`), or a duration.
- **Durations**: as Go and Kubernetes write them: `500ms`, `30s`, `1h30m`.
- `null`, and an empty text, is as if the key weren't there.
- Relative names of files (`policyFile`, `masks.keyFile`, `dataStoreCAFile`) are looked
  for beside the configuration if that names them; `path` and `stateDir` are relative to
  the working directory.
- What a name of a file leads to is a regular file of 16 MiB at most; a FIFO, a socket
  or a device is an error.

## What keys mean together

| what is said | what it means |
|---|---|
| `enabled: false` | nothing is recorded; what is wrong with other keys is a warning |
| neither `level` nor rules | nothing is recorded, with a warning; with \
`compat: platform` level 1 holds |
| `level` and rules | the rules hold, with a warning; `config check` calls it an error |
| `policy.omitStages` without rules | is added to the level; without a level an error |
| `policy.rules: []` | as if the key weren't there |
| `policyFile` with `level` or rules | an error |
| `maxSize: 0` | 100 megabytes; kube-apiserver's `--audit-log-maxsize=0`: no rotation |
| `maxAge: 0`, `maxBackups: 0` | every backup is kept |
| `dataStoreTTL: 0` | an error; `null` is for ever |
| `path: -` with keys of rotation | they are ignored, with a warning |
| `ha: true` | an error without a database on the network |
| no `masks` | the built-in rules mask secrets; `masks: off` leaves all as it is |

## Keys

"Loft": Loft has the key, too. "Restart": a running auditor goes on with the value that
it began with, and says so; all other keys change while it runs.
"""

_RELOADING = """
## Changes while a program runs

`open_auditor(source, watch=1.0)` looks after the configuration's file, the policy's and
the mask key's in a thread, once a second. Files that are written in place, replaced, or
swapped by a symbolic link as in a Kubernetes ConfigMap are all noticed, once their
content holds still. `auditor.reload_on(signal.SIGHUP)` has everything loaded again on a
signal, `auditor.refresh()` at once.

A request is decided once, when it comes. It keeps that policy, those masks and those
backends through all its stages; those that come later have the new ones. Nothing is
lost, recorded twice or mixed.

A configuration that is wrong changes nothing. That is told in the logger
`auditring.config`, in `auditor.last_error`, and in the metrics
`auditring_config_reloads_total{result="refused"}` and
`auditring_config_last_reload_successful`. An empty file counts as wrong: only
`enabled: false` ends auditing. `auditor.held_back` has the keys that take a restart.

## Environment variables

`AUDITRING_` and the key in capitals, with `_` before each word and `__` between levels:
`AUDITRING_MAX_SIZE=200`, `AUDITRING_BATCH__MAX_WAIT=5s`. The value is what would stand
in the file; lists and objects are YAML or JSON. An empty variable is as none.
`AUDITRING_CONFIG` names the file where a program names none.
"""

_FLAGS = """
## Flags of kube-apiserver

`open_auditor(flags=sys.argv[1:])`, `auditring config check` and `show` take them, with
a file or without. Without one, kube-apiserver's defaults hold, of which two aren't
Loft's: backups are kept for 366 days, and 100 of them; and a log's path is what turns
auditing on. Values of a backend that isn't used aren't checked, but for their types.
There is no webhook in this version: `--audit-webhook-config-file` is an error.

| flag | key | default |
|---|---|---|
"""


def config_reference() -> str:
    """Return docs/reference/configuration.md."""
    parts = [_HEAD, *_sections(KEYS.values()), _RELOADING, _variables(), _FLAGS]
    rows = [
        f"| `{flag.name}` | {f'`{flag.key}`' if flag.key else 'only that value'}"
        f" | {f'`{flag.default}`' if flag.default else ''} |\n"
        for flag in FLAGS.values()
    ]
    return "".join([*parts, *rows])


def _sections(keys: Iterable[Key]) -> Iterator[str]:
    yield "\n| key | takes | default | | says |\n|---|---|---|---|---|\n"
    for key in keys:
        marks = ["Loft"] * key.is_loft + ["Restart"] * key.is_fixed
        yield (
            f"| `{key.path}` | {_cell(key.type.what)} | `{_default(key)}`"
            f" | {', '.join(marks)} | {_cell(key.text)} |\n"
        )


def _variables() -> str:
    rows = [f"| `{key.path}` | `{key.variable}` |\n" for key in KEYS.values()]
    return "".join(["\n| key | variable |\n|---|---|\n", *rows])


def _default(key: Key) -> str:
    dumped = key.type.dump(key.default)
    return dumped if isinstance(dumped, str) else json.dumps(dumped)


def _cell(text: str) -> str:
    return text.replace("|", r"\|")
