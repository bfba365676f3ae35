"""Places in an event where a secret may stand: each makes an event with it there."""

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from auditring.event import Event, ObjectReference, UserInfo
from auditring.event.status import Status, StatusCause, StatusDetails

Place = Callable[[str], Event]

SECRETS = ObjectReference(
    resource="secrets", namespace="x", name="db", api_version="v1"
)
PODS = ObjectReference(resource="pods", namespace="x", name="web")
CONFIG = ObjectReference(resource="configmaps", namespace="x", api_version="v1")
SA_TOKEN = ObjectReference(resource="serviceaccounts", subresource="token")
REVIEWS = ObjectReference(
    resource="tokenreviews", api_group="authentication.k8s.io", api_version="v1"
)
LOFT_KUBECONFIG = ObjectReference(
    resource="virtualclusterinstances",
    api_group="management.loft.sh",
    subresource="kubeconfig",
)
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def body(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def secret(s: str, **more: object) -> dict[str, Any]:
    return {
        "kind": "Secret",
        "apiVersion": "v1",
        "metadata": {"name": "db"},
        "data": {"password": b64(s), "user": b64("admin")},
        **more,
    }


def applied(value: object) -> dict[str, Any]:
    return {"metadata": {"annotations": {LAST_APPLIED: json.dumps(value)}}}


def pod(**container: object) -> dict[str, Any]:
    containers = [{"name": "c", **container}]
    return {"kind": "Pod", "apiVersion": "v1", "spec": {"containers": containers}}


def request(
    value: object, reference: ObjectReference = SECRETS, *, verb: str = "create"
) -> Event:
    return Event(request_object=body(value), object_ref=reference, verb=verb)


def response(
    value: object,
    reference: ObjectReference = SECRETS,
    *,
    response_status: Status | None = None,
) -> Event:
    return Event(
        response_object=body(value),
        object_ref=reference,
        response_status=response_status,
    )


def table(s: str, reference: ObjectReference = SECRETS) -> Event:
    rows = [{"cells": ["db", s, 1], "object": secret(s)}]
    columns = [{"name": "Name", "type": "string"}]
    value = {"kind": "Table", "columnDefinitions": columns, "rows": rows}
    return response(value, reference)


def failure(s: str, reference: ObjectReference = SECRETS) -> Event:
    message = f'Secret "db" is invalid: data[p]: Invalid value: "{s}": too short'
    cause = StatusCause(reason="FieldValueInvalid", message=f"got {s}", field="data[p]")
    status = Status(
        status="Failure",
        message=message,
        reason="Invalid",
        code=422,
        details=StatusDetails(name="db", kind="Secret", causes=(cause,)),
    )
    value = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": "Invalid",
        "details": {"name": "db", "causes": [{"message": f"got {s}", "field": "f"}]},
        "code": 422,
    }
    return response(value, reference, response_status=status)


def echoed(s: str) -> Event:
    status = Status(message=f'env[0].value: Invalid value: "{s}"', code=422)
    value = pod(env=[{"name": "DB_PASSWORD", "value": s}])
    event = request(value, PODS)
    return replace(event, response_status=status, annotations={"hook/x": f"<{s}>"})


def kubeconfig(s: str) -> str:
    return f"kind: Config\nusers:\n- name: u\n  user:\n    token: {s}\n"


def private_key(s: str) -> str:
    return f"-----BEGIN RSA PRIVATE KEY-----\n{s}\n-----END RSA PRIVATE KEY-----\n"


