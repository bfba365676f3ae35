"""No message about a configuration shows a secret, whatever way it takes.

The secret stands where people put one by mistake: beside the block, below it under an
unknown name, in an address of any shape, in a variable, a flag, a list, a policy.
"""

import pytest

from auditring.config import ConfigError, parse_config
from auditring.config.hiddenvalues import hidden_text

SECRET = "Zqhunter2"
HEAD = "audit:\n  enabled: true\n  path: /x/audit.log\n  level: 1\n"
TEXTS = [
    HEAD + f"password: {SECRET}\n",
    HEAD + f"dataStoreEndpoint: mysql://u:{SECRET}@h/d\n",
    HEAD + f"  password: {SECRET}\n",
    HEAD + f"  dbPassword: [{SECRET}]\n",
    HEAD + f"  batch: {{token: {SECRET}}}\n",
    HEAD + f"  maxSize: {{password: {SECRET}}}\n",
    HEAD + f"  maxSize: 'https://h/?token={SECRET}'\n",
    HEAD + f"  maxAge: u:{SECRET}@tcp(h:3306)/db\n",
    HEAD + f"  dataStoreEndpoint: u:{SECRET}@tcp(h:3306)/db\n",
    HEAD + f"  dataStoreEndpoint: mysl://u:{SECRET}@h/d\n",
    HEAD + f"  dataStoreEndpoint: 'mysl://h/d?password={SECRET}'\n",
    HEAD + f"  mode: 'Bearer {SECRET}'\n",
    HEAD + f"  policy: {{rules: [{{level: Metadata, password: {SECRET}}}]}}\n",
    HEAD + f"  policy: {{rules: [{{level: 'token={SECRET}'}}]}}\n",
    HEAD + f"  masks: {{secretKey: {SECRET}}}\n",
]


@pytest.mark.parametrize("text", TEXTS)
def test_a_file_s_secrets_are_in_no_message(text: str) -> None:
    told = _told(text)

    assert SECRET not in told


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AUDITRING_PASSWORD", SECRET),
        ("AUDITRING_DATA_STORE_ENDPOINT", f"mysl://u:{SECRET}@h/d"),
        ("AUDITRING_MAX_SIZE", f"token={SECRET}"),
        ("AUDITRING_POLICY", f"password: [{SECRET}"),
    ],
)
def test_a_variable_s_secrets_are_in_no_message(name: str, value: str) -> None:
    assert SECRET not in _told(HEAD, environ={name: value})


@pytest.mark.parametrize(
    "flag", [f"--audit-log-token={SECRET}", f"--audit-log-maxage=password={SECRET}"]
)
def test_a_flag_s_secrets_are_in_no_message(flag: str) -> None:
    assert SECRET not in _told(HEAD, flags=[flag])


def _told(
    text: str, environ: dict[str, str] | None = None, flags: list[str] | None = None
) -> str:
    try:
        config = parse_config(
            text, environ=environ or {}, flags=flags or (), is_check=True
        )
    except ConfigError as error:
        problems = error.problems
        told = str(error)
    else:
        problems, told = config.warnings, ""
    return "\n".join([told, *map(str, problems)])


@pytest.mark.parametrize(
    "text",
    [
        "expected megabytes or a size such as 512Ki, got the string 'x'",
        "mysql://user:password@tcp(host:port)/name",
        "a.yaml:3: 12:30:45, at noon@work",
        "no such key, got the string 'audit.log'; did you mean path?",
    ],
)
def test_what_is_no_secret_is_shown(text: str) -> None:
    assert hidden_text(text) == text
