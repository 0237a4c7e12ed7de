"""Carries out a plan, and reads back whether Grafana can evaluate the rules."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from grafana.client import Client, Refused, Unreachable
from grafana.kinds import HANDLERS, find_all
from grafana.plan import Resource, Step, plan


class Incomplete(Exception):
    """A step failed: those before it are done, the next `apply` does the rest."""

    def __init__(self, step: Step, done: int, of: int, cause: Exception) -> None:
        super().__init__(
            f"could not {step.action} {step.resource.kind} {step.resource.key} "
            f"({done} of {of} changes done; run `siaga grafana apply` again): {cause}"
        )


class Unhealthy(Exception):
    """Grafana cannot evaluate some rules."""


@dataclass(frozen=True)
class Health:
    """What Grafana says of one rule's last evaluation."""

    rule: str
    health: str
    """`ok`, `nodata`, `error`, or `unknown` before the first evaluation."""
    state: str
    error: str = ""
    evaluated_at: str = ""


def compare(client: Client, name: str, wanted: Iterable[Resource]) -> tuple[Step, ...]:
    """What `apply` would do; changes nothing."""
    return plan(wanted, find_all(client, name))


def apply(
    client: Client,
    name: str,
    wanted: Sequence[Resource],
    *,
    told: Callable[[Step], object] | None = None,
) -> tuple[Step, ...]:
    """Make Grafana as wanted and return the steps that changed something.

    Raises
    ------
    Incomplete
        At the first step that fails.
    """
    changes = [step for step in compare(client, name, wanted) if step.action != "keep"]
    for done, step in enumerate(changes):
        try:
            _carry_out(client, step)
        except (Refused, Unreachable) as e:
            raise Incomplete(step, done, len(changes), e) from e
        if told is not None:
            told(step)
    return tuple(changes)


def _carry_out(client: Client, step: Step) -> None:
    handler, resource = HANDLERS[step.resource.kind], step.resource
    if step.action == "create":
        handler.create(client, resource.key, resource.body)
    elif step.action == "update":
        handler.update(client, resource.key, resource.body)
    elif step.action == "remove":
        handler.remove(client, resource.key)


def health(client: Client, folder_title: str) -> list[Health]:
    """What Grafana says of our rules."""
    groups = client.get("/prometheus/grafana/api/v1/rules")["data"]["groups"]
    return [
        Health(
            rule["name"],
            rule["health"],
            rule["state"],
            rule.get("lastError", ""),
            rule["lastEvaluation"],
        )
        for group in groups
        if group["file"] == folder_title
        for rule in group["rules"]
    ]


def wait_for_health(
    client: Client,
    folder_title: str,
    expected: int,
    *,
    before: Iterable[Health] = (),
    timeout_s: float = 60.0,
) -> list[Health]:
    """Wait until each rule was evaluated and return what Grafana says of them.

    Parameters
    ----------
    expected
        Number of rules.
    before
        Health read before the rules changed: an evaluation that was known then does not count.

    Raises
    ------
    Unhealthy
        If a rule's evaluation fails, or is still to come when the time is over.
    """
    deadline = time.monotonic() + timeout_s
    stale = {(each.rule, each.evaluated_at) for each in before}
    while True:
        found = health(client, folder_title)
        waiting = [
            each
            for each in found
            if each.health == "unknown" or (each.rule, each.evaluated_at) in stale
        ]
        if len(found) >= expected and not waiting:
            break
        if time.monotonic() > deadline:
            names = ", ".join(each.rule for each in waiting) or f"{len(found)} of {expected} rules"
            raise Unhealthy(f"not evaluated within {timeout_s:.0f} s: {names}")
        time.sleep(1)
    failing = [f"{each.rule}: {each.error}" for each in found if each.health == "error"]
    if failing:
        raise Unhealthy("Grafana cannot evaluate:\n" + "\n".join(failing))
    return found


def versions(client: Client, name: str) -> dict[str, Any]:
    """The versions that Grafana counts up with each change of ours: proof that none happened."""
    found: dict[str, Any] = {}
    for hit in client.get(f"/search?type=dash-db&tag={name}") or []:
        found[hit["uid"]] = client.get(f"/dashboards/uid/{hit['uid']}")["dashboard"]["version"]
    ruler: Mapping[str, Any] = client.get("/ruler/grafana/api/v1/rules") or {}
    for group in (group for groups in ruler.values() for group in groups):
        for rule in group["rules"]:
            known = rule["grafana_alert"]
            if known["uid"].startswith(f"{name}-"):
                found[known["uid"]] = known["version"]
    for source in client.get("/datasources") or []:
        if source["uid"].startswith(f"{name}-"):
            found[source["uid"]] = client.get(f"/datasources/uid/{source['uid']}")["version"]
    return found
