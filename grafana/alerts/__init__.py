"""Alert rules as data, and what becomes of them: Grafana rules, Prometheus rules, routes."""

from grafana.alerts.brand import brand_rules
from grafana.alerts.operations import operations_rules
from grafana.alerts.people import people_rules
from grafana.alerts.rule import Rule
from grafana.settings import Thresholds


def rules(thresholds: Thresholds) -> tuple[Rule, ...]:
    """All rules, in the order in which people meet them."""
    return (*brand_rules(thresholds), *people_rules(thresholds), *operations_rules(thresholds))