# Where any text may be the secret.
ANY_TEXT: dict[str, Place] = {
    "a Secret that is created": lambda s: request(secret(s)),
    "a Secret that is answered": lambda s: response(secret(s)),
    "stringData": lambda s: request(secret("", stringData={"p": s})),
    "a member that no Secret has": lambda s: request(secret("", Data={"p": s})),
    "a Secret of numbers": lambda s: request({"data": {"p": [{"q": s}]}}),
    "data twice": lambda s: Event(
        object_ref=SECRETS,
        request_object=b'{"data":{"p":%b},"data":{}}' % body(s),
    ),
    "data spelled with escapes": lambda s: Event(
        object_ref=SECRETS, request_object=rb'{"d\u0061ta":{"p":%b}}' % body(s)
    ),
    "a list of Secrets": lambda s: response(
        {"kind": "SecretList", "items": [secret(s)]}
    ),
    "a list without kinds": lambda s: response({"items": [{"data": {"p": s}}, s]}),
    "a list of all kinds": lambda s: request(
        {"kind": "List", "apiVersion": "v1", "items": [pod(), secret(s)]}, CONFIG
    ),
    "a Table": table,
    "a watch event": lambda s: response({"type": "ADDED", "object": secret(s)}),
    "a watch event of another resource": lambda s: response(
        {"type": "MODIFIED", "object": secret(s)}, CONFIG
    ),
    "a row that is no object": lambda s: response({"kind": "Table", "rows": [s]}),
    "a cell that is no string": lambda s: response(
        {"kind": "Table", "rows": [{"cells": [{"x": s}]}]}
    ),
    "an object of an event that is none": lambda s: response(
        {"type": "ADDED", "object": s}
    ),
    "an item with a name that tells": lambda s: response(
        {"items": [[{"tokens": [s]}]]}, PODS
    ),
    "a merge patch": lambda s: request({"data": {"p": s}}, verb="patch"),
    "a strategic merge patch": lambda s: request(
        {"stringData": {"$patch": "replace", "p": s}}, verb="patch"
    ),
    "a JSON patch of a value": lambda s: request(
        [{"op": "replace", "path": "/data/p", "value": s}], verb="patch"
    ),
    "a JSON patch of all data": lambda s: request(
        [{"op": "add", "path": "/data", "value": {"p": s}}], verb="patch"
    ),
    "a JSON patch of the whole": lambda s: request(
        [{"op": "add", "path": "", "value": secret(s)}], verb="patch"
    ),
    "a JSON patch without a path": lambda s: request([{"op": "add", "value": s}]),
    "a JSON patch of no operations": lambda s: request([{"path": "/data", "value": s}]),
    "a JSON patch with two paths": lambda s: Event(
        object_ref=SECRETS,
        request_object=b'[{"op":"add","path":"/metadata/name","path":"/data/p",'
        b'"value":%b}]' % body(s),
    ),
    "a JSON patch with another member": lambda s: request(
        [{"op": "test", "path": "/data/p", "Value": s}]
    ),
    "a patch in YAML": lambda s: Event(
        object_ref=SECRETS,
        verb="patch",
        request_object=f"stringData:\n  p: {s}".encode(),
    ),
    "a body that is cut off": lambda s: Event(
        object_ref=PODS, request_object=body(secret(s))[:-1]
    ),
    "a body in bytes": lambda s: Event(
        object_ref=PODS, request_object=b"\xff\x00" + s.encode()
    ),
    "a body that is a string": lambda s: request(s),
    "the last applied configuration": lambda s: request(
        secret("", metadata={"annotations": {LAST_APPLIED: json.dumps(secret(s))}})
    ),
    "the last applied one of another": lambda s: request(applied(secret(s)), CONFIG),
    "the last applied one in itself": lambda s: request(
        applied(applied(secret(s))), PODS
    ),
    "a broken last applied one": lambda s: request(
        {"metadata": {"annotations": {LAST_APPLIED: json.dumps(secret(s))[:-1]}}}
    ),
    "an annotation of a Secret": lambda s: response(
        secret("", metadata={"annotations": {"any/copy": s}})
    ),
    "managed fields": lambda s: response(
        secret(
            "",
            metadata={"managedFields": [{"fieldsV1": {"f:data": {"v:x": s}}}]},
        )
    ),
    "a Secret inside of another object": lambda s: request(
        {"kind": "Template", "spec": {"objects": [secret(s, stringData={"p": s})]}},
        PODS,
    ),
    "a token review": lambda s: request(
        {"kind": "TokenReview", "spec": {"token": s}, "status": {}}, REVIEWS
    ),
    "a token review's error": lambda s: response(
        {"kind": "TokenReview", "status": {"error": f"bad token {s}"}}, REVIEWS
    ),
    "a token request's answer": lambda s: response(
        {"kind": "TokenRequest", "status": {"token": s}}, SA_TOKEN
    ),
    "a kubeconfig of Loft": lambda s: response(
        {"kind": "VirtualClusterInstanceKubeConfig", "status": {"kubeConfig": s}},
        LOFT_KUBECONFIG,
    ),
    "an environment variable": lambda s: request(
        pod(env=[{"value": s, "name": "AWS_SECRET_ACCESS_KEY"}]), PODS
    ),
    "a variable in a JSON patch": lambda s: request(
        [{"op": "add", "path": "/spec/containers/0/env/3/value", "value": s}], PODS
    ),
    "a variable's whole in a JSON patch": lambda s: request(
        [
            {
                "op": "add",
                "path": "/spec/containers/0/env/-",
                "value": {"name": "X_TOKEN", "value": s},
            }
        ],
        PODS,
    ),
    "a header of a probe": lambda s: request(
        pod(httpGet={"httpHeaders": [{"name": "Authorization", "value": s}]}), PODS
    ),
    "an option's value": lambda s: request(pod(args=["--db-password", s]), PODS),
    "a member with a name that tells": lambda s: request(
        {"spec": {"auth": {"clientSecret": s, "apiKeys": 1, "api_key": [s]}}}, CONFIG
    ),
    "JSON in a string": lambda s: request(
        {"data": {"config.json": json.dumps({"deep": [{"password": s}]})}}, CONFIG
    ),
    "too deep to look": lambda s: Event(
        object_ref=PODS,
        request_object=b'{"a":' * 500 + body({"password": s}) + b"}" * 500,
    ),
    "an error message": failure,
    "an error message about a token": lambda s: failure(s, REVIEWS),
    "an annotation by a webhook": lambda s: Event(
        object_ref=SECRETS,
        annotations={
            "patch.webhook.admission.k8s.io/round_0_index_0": json.dumps(
                {"patch": [{"op": "add", "path": "/data", "value": {"p": s}}]}
            ),
            "validation.policy.admission.k8s.io/validation_failure": f"not {s}",
        },
    ),
    "a query parameter": lambda s: Event(
        request_uri=f"/x?a=1&access_token={quote(s, safe='')}&b"
    ),
    "a parameter with an encoded name": lambda s: Event(
        request_uri=f"/x?%74oken={quote(s, safe='')}"
    ),
    "an extra of the user": lambda s: Event(
        user=UserInfo("u", extra={"X-Authorization": (s,)}),
        impersonated_user=UserInfo("i", extra={"id-token": ("", s)}),
    ),
}

