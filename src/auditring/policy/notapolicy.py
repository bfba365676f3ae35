"""What a document is that should be a policy and is none: a hint for who wrote it."""

import re

from ..documents.tree import Mapping, Node, Scalar

__all__ = ["LATEST_VERSION", "hint_of_kind", "hint_of_text", "hint_of_version"]

LATEST_VERSION = "audit.k8s.io/v1"

_TEMPLATE = re.compile(r"\{\{[^}]|\{%|<%|\$\{\w")
_MAY_BE_POLICY = re.compile(r"^\s*\"?rules\"?\s*:", re.MULTILINE)
_WITH_PODS = ("Pod", "Deployment", "StatefulSet", "DaemonSet")
_CONFIG_CHECK = "`auditring config check` reads it"


def hint_of_text(text: str) -> str:
    """Say what may be the matter with a *text* that can't be read; often nothing."""
    if _TEMPLATE.search(text):
        return (
            "; it looks like a template, as Helm and Ansible have: check what they make"
            " of it"
        )
    return ""


def hint_of_version(version: str) -> str:
    """Say what became of a *version* that isn't known."""
    group, _, number = version.rpartition("/")
    if group == "audit.k8s.io" and number in ("v1beta1", "v1alpha1"):
        return (
            f"; Kubernetes 1.24 removed {number}, whose policies mean the same with"
            f" {LATEST_VERSION}"
        )
    return ""


def hint_of_kind(node: Node) -> str:
    """Say what a document of another kind is, and where the policy may be."""
    kind = _text(_member(node, "kind"))
    if kind in ("ConfigMap", "Secret"):
        found = _texts_inside(node)
        where = f"inside, as {found}" if found else "inside, if it does"
        return f"; a {kind} holds a policy {where}: check what stands there"
    if kind in _WITH_PODS:
        return (
            f"; flags in a {kind} name the policy, as --audit-policy-file:"
            f" {_CONFIG_CHECK}"
        )
    if kind in ("Event", "EventList"):
        return "; it is what was recorded: `auditring tail` shows it"
    if kind == "List":
        return "; check each of its items"
    return ""


def _texts_inside(node: Node) -> str:
    """Return which member of a ConfigMap has a policy as its text."""
    for name in ("data", "stringData"):
        inside = _member(node, name)
        if not isinstance(inside, Mapping):
            continue
        for key, _, value in inside.entries:
            if _MAY_BE_POLICY.search(_text(value)):
                return f"{name}.{key}"
    return ""


def _member(node: Node, name: str) -> Node | None:
    if not isinstance(node, Mapping):
        return None
    found = [value for key, _, value in node.entries if key == name]
    return found[-1] if found else None


def _text(node: Node | None) -> str:
    value = node.value if isinstance(node, Scalar) else None
    return value if type(value) is str else ""
