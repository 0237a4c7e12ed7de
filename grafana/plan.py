"""What is wanted against what is found: pure, so that `diff` shows exactly what `apply` does."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

Kind = Literal[
    "data source",
    "folder",
    "dashboard",
    "playlist",
    "mute timing",
    "template",
    "contact point",
    "policy",
    "rule",
    "rule group",
]

ORDER: tuple[Kind, ...] = get_args(Kind)
"""Each kind may refer to those before it; removal goes the other way."""

REDACTED = "[REDACTED]"
"""What Grafana shows in the place of a secret; a changed secret changes the resource's key."""

EXACT = frozenset({"labels", "annotations"})
"""Maps in which a key too many is a difference; elsewhere Grafana adds defaults of its own."""


@dataclass(frozen=True)
class Resource:
    """One thing in Grafana; (kind, key) names it."""

    kind: Kind
    key: str
    body: Mapping[str, Any]


@dataclass(frozen=True)
class Step:
    """What happens to one resource, and why."""

    action: Literal["create", "update", "remove", "keep"]
    resource: Resource
    differences: tuple[str, ...] = ()


def plan(wanted: Iterable[Resource], found: Iterable[Resource]) -> tuple[Step, ...]:
    """Steps in an order in which each finds what it refers to; what is as wanted is kept.

    Parameters
    ----------
    wanted
        All that should be.
    found
        All of ours that is there: what is not wanted any more is removed.
    """
    there = {(resource.kind, resource.key): resource for resource in found}
    steps = []
    for resource in sorted(wanted, key=lambda r: ORDER.index(r.kind)):
        known = there.pop((resource.kind, resource.key), None)
        if known is None:
            steps.append(Step("create", resource))
        elif different := differences(resource.body, known.body):
            steps.append(Step("update", resource, tuple(different)))
        else:
            steps.append(Step("keep", resource))
    spare = sorted(there.values(), key=lambda r: ORDER.index(r.kind), reverse=True)
    return (*steps, *(Step("remove", resource) for resource in spare))


def differences(wanted: Any, found: Any, path: str = "", *, exact: bool = False) -> list[str]:
    """Where `found` is not as wanted, one line each: path, what is there, what should be.

    >>> differences({"for": "0s", "labels": {"a": "1"}}, {"for": "5m", "id": 7, "labels": {}})
    ["for: '5m' instead of '0s'", "labels.a: nothing instead of '1'"]
    """
    if found == REDACTED:
        return []
    if isinstance(wanted, Mapping) and isinstance(found, Mapping):
        lines = []
        for key, value in wanted.items():
            inside = f"{path}.{key}".lstrip(".")
            if key in found:
                lines += differences(value, found[key], inside, exact=key in EXACT)
            elif value not in (None, "", [], {}, False, 0):
                # Grafana leaves out what is empty
                lines.append(f"{inside}: nothing instead of {_short(value)}")
        if exact:
            spare = sorted(set(found) - set(wanted))
            lines += [f"{path}.{key}: {_short(found[key])} too many" for key in spare]
        return lines
    if isinstance(wanted, list | tuple) and isinstance(found, list | tuple):
        if len(wanted) != len(found):
            return [f"{path}: {len(found)} entries instead of {len(wanted)}"]
        return [
            line
            for i, (a, b) in enumerate(zip(wanted, found, strict=True))
            for line in differences(a, b, f"{path}[{i}]")
        ]
    return [] if wanted == found else [f"{path}: {_short(found)} instead of {_short(wanted)}"]


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
