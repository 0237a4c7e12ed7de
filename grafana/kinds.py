"""How each kind of resource is found, written and removed in Grafana."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from grafana.client import Client
from grafana.plan import Kind, Resource

Body = Mapping[str, Any]


@dataclass(frozen=True)
class Handler:
    """The calls of one kind. `find` lists only what is ours (by the name of our installation)."""

    find: Callable[[Client, str], dict[str, Body]]
    create: Callable[[Client, str, Body], object]
    update: Callable[[Client, str, Body], object]
    remove: Callable[[Client, str], object]


def find_all(client: Client, name: str) -> list[Resource]:
    """All of ours that Grafana holds."""
    return [
        Resource(kind, key, body)
        for kind, handler in HANDLERS.items()
        for key, body in handler.find(client, name).items()
    ]


def _find_folder(client: Client, name: str) -> dict[str, Body]:
    folder = client.get(f"/folders/{name}")
    return {name: folder} if folder else {}


def _find_dashboards(client: Client, name: str) -> dict[str, Body]:
    found: dict[str, Body] = {}
    for hit in client.get(f"/search?type=dash-db&tag={name}") or []:
        if hit["uid"].startswith(f"{name}-"):
            known = client.get(f"/dashboards/uid/{hit['uid']}")
            found[hit["uid"]] = {
                "dashboard": known["dashboard"],
                "folderUid": known["meta"]["folderUid"],
            }
    return found


def _save_dashboard(client: Client, _key: str, body: Body) -> object:
    message = {"overwrite": True, "message": "siaga grafana apply"}
    return client.post("/dashboards/db", {**body, **message})


PROVISIONING = "/v1/provisioning"


def _find_policy(client: Client, name: str) -> dict[str, Body]:
    tree = client.get(f"{PROVISIONING}/policies")
    ours = [route for route in tree.get("routes") or [] if _is_ours(route, name)]
    return {name: ours[0]} if ours else {}


def _is_ours(route: Body, name: str) -> bool:
    label = f"by_{name.replace('-', '_')}"
    return any(matcher[0] == label for matcher in route.get("object_matchers") or [])


def _save_policy(client: Client, key: str, body: Body | None) -> object:
    # The tree is one resource that we share with others: only our branch changes
    tree = client.get(f"{PROVISIONING}/policies")
    others = [route for route in tree.get("routes") or [] if not _is_ours(route, key)]
    routes = others if body is None else [body, *others]
    return client.put(f"{PROVISIONING}/policies", {**tree, "routes": routes})


def _find_rules(client: Client, name: str) -> dict[str, Body]:
    rules = client.get(f"{PROVISIONING}/alert-rules") or []
    return {rule["uid"]: rule for rule in rules if rule["folderUID"] == name}


def _group_path(folder: str, group: str) -> str:
    return f"{PROVISIONING}/folder/{folder}/rule-groups/{group}"


def _find_groups(client: Client, name: str) -> dict[str, Body]:
    titles = {rule["ruleGroup"] for rule in _find_rules(client, name).values()}
    return {title: client.get(_group_path(name, title)) for title in titles}


def _save_group(client: Client, key: str, body: Body) -> object:
    # Its rules exist already and are sent back as they are: that keeps their uids
    path = _group_path(body["folderUid"], key)
    return client.put(path, {**client.get(path), "interval": body["interval"]})


def _simple(path: str, key: str, *, read: str = "", create_by_put: bool = False) -> Handler:
    """A kind whose paths are regular: a list at `read`, one thing at `path/KEY`."""

    def find(client: Client, name: str) -> dict[str, Body]:
        items = client.get(read or path) or []
        return {item[key]: item for item in items if item[key].startswith(f"{name}-")}

    def update(client: Client, which: str, body: Body) -> object:
        return client.put(f"{path}/{which}", body)

    def create(client: Client, which: str, body: Body) -> object:
        return update(client, which, body) if create_by_put else client.post(read or path, body)

    return Handler(find, create, update, lambda client, which: client.delete(f"{path}/{which}"))


def _rules_handler() -> Handler:
    regular = _simple(f"{PROVISIONING}/alert-rules", "uid")
    return replace(regular, find=_find_rules)


def _folder_handler() -> Handler:
    regular = _simple("/folders", "uid")

    def update(client: Client, which: str, body: Body) -> object:
        return client.put(f"/folders/{which}", {**body, "overwrite": True})

    return replace(regular, find=_find_folder, update=update)


def _find_playlists(client: Client, name: str) -> dict[str, Body]:
    # Grafana chooses the uid: ours are known by the beginning of their names
    uids = _playlist_uids(client, name)
    return {title: client.get(f"/playlists/{uid}") for title, uid in uids.items()}


def _playlist_uids(client: Client, name: str) -> dict[str, str]:
    found = client.get("/playlists") or []
    return {each["name"]: each["uid"] for each in found if each["name"].startswith(f"{name}: ")}


def _playlist_path(client: Client, key: str) -> str:
    return f"/playlists/{_playlist_uids(client, key.partition(': ')[0])[key]}"


def _remove_nothing(client: Client, key: str) -> None:
    """A group goes with its rules."""


HANDLERS: dict[Kind, Handler] = {
    "data source": _simple("/datasources/uid", "uid", read="/datasources"),
    "folder": _folder_handler(),
    "dashboard": replace(
        _simple("/dashboards/uid", "uid"),
        find=_find_dashboards,
        create=_save_dashboard,
        update=_save_dashboard,
    ),
    "playlist": Handler(
        find=_find_playlists,
        create=lambda client, _, body: client.post("/playlists", body),
        update=lambda client, key, body: client.put(_playlist_path(client, key), body),
        remove=lambda client, key: client.delete(_playlist_path(client, key)),
    ),
    "mute timing": _simple(f"{PROVISIONING}/mute-timings", "name"),
    "template": _simple(f"{PROVISIONING}/templates", "name", create_by_put=True),
    "contact point": _simple(f"{PROVISIONING}/contact-points", "uid"),
    "policy": Handler(
        find=_find_policy,
        create=_save_policy,
        update=_save_policy,
        remove=lambda client, key: _save_policy(client, key, None),
    ),
    "rule": _rules_handler(),
    # Made with its rules; only its interval is ours to set
    "rule group": Handler(_find_groups, _save_group, _save_group, _remove_nothing),
}