# Where a secret is found by the text around it, so that it can't be of any characters.
WORDS: dict[str, Place] = {
    "a message that repeats a variable": echoed,
    "a message about a variable": lambda s: Event(
        object_ref=PODS,
        response_status=Status(
            message=f'spec.containers[0].env[0].value: Invalid value: "{s}": too long'
        ),
    ),
    "a message about a member": lambda s: Event(
        object_ref=CONFIG,
        response_status=Status(message=f'data[api-key]: Invalid value: "{s}": no'),
    ),
    "a message with all of an object": lambda s: Event(
        object_ref=PODS,
        response_status=Status(
            message="spec.template: Invalid value: core.PodSpec{Env:[]core.EnvVar{"
            f'core.EnvVar{{Name:"DB_PASSWORD", Value:"{s}", ValueFrom:nil}}}}}}: no'
        ),
        annotations={
            "a/b": f'bad: {{"env":[{{"name":"X_TOKEN","value":"{s}"}}]}} and more'
        },
    ),
    "a manifest in a string": lambda s: request(
        {"data": {"x": f"env:\n- name: DB_PASSWORD\n  value: {s}\n- name: b\n"}}, CONFIG
    ),
    "a bearer token in the user agent": lambda s: Event(user_agent=f"x Bearer {s} y"),
    "an authorization header in an annotation": lambda s: Event(
        annotations={"x/y": f"got Authorization: Basic {s}"}
    ),
    "a password in an URL": lambda s: request(
        pod(env=[{"name": "DATABASE_URL", "value": f"postgres://u:{s}@db/x"}]), PODS
    ),
    "an option with an equals sign": lambda s: request(
        pod(command=["sh", "-c", f"run --password={s} now"]), PODS
    ),
    "an option with a blank": lambda s: request(
        pod(command=[f"run --api-token {s} now"]), PODS
    ),
    "a command in the query": lambda s: Event(
        request_uri=f"/api/v1/namespaces/x/pods/y/exec?command=--token%3D{s}"
    ),
    "a kubeconfig in a ConfigMap": lambda s: request(
        {"kind": "ConfigMap", "data": {"config": kubeconfig(s)}}, CONFIG
    ),
    "a block of YAML": lambda s: request(
        {"data": {"x": f"password: |\n  {s}\n  {s}\nuser: x\n"}}, CONFIG
    ),
    "an env file": lambda s: request(
        {"data": {"env": f"A=1\nexport DB_PASSWORD='{s}'\n"}}, CONFIG
    ),
    "broken JSON in a string": lambda s: request(
        {"data": {"x": f'{{"token": "{s}", oops'}}, CONFIG
    ),
    "a private key": lambda s: request({"data": {"x": private_key(s)}}, CONFIG),
    "a web token": lambda s: Event(user_agent=f"eyJhbGciOi.{s}.sig"),
    "the same again in the answer": lambda s: Event(
        object_ref=SECRETS,
        request_object=body(secret(s)),
        response_object=body({"kind": "Pod", "metadata": {"labels": {"copy": s}}}),
        user_agent=f"agent {b64(s)}",
        request_uri=f"/x?field={s}",
        annotations={"authorization.k8s.io/reason": f"as {s} says"},
    ),
}
