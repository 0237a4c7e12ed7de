"""Names by which rules, links and dashboards find each other."""

from zlib import crc32


def dashboard_uid(name: str, dashboard: str) -> str:
    """Uid of a dashboard under the name of our installation."""
    return f"{name}-{dashboard}"


def panel_id(title: str) -> int:
    """Id of a panel, stable while its title is: panels may move without breaking links to them."""
    return crc32(title.encode()) % 900_000 + 1
