"""``auditring policy ...`` as processes of their own: what they print, how they end."""

import gzip
import json
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
import zstandard

from auditring.cli import main
from auditring.policy import PRESETS, preset_text

COMMAND = [sys.executable, "-m", "auditring", "policy"]

GOOD = """\
apiVersion: audit.k8s.io/v1
kind: Policy
rules:
- level: None
  users: [bob]
- level: Metadata
  verbs: [get]
  omitStages: [RequestReceived]
"""
BAD = """\
apiVersion: audit.k8s.io/v1
kind: Policy
rules:
- users: [bob]
  nonResourceURLs: [x]
- level: All
"""
WARNED = f"{GOOD}  verb: [list]\n"
WARNING = "warned.yaml:9: warning: rules[1].verb: no such field; is it verbs?\n"
REQUESTS = """\
{"method": "GET", "url": "/api/v1/pods/p", "user": {"name": "bob", "groups": []}}

{"method": "GET", "url": "/version", "user": null}
{"method": "PUT", "url": "/api/v1/nodes/n", "user": {"name": "alice", "groups": []}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the policies above."""
    for name, text in {"good": GOOD, "bad": BAD, "warned": WARNED}.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    (tmp_path / "requests.jsonl").write_text(REQUESTS)
    return tmp_path


def run(
    folder: Path, *arguments: str, data: str = ""
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=folder,
        input=data,
        capture_output=True,
        text=True,
        timeout=60,
    )


SUM = (
    "good.yaml: Kubernetes takes it: 2 rules (1 None, 1 Metadata);"
    " a request that meets none isn't recorded\n"
)


def test_check_says_of_a_good_policy_what_it_comes_to(folder: Path) -> None:
    done = run(folder, "check", "good.yaml")

    assert (done.returncode, done.stdout, done.stderr) == (0, SUM, "")


def test_check_tells_every_error_with_file_and_line(folder: Path) -> None:
    done = run(folder, "check", "bad.yaml", "good.yaml")

    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "bad.yaml:4: rules[0].level: Required value",
        'bad.yaml:5: rules[0].nonResourceURLs[0]: Invalid value: "x":'
        " non-resource URL rules must begin with a '/' character",
        'bad.yaml:6: rules[1].level: Unsupported value: "All": supported values:'
        ' "None", "Metadata", "Request", "RequestResponse"',
        "bad.yaml: Kubernetes refuses it; 3 errors",
        SUM.rstrip(),
        "2 files, 1 of them refused",
    ]


def test_check_marks_what_kubernetes_only_warns_of(folder: Path) -> None:
    done = run(folder, "check", "warned.yaml")

    assert done.returncode == 0
    assert done.stdout.splitlines() == [
        f"{WARNING.rstrip()}; it is ignored, so the rule takes every get",
        f"{SUM.rstrip().replace('good', 'warned')}; 1 warning",
    ]


def test_check_strict_refuses_what_kubernetes_only_warns_of(folder: Path) -> None:
    done = run(folder, "check", "--strict", "warned.yaml")

    assert done.returncode == 1
    assert done.stdout.startswith(WARNING.rstrip().replace(" warning:", ""))
    assert done.stdout.endswith("warned.yaml: Kubernetes refuses it; 1 error\n")


def test_check_prints_json(folder: Path) -> None:
    done = run(folder, "check", "--format", "json", "bad.yaml", "warned.yaml")

    first, *_, last = json.loads(done.stdout)
    assert done.returncode == 1
    assert first == {
        "file": "bad.yaml",
        "line": 4,
        "severity": "error",
        "field": "rules[0].level",
        "kind": "Required",
        "detail": "",
        "message": "Required value",
    }
    assert (last["severity"], last["kind"], last["line"]) == ("warning", "Unknown", 9)


def test_check_prints_an_empty_list_if_all_is_well(folder: Path) -> None:
    assert (
        json.loads(run(folder, "check", "--format", "json", "good.yaml").stdout) == []
    )


def test_check_tells_where_a_text_is_no_yaml(folder: Path) -> None:
    done = run(folder, "check", "-", data="rules:\n- [\n")

    assert done.returncode == 1
    assert re.match(r"-:3: YAML: ", done.stdout)


def test_what_a_policy_holds_can_not_steer_a_terminal(folder: Path) -> None:
    data = 'rules: [{level: None, "\\e[2J": 1}]'

    done = run(folder, "check", "-", data=data)

    assert r"-:1: warning: rules[0].\x1b[2J: no such field;" in done.stdout
    assert "\x1b" not in done.stdout


