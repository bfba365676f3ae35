"""kube-apiserver's flags: how they are read, what they mean, what can be wrong."""

from datetime import timedelta
from pathlib import Path

import pytest
from configs import texts_of
from hypothesis import given
from hypothesis import strategies as st

from auditring.config import KEYS, Config, ConfigError, load_config
from auditring.config.flags import FLAGS, Flag, read_flags
from auditring.config.keys import value_at

MIB = 1024**2
POLICY = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Metadata\n"
LOG = "--audit-log-path=audit.log"


def load(*flags: str) -> Config:
    return load_config(environ={}, flags=flags)


def refused(*flags: str) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        load(*flags)
    return texts_of(
        tuple(each for each in raised.value.problems if each.severity == "error")
    )


@pytest.fixture
def policy(tmp_path: Path) -> str:
    file = tmp_path / "policy.yaml"
    file.write_text(POLICY)
    return f"--audit-policy-file={file}"


def test_a_real_command_line_is_taken_as_it_is(policy: str) -> None:
    config = load(
        "kube-apiserver",
        "--advertise-address=10.0.0.1",
        "--etcd-servers",
        "https://127.0.0.1:2379",
        "--audit-log-path",
        "/var/log/kubernetes/audit.log",
        policy,
        "--audit-log-maxage=30",
        "--audit-log-maxbackup=10",
        "--audit-log-maxsize=200",
        "--audit-log-compress",
        "--v=2",
    )

    settings = config.settings
    assert settings.enabled
    assert settings.path == "/var/log/kubernetes/audit.log"
    assert settings.max_age == timedelta(days=30)
    assert settings.max_backups == 10
    assert settings.max_size == 200 * MIB
    assert settings.compress == "gzip"
    assert config.policy is not None
    assert config.warnings == ()


def test_defaults_are_those_of_kube_apiserver(policy: str) -> None:
    settings = load(LOG, policy).settings

    assert settings.max_age == timedelta(days=366)
    assert settings.max_backups == 100
    assert settings.max_size == 100 * MIB
    assert settings.mode == "blocking"
    assert settings.form == "json"
    assert (settings.batch.buffer_size, settings.batch.max_size) == (10_000, 1)
    assert not settings.truncate.enabled
    webhook = settings.webhook
    assert (webhook.mode, webhook.batch.max_size) == ("batch", 400)
    assert (webhook.batch.max_wait, webhook.batch.throttle_qps) == (30.0, 10.0)
    assert (webhook.batch.throttle_burst, webhook.initial_backoff) == (15, 10.0)


@pytest.mark.parametrize(
    "flag", [each for each in FLAGS.values() if each.key and each.default]
)
def test_the_default_in_the_table_is_the_one_that_holds(flag: Flag) -> None:
    used = {"path", "webhook.configFile"}
    found = read_flags([f"{flag.name}={flag.default}"], used).reading

    assert found.problems == []
    assert found.settings[flag.key].value == value_at(
        load(LOG).settings, KEYS[flag.key]
    )


def test_zero_is_no_limit_and_no_rotation(policy: str) -> None:
    zeros = ("maxage", "maxbackup", "maxsize")
    settings = load(LOG, policy, *(f"--audit-log-{name}=0" for name in zeros)).settings

    assert (settings.max_age, settings.max_backups) == (None, 0)
    assert settings.max_size == 0  # never


def test_standard_output_is_not_rotated_and_that_is_no_mistake(policy: str) -> None:
    assert load("--audit-log-path=-", policy).warnings == ()


def test_a_log_without_a_policy_records_nothing() -> None:
    config = load(LOG)

    assert config.policy is None
    assert "NOTHING IS RECORDED" in texts_of(config.warnings)[0]


def test_a_policy_without_a_log_records_nothing(policy: str) -> None:
    config = load(policy)

    assert config.policy is None
    assert "nothing is recorded" in texts_of(config.warnings)[0]


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (["--audit-log-compress"], "gzip"),
        (["--audit-log-compress=T"], "gzip"),
        (["--audit-log-compress=0"], None),
        (["--audit_log_compress=true"], "gzip"),
        (["--audit-log-compress", "--audit-log-compress=false"], None),
        (["--", "--audit-log-compress"], None),
    ],
)
def test_truth_values_are_read_as_go_does(given: list[str], wanted: object) -> None:
    assert load(LOG, *given).settings.compress == wanted


@pytest.mark.parametrize(
    ("text", "days"), [("10", 10), ("0x10", 16), ("010", 8), ("+3", 3)]
)
def test_numbers_are_read_as_go_does(text: str, days: int) -> None:
    age = load(LOG, "--audit-log-maxage", text).settings.max_age

    assert age == timedelta(days=days)


