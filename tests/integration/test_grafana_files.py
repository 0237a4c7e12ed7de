"""The exported files give a Grafana the same content as `siaga grafana apply`."""

from pathlib import Path

import pytest
import services as local
from services import Grafana, Prometheus

from grafana.alerts import rules
from grafana.apply import wait_for_health
from grafana.client import Client
from grafana.dashboards import BOARDS
from grafana.export import export
from grafana.settings import GrafanaSettings

pytestmark = pytest.mark.services


def test_a_grafana_that_reads_our_files_has_our_rules_boards_and_routes(
    grafana: Grafana, prometheus: Prometheus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = GrafanaSettings.model_validate(
        {
            "prometheus_url": prometheus.address,
            "quiet_hours": {},
            "contacts": {
                "tim": {"type": "webhook", "url_env": "SIAGA_TRIAL_URL", "quiet_hours": True}
            },
        }
    )
    export(settings, tmp_path / "files", "id", "Asia/Jakarta")
    monkeypatch.setenv("GF_PATHS_PROVISIONING", str(tmp_path / "files" / "grafana"))
    monkeypatch.setenv("SIAGA_TRIAL_URL", "http://127.0.0.1:9/from-the-environment")
    services = local.start(["grafana"], tmp_path / "services", ports=local.EPHEMERAL)
    try:
        reader = services.grafana
        assert reader is not None
        client = Client(reader.address, (reader.user, reader.password))
        wait_for_health(client, "Siaga", len(rules(settings.thresholds)))
        found = {hit["uid"] for hit in client.get("/search?type=dash-db&tag=siaga")}
        assert found == {f"siaga-{board.key}" for board in BOARDS}
        [rule] = [
            each
            for each in client.get("/v1/provisioning/alert-rules")
            if each["uid"] == "siaga-level"
        ]
        assert "{{ $labels.brand }}" in rule["annotations"]["summary"]
        assert rule["annotations"]["__dashboardUid__"] == "siaga-brand"
        points = client.get("/v1/provisioning/contact-points")
        urls = [point["settings"].get("url") for point in points]
        assert "http://127.0.0.1:9/from-the-environment" in urls
        [route] = client.get("/v1/provisioning/policies")["routes"]
        assert route["object_matchers"] == [["by_siaga", "=", "yes"]]
    finally:
        services.destroy()