def test_check_refuses_what_kubernetes_refuses_unless_told(folder: Path) -> None:
    bare = "rules: [{level: None}]"

    assert run(folder, "check", "--dialect", "any", "-", data=bare).returncode == 0
    assert run(folder, "check", "--dialect", "loft", "-", data=bare).returncode == 0
    for arguments in ([], ["--dialect", "kubernetes"]):
        done = run(folder, "check", *arguments, "-", data=bare)
        assert done.returncode == 1
        assert "apiVersion: Required value" in done.stdout
        assert "--dialect loft" in done.stdout


def test_check_tells_warnings_beside_errors(folder: Path) -> None:
    data = WARNED + "- level: metadata\n- resources: x\n  level: None\n"

    done = run(folder, "check", "-", data=data)

    told = done.stdout.splitlines()
    assert done.returncode == 1
    assert [line.split(": ")[1] for line in told[:-1]] == [
        "warning",
        "rules[2].level",
        "rules[3].resources",
    ]
    assert told[-1] == "-: Kubernetes refuses it; 2 errors, 1 warning"


@pytest.mark.parametrize(
    ("text", "status", "told"),
    [
        ("audit:\n  level: 1\n", 0, "whose audit.level is 1: 6 rules"),
        ("enabled: true\nlevel: 2\n", 0, "whose level is 2: 5 rules"),
        ("policy: {rules: [{level: None}]}", 0, "whose policy is meant; Loft takes it"),
        (
            "config: {audit: {enabled: true, policy: {rules: [{level: None, a: 1}]}}}",
            0,
            "config.audit.policy.rules[0].a: no such field",
        ),
        (
            "audit: {policy: {rules: [{level: All}]}}",
            1,
            "audit.policy.rules[0].level: Unsupported value",
        ),
        ("audit:\n  enabled: true\n", 0, "nothing is recorded"),
    ],
)
def test_check_looks_into_a_configuration_of_loft(
    folder: Path, text: str, status: int, told: str
) -> None:
    done = run(folder, "check", "-", data=text)

    assert (done.returncode, told in done.stdout) == (status, True), done.stdout


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (GOOD.replace("/v1", "/v1beta1"), "Kubernetes 1.24 removed v1beta1"),
        (GOOD.replace("Policy", "Pod"), "`auditring config check` reads it"),
        (
            "apiVersion: v1\nkind: ConfigMap\ndata:\n  a.yaml: 'rules: []'\n",
            "inside, as data.a.yaml",
        ),
        ("{{- if .Values.audit }}\n" + GOOD, "template"),
        ("rules:\n{% for a in b %}\n", "template"),
        (GOOD + " verbs: [get]\n", "isn't indented as the lines before it"),
        (GOOD + "---\n" + GOOD, "-:9: warning: a second document"),
    ],
)
def test_check_says_what_a_text_may_be_instead(
    folder: Path, text: str, told: str
) -> None:
    assert told in run(folder, "check", "-", data=text).stdout


def test_check_of_a_text_that_ends_in_three_dashes_is_fine(folder: Path) -> None:
    assert "document" not in run(folder, "check", "-", data=f"{GOOD}---\n# x").stdout


@pytest.mark.parametrize("command", ["check", "eval", "explain"])
def test_a_file_that_is_not_there_is_refused(folder: Path, command: str) -> None:
    done = run(folder, command, "absent.yaml")

    assert done.returncode == 2
    assert done.stderr == "auditring: absent.yaml: No such file or directory\n"


@pytest.mark.parametrize("command", ["check", "eval", "explain", "simulate", "preset"])
def test_without_arguments_a_command_says_what_is_missing(
    folder: Path, command: str
) -> None:
    done = run(folder, command)

    assert done.returncode == 2
    assert "Missing argument" in done.stderr


def test_eval_decides_each_request(folder: Path) -> None:
    done = run(folder, "eval", "good.yaml", "requests.jsonl")

    assert done.returncode == 0
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        {"level": "None", "omitStages": [], "omitManagedFields": False, "rule": 0},
        {
            "level": "Metadata",
            "omitStages": ["RequestReceived"],
            "omitManagedFields": False,
            "rule": 1,
        },
        {"level": "None", "omitStages": [], "omitManagedFields": False, "rule": -1},
    ]


def test_eval_reads_standard_input_and_prints_text(folder: Path) -> None:
    done = run(folder, "eval", "--format", "text", "good.yaml", data=REQUESTS)

    assert done.stdout.splitlines() == [
        "get pods 'p' by bob: None by rule 0",
        "get /version by nobody: Metadata by rule 1, without RequestReceived",
        "update nodes 'n' by alice: None by no rule",
    ]


def test_what_a_request_holds_can_not_steer_a_terminal(folder: Path) -> None:
    data = '{"method": "GET", "url": "/%1b[2J%ff", "user": {"name": "\\u001b]0;x"}}\n'

    evaluated = run(folder, "eval", "--format", "text", "good.yaml", data=data)
    explained = run(folder, "explain", "good.yaml", data=data)

    for done in (evaluated, explained):
        assert done.returncode == 0
        assert "\x1b" not in done.stdout
        assert r"get '/\x1b[2J\udcff' by '\x1b]0;x'" in done.stdout


