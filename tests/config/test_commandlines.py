"""A kube-apiserver's audit flags are found wherever somebody wrote them down."""

import subprocess
import sys
from pathlib import Path

import pytest

from auditring.config import ConfigError, load_config, open_auditor

POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
rules:
- level: Metadata
"""
COMMAND_LINE = """\
kube-apiserver --advertise-address=10.0.0.1 \\
  --secure-port 6443 \\
  --audit-log-path={folder}/audit.log --audit-log-maxage 30 \\
  --audit-policy-file={folder}/policy.yaml
"""
POD = """\
apiVersion: v1
kind: Pod
metadata: {{name: kube-apiserver, namespace: kube-system}}
spec:
  containers:
  - name: kube-apiserver
    image: registry.k8s.io/kube-apiserver:v1.30.0
    command:
    - kube-apiserver
    - --advertise-address=10.0.0.1
    - --audit-log-maxage=30
    - --audit-log-path={folder}/audit.log
    - --audit-policy-file={folder}/policy.yaml
    - --tls-private-key-file=/etc/kubernetes/pki/apiserver.key
"""
KUBEADM = """\
kind: ClusterConfiguration
apiServer:
  extraArgs:
    audit-log-path: {folder}/audit.log
    audit-log-maxage: 30
    audit-policy-file: {folder}/policy.yaml
"""
KUBEADM_OF_PAIRS = """\
kind: ClusterConfiguration
apiServer:
  extraArgs:
  - {{name: audit-log-path, value: {folder}/audit.log}}
  - {{name: audit-log-maxage, value: "30"}}
  - {{name: audit-policy-file, value: {folder}/policy.yaml}}
"""
K3S = """\
kube-apiserver-arg:
- audit-log-path={folder}/audit.log
- audit-log-maxage=30
- audit-policy-file={folder}/policy.yaml
"""
VCLUSTER = """\
controlPlane:
  distro:
    k8s:
      apiServer:
        extraArgs:
        - --audit-log-path={folder}/audit.log
        - --audit-log-maxage=30
        - --audit-policy-file={folder}/policy.yaml
"""
KIND = """\
kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
nodes:
- role: control-plane
  kubeadmConfigPatches:
  - |
    kind: ClusterConfiguration
    apiServer:
      extraArgs:
        audit-log-path: {folder}/audit.log
        audit-log-maxage: "30"
        audit-policy-file: {folder}/policy.yaml
"""
KWOK = """\
kind: KwokctlConfiguration
componentsPatches:
- name: kube-apiserver
  extraArgs:
  - {{key: audit-log-path, value: {folder}/audit.log}}
  - {{key: audit-log-maxage, value: "30"}}
  - {{key: audit-policy-file, value: {folder}/policy.yaml}}
"""
CASES = {
    "a command line": COMMAND_LINE,
    "a Pod": POD,
    "kubeadm": KUBEADM,
    "kubeadm, pairs": KUBEADM_OF_PAIRS,
    "k3s": K3S,
    "kind": KIND,
    "kwok": KWOK,
    "vCluster": VCLUSTER,
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "policy.yaml").write_text(POLICY)
    return tmp_path


def check(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "auditring", "config", "check", "--no-env"]
    return subprocess.run(
        [*command, *arguments], capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize("text", CASES.values(), ids=CASES)
def test_the_flags_are_taken_from_where_they_stand(folder: Path, text: str) -> None:
    file = folder / "given"
    file.write_text(text.format(folder=folder))

    config = load_config(file, environ={})

    assert config.settings.path == f"{folder}/audit.log"
    assert config.settings.max_age is not None
    assert config.settings.max_age.days == 30
    assert config.settings.max_backups == 100  # kube-apiserver's default
    open_auditor(file, environ={}).close()
    assert (folder / "audit.log").exists()


def test_a_policy_that_is_on_another_machine_is_a_warning_of_a_check(
    folder: Path,
) -> None:
    file = folder / "pod.yaml"
    file.write_text(POD.format(folder="/nowhere"))

    done = check(str(file))

    assert done.returncode == 0
    assert "warning: policyFile: can't read" in done.stdout
    assert done.stdout.endswith(
        "events by /nowhere/policy.yaml, which isn't here, to /nowhere/audit.log,"
        " rotated at 100 MiB, kept: 100 backups and 30 days, secrets masked\n"
    )
    with pytest.raises(ConfigError, match="can't read"):
        load_config(file, environ={})


def test_a_whole_command_line_may_be_given_as_arguments(folder: Path) -> None:
    words = COMMAND_LINE.format(folder=folder).replace("\\\n", " ").split()

    whole, rest = check(*words), check(*words[1:])

    assert whole.returncode == rest.returncode == 0
    assert whole.stdout == rest.stdout
    assert whole.stdout.startswith("events by 1 rule (policyFile ")


def test_what_is_nearly_an_option_of_the_command_is_refused(folder: Path) -> None:
    done = check("--no-evn", f"--audit-log-path={folder}/a.log")

    assert done.returncode == 2
    assert "No such option: --no-evn" in done.stderr


@pytest.mark.parametrize(
    ("flag", "missing"),
    [
        ("--audit-log-path=/x", "--audit-policy-file"),
        ("--audit-log-maxage=3", "--audit-log-path"),
    ],
)
def test_the_flag_that_is_missing_is_named(flag: str, missing: str) -> None:
    assert f"{missing} isn't given" in check(flag).stdout


def test_values_of_the_chart_s_sidecar_alone_record_nothing(folder: Path) -> None:
    file = folder / "values.yaml"
    file.write_text("audit: {enableSideCar: true, persistence: {enabled: false}}\n")

    config = load_config(file, environ={})

    assert config.policy is None
    assert [each.severity for each in config.warnings] == ["warning"]
