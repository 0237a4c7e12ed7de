"""Metrics of what people are told and do. Labels come from closed sets only."""

from prometheus_client import Counter, Gauge

from streams.registry import REGISTRY

# Cardinality: two kinds of target, four outcomes; never a chat, address or incident.
ALERTS_SENT = Counter(
    "siaga_alerts_sent_total",
    "Notifications by kind of target (webhook, telegram) and outcome: delivered, retried (tried "
    "again later), refused (the target will never take it: skipped).",
    labelnames=("target_kind", "outcome"),
    registry=REGISTRY,
)
ALERTS_WAITING = Gauge(
    "siaga_alerts_waiting",
    "Targets that have not yet taken a notification that is due.",
    labelnames=("target_kind",),
    registry=REGISTRY,
)
# Cardinality: the closed set of action kinds and ways.
ACTIONS = Counter(
    "siaga_actions_total",
    "What people did about incidents (ack, note, replied, snooze, false_alarm, close) and how "
    "(page, link, chat).",
    labelnames=("kind", "via"),
    registry=REGISTRY,
)
REFUSALS = Counter(
    "siaga_page_refusals_total",
    "Requests that the page refused, by reason (login, role, csrf, rate, link, host, relay, chat).",
    labelnames=("reason",),
    registry=REGISTRY,
)