def test_eval_names_the_line_that_is_no_request_and_goes_on(folder: Path) -> None:
    data = '{"method": "GET"}\n{"method": "GET", "url": "/"}\n'

    done = run(folder, "eval", "good.yaml", data=data)

    assert done.returncode == 1
    assert done.stderr == "auditring: <stdin>:1: url: expected a string, got nothing\n"
    assert len(done.stdout.splitlines()) == 1


def test_eval_refuses_a_member_that_it_does_not_know(folder: Path) -> None:
    data = '{"method": "GET", "url": "/", "users": {"name": "bob"}}\n'

    done = run(folder, "eval", "good.yaml", data=data)

    assert (done.returncode, done.stdout) == (1, "")
    assert "users: no such member; is it user?" in done.stderr


def test_eval_tells_of_a_request_that_is_never_audited(folder: Path) -> None:
    data = '{"method": "GET", "url": "/api/v1/watch"}\n'

    done = run(folder, "eval", "good.yaml", data=data)

    assert done.returncode == 0
    assert json.loads(done.stdout).keys() == {"requestError"}


def test_eval_of_a_bad_policy_tells_its_errors(folder: Path) -> None:
    done = run(folder, "eval", "bad.yaml", data=REQUESTS)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("bad.yaml:4: rules[0].level: Required value\n")


def test_eval_tells_warnings_beside_the_decisions(folder: Path) -> None:
    done = run(folder, "eval", "warned.yaml", data=REQUESTS)

    assert (
        done.stderr
        == "warned.yaml:9: warning: rules[1].verb: no such field; is it verbs?\n"
    )
    assert len(done.stdout.splitlines()) == 3


def test_eval_takes_the_prefix_of_a_gateway_off(folder: Path) -> None:
    data = '{"method": "GET", "url": "/kubernetes/cluster/east/api/v1/pods"}\n'
    resource = "rules: [{level: Request, namespaces: ['']}]"
    (folder / "resource.yaml").write_text(resource)
    (folder / "east.yaml").write_text("rules: [{level: Request, clusters: [east]}]")

    levels = [
        json.loads(run(folder, "eval", *arguments, data=data).stdout)["level"]
        for arguments in (
            ["resource.yaml"],
            ["--gateway", "resource.yaml"],
            ["east.yaml"],
        )
    ]

    assert levels == ["None", "Request", "Request"]


def test_eval_and_explain_read_targets_as_a_configuration_does(folder: Path) -> None:
    url = "/kubernetes/project/p/virtualcluster/v/api/v1/pods"
    data = json.dumps({"method": "GET", "url": url}) + "\n"
    rules = "rules: [{level: Request, requestTargets: [VCluster]}]"
    (folder / "virtual.yaml").write_text(rules)

    for command in ("eval", "explain"):
        levels = [
            json.loads(
                run(
                    folder,
                    command,
                    "--format=json",
                    *arguments,
                    "virtual.yaml",
                    data=data,
                ).stdout
            )["level"]
            for arguments in ([], ["--compat", "seeds"], ["--compat", "types"])
        ]

        assert levels == ["Request", "Request", "None"]


def test_explain_says_which_rule_decided_and_why_not_an_earlier_one(
    folder: Path,
) -> None:
    done = run(folder, "explain", "good.yaml", "requests.jsonl")

    assert done.returncode == 0
    assert (
        done.stdout
        == """\
get pods 'p' by bob: None by rule 0
  good.yaml:4: rule 0 matches
get /version by nobody: Metadata by rule 1, without RequestReceived
  good.yaml:4: rule 0 doesn't match
    users: nobody is known
  good.yaml:6: rule 1 matches
update nodes 'n' by alice: None by no rule
  good.yaml:4: rule 0 doesn't match
    users: alice is not among bob
  good.yaml:6: rule 1 doesn't match
    verbs: update is not among get
"""
    )


def test_explain_prints_json(folder: Path) -> None:
    done = run(folder, "explain", "--format", "json", "good.yaml", "requests.jsonl")

    explained = [json.loads(line) for line in done.stdout.splitlines()]
    assert explained[1]["rule"] == 1
    assert explained[1]["misses"] == [
        {"rule": 0, "reasons": ["users: nobody is known"]}
    ]


EVENT = json.dumps(
    {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "Metadata",
        "auditID": "1",
        "stage": "ResponseComplete",
        "requestURI": "/version",
        "verb": "get",
        "user": {"username": "alice"},
        "requestReceivedTimestamp": "2026-01-01T00:00:00.000000Z",
        "stageTimestamp": "2026-01-01T00:00:00.000000Z",
    },
    separators=(",", ":"),
)


