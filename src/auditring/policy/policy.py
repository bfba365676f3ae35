"""Which requests are recorded, and how much of them: `Policy`, and its `Decision`.

A policy is text until it is loaded. From then on it never changes, and any thread may
ask it.
"""

from importlib import resources
from os import PathLike
from typing import Self, final

from ..documents.namedfile import read_named
from ..errors import PolicyProblem
from ..request.attributes import Attributes
from .decisions import Decision, DecisionIndex
from .rules import RuleSet
from .targetreading import Compat, with_targets_of
from .text import Dialect, read_policy

__all__ = ["PRESETS", "Decision", "Policy", "preset_text"]

# Files of the package; the first four are levels of applications, then Loft's.
PRESETS = (
    "application-1",
    "application-2",
    "application-3",
    "application-4",
    "loft-level-1",
    "loft-level-2",
    "loft-level-3",
    "loft-level-4",
    "loft-strict",
    "classic",
    "gce",
)
_LEVELS = range(1, 5)


@final
class Policy:
    """Rules, of which the first that matches a request decides on it.

    Attributes:
        rule_set: What it says.
        warnings: What its text said in vain: fields that nobody knows, keys that were
            there twice.
        index: What decides by it.
    """

    __slots__ = ("index", "rule_set", "warnings")

    def __init__(
        self, rule_set: RuleSet, warnings: tuple[PolicyProblem, ...] = ()
    ) -> None:
        """Take rules that are known to be valid."""
        self.rule_set = rule_set
        self.warnings = warnings
        self.index = DecisionIndex(rule_set)

    def __repr__(self) -> str:
        """Say how many rules there are."""
        count = len(self.rule_set.rules)
        return f"<Policy of {count} rule{'s' * (count != 1)}>"

    def __reduce__(self) -> "tuple[type[Policy], tuple[object, ...]]":
        # The index is made anew: what it has learnt of requests is no part of a policy.
        return Policy, (self.rule_set, self.warnings)

    @classmethod
    def from_yaml(
        cls,
        text: str | bytes,
        *,
        dialect: Dialect = "any",
        strict: bool = False,
        compat: Compat = "seeds",
    ) -> Self:
        """Load a policy from YAML or JSON.

        Args:
            text: A Policy of audit.k8s.io/v1, or a block as Loft's configuration has
                it: the same members with neither apiVersion nor kind. Rules of either
                may have Loft's `requestTargets` and `clusters`. Bytes are UTF-8.
            dialect: ``kubernetes`` takes what Kubernetes v1.36 takes and nothing else;
                ``loft`` takes the block only.
            strict: Whether unknown fields and keys that are there twice are errors.
                Kubernetes only warns of them; see `warnings`.
            compat: Whose reading of `requestTargets` counts, as in a configuration:
                with ``seeds`` VCluster stands for ProjectVCluster, too.

        Raises:
            PolicyError: It isn't a policy; `problems` tells everything that is wrong.
        """
        rules, warnings = read_policy(text, dialect=dialect, strict=strict)
        return cls(with_targets_of(rules, compat), warnings)

    @classmethod
    def from_file(
        cls,
        path: str | PathLike[str],
        *,
        dialect: Dialect = "any",
        strict: bool = False,
        compat: Compat = "seeds",
    ) -> Self:
        """Load a policy from a file, as `from_yaml` does.

        Raises:
            PolicyError: It isn't a policy.
            OSError: It can't be read.
        """
        data = read_named(path, may_be_pipe=True)
        return cls.from_yaml(data, dialect=dialect, strict=strict, compat=compat)

    @classmethod
    def preset(cls, name: int | str) -> Self:
        """Load one of the policies that come with the package.

        Args:
            name: A name of `PRESETS`: ``application-1`` to ``application-4`` are
                for applications with paths of their own, and each records every
                request. A number from 1 to 4 is an audit level of Loft, whose rules
                are for paths of Kubernetes: 2 to 4 record nothing of other paths.

        Raises:
            ValueError: There is no such policy.
        """
        return cls.from_yaml(preset_text(name))

    def evaluate(self, attributes: Attributes) -> Decision:
        """Decide on a request; source: Kubernetes v1.36, pkg/audit/policy."""
        decision: Decision = self.index.decide(attributes)
        return decision


def preset_text(name: int | str) -> str:
    """Return the text of a policy that comes with the package; see `Policy.preset`."""
    if name in _LEVELS:
        name = f"loft-level-{name}"
    if name not in PRESETS:
        names = ", ".join(PRESETS)
        raise ValueError(f"no preset {name!r}; there are 1 to 4, {names}")
    file = resources.files(__package__) / "presets" / f"{name}.yaml"
    return file.read_text(encoding="utf-8")