def test_modes_batches_and_truncation_are_taken(policy: str) -> None:
    settings = load(
        LOG,
        policy,
        "--audit-log-mode=batch",
        "--audit-log-batch-buffer-size=5",
        "--audit-log-batch-max-size=4",
        "--audit-log-batch-max-wait=1m30s",
        "--audit-log-batch-throttle-enable",
        "--audit-log-batch-throttle-qps=2.5",
        "--audit-log-batch-throttle-burst=3",
        "--audit-log-truncate-enabled=true",
        "--audit-log-truncate-max-event-size=1000",
        "--audit-log-truncate-max-batch-size=2000",
        "--audit-log-format=legacy",
        "--audit-log-version=audit.k8s.io/v1",
    ).settings

    assert settings.mode == "batch"
    assert (settings.batch.buffer_size, settings.batch.max_size) == (5, 4)
    assert settings.batch.max_wait == 90.0
    assert settings.batch.throttle_enable
    assert (settings.batch.throttle_qps, settings.batch.throttle_burst) == (2.5, 3)
    assert settings.truncate.enabled
    assert settings.truncate.max_event_size == 1000
    assert settings.truncate.max_batch_size == 2000
    assert settings.form == "legacy"


def test_other_arguments_are_left_to_others() -> None:
    found = read_flags(
        ["file", "--x", "y", "--audit-log-mode", "batch", "-v", "--", LOG]
    )

    assert found.rest == ["file", "--x", "y", "-v", "--", LOG]


@pytest.mark.parametrize(
    ("flag", "told"),
    [
        ("--audit-log-maxage=-1", "maxAge: expected an integer of at least 0, got -1"),
        ("--audit-log-maxsize=5Mi", "maxSize: expected an integer, got '5Mi'"),
        ("--audit-log-maxbackup=", "maxBackups: expected an integer, got ''"),
        (
            "--audit-log-mode=async",
            "mode: expected one of blocking, blocking-strict, batch,"
            " got the string 'async'",
        ),
        (
            "--audit-log-format=yaml",
            "form: expected one of json, bare, legacy, got the string 'yaml'",
        ),
        ("--audit-log-version=v1", "expected audit.k8s.io/v1, got 'v1'"),
        ("--audit-log-compress=maybe", "compress: expected true or false, got 'maybe'"),
        (
            "--audit-log-batch-max-wait=5",
            "batch.maxWait: expected a duration such as 30s, got '5'",
        ),
        (
            "--audit-log-batch-buffer-size=0",
            "batch.bufferSize: expected an integer of at least 1, got the number 0",
        ),
    ],
)
def test_a_wrong_flag_is_told_by_its_name_and_value(flag: str, told: str) -> None:
    name = flag.partition("=")[0]
    batch = ["--audit-log-mode=batch"] if "-batch-" in flag else []

    assert refused(LOG, *batch, flag) == [f"{name}: {told}"]


def test_an_unknown_flag_is_told_with_the_one_that_may_be_meant() -> None:
    assert refused(LOG, "--audit-log-max-age=3") == [
        "--audit-log-max-age: no such flag, got '3'; did you mean --audit-log-maxage?"
    ]


def test_a_flag_without_its_value_is_told() -> None:
    assert refused("--audit-log-path") == [
        "--audit-log-path: path: expected a value after it, got none"
    ]


def test_what_is_wrong_for_a_webhook_that_is_not_asked_for_does_not_matter() -> None:
    assert load(LOG, "--audit-webhook-batch-max-size=0", "--audit-webhook-mode=x")


def test_what_is_wrong_for_batches_that_are_not_made_does_not_matter() -> None:
    assert load(LOG, "--audit-log-batch-buffer-size=0").settings.mode == "blocking"


def test_a_value_of_another_type_matters_in_any_case() -> None:
    assert refused("--audit-webhook-batch-max-size=many") == [
        "--audit-webhook-batch-max-size: webhook.batch.maxSize: expected an integer,"
        " got 'many'"
    ]


def test_all_that_is_wrong_with_a_webhook_is_told() -> None:
    told = refused(
        "--audit-webhook-config-file=hook.yaml",
        "--audit-webhook-batch-throttle-qps=0",
        "--audit-webhook-batch-max-size=0",
    )

    assert [each.split(": ")[1] for each in told] == [
        "webhook.batch.maxSize",
        "webhook.batch.throttleQPS",
        "webhook.configFile",
    ]


def test_a_webhook_beside_a_log_is_only_warned_of() -> None:
    config = load(LOG, "--audit-webhook-config-file=hook.yaml")

    assert str(config.warnings[-1]) == (
        "--audit-webhook-config-file: warning: webhook.configFile: 'hook.yaml': this"
        " version sends no webhooks; events are in the log"
    )


def test_a_webhook_without_a_log_is_refused() -> None:
    assert refused("--audit-webhook-config-file=hook.yaml") == [
        "--audit-webhook-config-file: webhook.configFile: 'hook.yaml': this version"
        " sends no webhooks"
    ]


def test_flags_of_kubernetes_keep_loft_defaults_beside_a_file() -> None:
    given = {"enabled": True, "path": "a.log", "level": 2}

    settings = load_config(given, environ={}, flags=["--audit-log-compress"]).settings

    assert (settings.max_age, settings.max_backups) == (None, 0)
    assert settings.compress == "gzip"


@given(
    st.lists(
        st.sampled_from([*FLAGS, "--audit-x", "--", "-x", "file"])
        | st.builds("{}={}".format, st.sampled_from([*FLAGS]), st.text(max_size=5))
        | st.text(max_size=5)
    )
)
def test_any_command_line_is_loaded_or_refused(arguments: list[str]) -> None:
    try:
        config: Config | ConfigError = load(*arguments)
    except ConfigError as error:
        config = error

    problems = config.warnings if isinstance(config, Config) else config.problems
    assert all(str(each).isprintable() for each in problems)