def test_simulate_tells_events_and_bytes_of_each_rule(folder: Path) -> None:
    (folder / "audit.log").write_text(f"{EVENT}\n")

    done = run(folder, "simulate", "good.yaml", "audit.log", "audit.log")

    lines = [line.split() for line in done.stdout.splitlines()]
    size = str(2 * (len(EVENT) + 1))
    assert done.returncode == 0
    assert lines[1] == ["0", "None", "0", "0", "0", "0", "0", "0", "0"]
    assert lines[2] == ["1", "Metadata", "2", size, "0", "0", "0", "0", "0"]
    assert lines[3] == ["none", "None", "0", "0", "0", "0", "0", "0", "0"]
    assert lines[4] == ["all", "2", size, "0", "0", "0", "0", "0"]
    assert done.stdout.splitlines()[5] == "good.yaml:4: rule 0 never matched"


def test_simulate_prints_json(folder: Path) -> None:
    (folder / "audit.log").write_text(f"{EVENT}\n")

    done = run(folder, "simulate", "--format", "json", "good.yaml", "audit.log")

    document = json.loads(done.stdout)
    assert document["unusedRules"] == [0]
    assert document["rules"][1] == {
        "rule": 1,
        "events": 1,
        "bytes": len(EVENT) + 1,
        "eventsLost": 0,
        "bytesLost": 0,
        "eventsGained": 0,
        "bytesGained": 0,
        "bodiesMissing": 0,
    }


def test_simulate_tells_lines_that_hold_no_event_and_why(folder: Path) -> None:
    lines = ["x", EVENT, "{}", EVENT[:-1], '{"auditID":"1","level":"Metadata"}']
    (folder / "audit.log").write_text("\n".join(lines))

    done = run(folder, "simulate", "good.yaml", "audit.log")

    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "auditring: audit.log:1: no JSON",
        "auditring: audit.log:3: no event: it has no auditID and no level and no stage",
        "auditring: audit.log:4: no JSON: it ends in the middle",
        "auditring: audit.log:5: no event: it has no stage",
        "auditring: 4 lines hold no event",
    ]


def test_simulate_tells_the_first_lines_only(folder: Path) -> None:
    (folder / "audit.log").write_text("x\n" * 1000)

    done = run(folder, "simulate", "good.yaml", "audit.log")

    assert len(done.stderr.splitlines()) == 12
    assert "990 more such lines" in done.stderr


def test_simulate_reads_standard_input_packed_or_not(folder: Path) -> None:
    data = f"{EVENT}\n".encode()
    for given in (data, gzip.compress(data), zstandard.compress(data)):
        done = subprocess.run(
            [*COMMAND, "simulate", "--format", "json", "good.yaml", "-"],
            cwd=folder,
            input=given,
            capture_output=True,
            timeout=60,
        )

        assert done.returncode == 0
        assert json.loads(done.stdout)["rules"][1]["events"] == 1


def test_simulate_says_where_it_found_wrapped_events(folder: Path) -> None:
    wrapped = json.dumps({"logStreamName": "a", "message": EVENT})
    (folder / "exported.jsonl").write_text(f"{wrapped}\n" * 2)

    done = run(folder, "simulate", "good.yaml", "exported.jsonl")

    assert done.returncode == 0
    assert done.stderr == (
        "auditring: exported.jsonl: 2 events found inside of CloudWatch's log events\n"
    )


def test_simulate_refuses_a_damaged_log(folder: Path) -> None:
    (folder / "audit.log.gz").write_bytes(b"nothing packed")

    done = run(folder, "simulate", "good.yaml", "audit.log.gz")

    assert done.returncode == 2
    assert done.stderr.startswith("auditring: audit.log.gz: damaged: ")


@pytest.mark.parametrize("name", [*PRESETS, "1"])
def test_preset_prints_a_policy(folder: Path, name: str) -> None:
    done = run(folder, "preset", name)

    assert done.stdout == preset_text(1 if name == "1" else name)


def test_an_unknown_preset_is_refused(folder: Path) -> None:
    done = run(folder, "preset", "5")

    assert done.returncode == 2
    assert "no preset 5" in done.stderr


def test_options_with_values_tell_their_default() -> None:
    group = main.commands["policy"]
    assert isinstance(group, click.Group)
    options = [
        option
        for command in group.commands.values()
        for option in command.params
        if isinstance(option, click.Option) and not option.is_flag
    ]

    assert options
    assert all(option.show_default for option in options)


def test_help_loads_neither_policies_nor_yaml() -> None:
    program = (
        "import sys; from auditring.cli import main\n"
        "try: main(['policy', '--help'])\n"
        "except SystemExit: pass\n"
        "policy = {'auditring.policy.policy', 'auditring.policy.simulation'}\n"
        "print({'yaml', *policy} & set(sys.modules))"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
    )

    assert done.stdout.endswith("set()\n")
