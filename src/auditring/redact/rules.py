"""What is secret in which objects: `RedactionRule`, and the rules that always hold."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from ..event.event import ObjectReference

__all__ = ["DEFAULT_RULES", "RedactionRule", "Scope", "scope_of"]

# One step of a path: .name, .*, [*], ['name'], and with two dots at any depth.
_STEP = re.compile(
    r"(?P<dots>\.\.?)(?P<name>[^.\[\]'\"*]+|\*)"
    r"|\[(?:(?P<star>\*)|'(?P<single>[^']*)'|\"(?P<double>[^\"]*)\"|(?P<index>\d+))\]"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RedactionRule:
    """What is secret in the objects of some resources or kinds.

    Attributes:
        resources: ``secrets``, ``serviceaccounts/token``, with a group
            ``tokenreviews.authentication.k8s.io``; without one any group is meant, and
            without a subresource any of them or none. ``*`` is every resource.
        kinds: The same objects where they are inside of others.
        paths: JSON paths of what is secret, with all that is below it: ``$.data``,
            ``spec.*``, ``$..password``, ``$.spec.users[*]['a.b']``. They begin at the
            object, also at each of a list and of a Table.
        except_paths: What isn't, although a path says so.
        is_base64: Whether the values are base64 of the secrets.
        is_sensitive: Whether what is said about such an object, in error messages and
            in annotations by others, may repeat a secret, so that it's masked, too.

    Raises:
        ValueError: A path can't be read.
    """

    resources: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    except_paths: tuple[str, ...] = ()
    is_base64: bool = False
    is_sensitive: bool = False

    def __post_init__(self) -> None:
        for path in (*self.paths, *self.except_paths):
            _pattern_of(path)

    def covers(self, reference: ObjectReference) -> bool:
        """Tell whether one of the resources is the one of *reference*."""
        return any(_names(resource, reference) for resource in self.resources)


def _names(resource: str, reference: ObjectReference) -> bool:
    if resource == "*":
        return True
    qualified, slash, subresource = resource.partition("/")
    name, dot, group = qualified.partition(".")
    return (
        name == reference.resource
        and (not dot or group == reference.api_group)
        and (not slash or subresource == reference.subresource)
    )


@dataclass(frozen=True, slots=True)
class _Paths:
    masked: re.Pattern[str]
    excepted: re.Pattern[str] | None
    is_base64: bool


@dataclass(frozen=True, slots=True)
class Scope:
    """What some rules say together about one object.

    Attributes:
        is_sensitive: Whether one of the rules is for sensitive objects.
    """

    is_sensitive: bool
    _paths: tuple[_Paths, ...]

    @property
    def has_paths(self) -> bool:
        """Whether anything is secret by its place."""
        return bool(self._paths)

    def masks(self, pointer: str) -> bool:
        """Tell whether what is at the JSON *pointer* is secret."""
        return any(_covers(paths, pointer) for paths in self._paths)

    def holds_base64(self, pointer: str) -> bool:
        """Tell whether it is the base64 of a secret."""
        return any(paths.is_base64 and _covers(paths, pointer) for paths in self._paths)


def _covers(paths: _Paths, pointer: str) -> bool:
    if paths.masked.match(pointer) is None:
        return False
    return paths.excepted is None or paths.excepted.match(pointer) is None


@lru_cache(maxsize=1024)
def scope_of(rules: tuple[RedactionRule, ...]) -> Scope:
    """Return what *rules* say together."""
    paths = tuple(
        _Paths(
            _any_of(rule.paths),
            _any_of(rule.except_paths) if rule.except_paths else None,
            rule.is_base64,
        )
        for rule in rules
        if rule.paths
    )
    return Scope(any(rule.is_sensitive for rule in rules), paths)


def _any_of(paths: Iterable[str]) -> re.Pattern[str]:
    """Return what matches the pointers of *paths* and of all that is below them."""
    patterns = "|".join(_pattern_of(path) for path in paths)
    return re.compile(f"(?:{patterns})(?=/|$)", re.DOTALL)


def _pattern_of(path: str) -> str:
    """Turn a JSON path into a regular expression for JSON pointers.

    Raises:
        ValueError: It can't be read.
    """
    if not path.startswith(("$", ".", "[")):
        path = f".{path}"
    at = 1 if path.startswith("$") else 0
    pattern = ""
    while at < len(path) or not pattern:
        step = _STEP.match(path, at)
        if step is None:
            raise ValueError(f"path {path!r}: no step at character {at}")
        at = step.end()
        names = (step[group] for group in ("name", "single", "double", "index"))
        name = next((name for name in names if name is not None), "*")
        is_any = name == "*" and step["single"] is None and step["double"] is None
        if step["dots"] == "..":
            pattern += "(?:/[^/]*)*"
        pattern += "/[^/]*" if is_any else "/" + re.escape(_pointer_token(name))
    return pattern


def _pointer_token(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


_LOFT = "management.loft.sh"

DEFAULT_RULES: tuple[RedactionRule, ...] = (
    # Of a Secret everything that isn't known to be harmless.
    RedactionRule(
        resources=("secrets",),
        paths=("$.*",),
        except_paths=(
            *("$.apiVersion", "$.kind", "$.metadata", "$.type", "$.immutable"),
            # Of DeleteOptions.
            *("$.gracePeriodSeconds", "$.orphanDependents", "$.preconditions"),
            *("$.propagationPolicy", "$.dryRun"),
        ),
        is_sensitive=True,
    ),
    RedactionRule(
        resources=("secrets",), kinds=("Secret",), paths=("$.data",), is_base64=True
    ),
    RedactionRule(
        resources=("secrets",),
        kinds=("Secret",),
        # Tools keep copies of the whole object in annotations of their own, too.
        paths=(
            "$.stringData",
            "$.metadata.annotations",
            "$.metadata.managedFields[*].fieldsV1",
        ),
        except_paths=(
            "$.metadata.annotations['kubernetes.io/service-account.name']",
            "$.metadata.annotations['kubernetes.io/service-account.uid']",
        ),
    ),
    RedactionRule(
        resources=("tokenreviews",),
        kinds=("TokenReview",),
        paths=("$.spec.*", "$.status.token", "$.status.error"),
        except_paths=("$.spec.audiences",),
        is_sensitive=True,
    ),
    RedactionRule(
        resources=("serviceaccounts/token",),
        kinds=("TokenRequest",),
        paths=("$.status.token",),
        is_sensitive=True,
    ),
    RedactionRule(
        resources=(
            *(f"accesskeys.{group}" for group in ("storage.loft.sh", _LOFT)),
            f"ownedaccesskeys.{_LOFT}",
            f"resetaccesskeys.{_LOFT}",
            *(f"sharedsecrets.{group}" for group in ("storage.loft.sh", _LOFT)),
            f"directclusterendpointtokens.{_LOFT}",
            f"ingressauthtokens.{_LOFT}",
            f"licensetokens.{_LOFT}",
            f"virtualclusterinstances.{_LOFT}/kubeconfig",
            f"virtualclusterinstances.{_LOFT}/snapshotcredentials",
        ),
        kinds=(
            *("AccessKey", "OwnedAccessKey", "ResetAccessKey", "SharedSecret"),
            *("DirectClusterEndpointToken", "IngressAuthToken", "LicenseToken"),
            "VirtualClusterInstanceKubeConfig",
        ),
        paths=("$.spec", "$.status", "$.data"),
        is_sensitive=True,
    ),
)
"""Secrets and tokens of Kubernetes, and access keys and tokens of Loft."""
