"""A notification in Slack's form: text and blocks of an incoming webhook (pure).

https://api.slack.com/messaging/webhooks and https://api.slack.com/reference/block-kit/blocks.
"""

from typing import Any

from response.notify.message import LEVELS, MARKS, SAMPLES, Notice, facts, marks, summary
from response.notify.plain import mrkdwn, mrkdwn_url
from response.text import shown
from response.words import say

SECTION_LIMIT = 3000
"""Characters of a section's text."""


def slack(notice: Notice) -> dict[str, Any]:
    """The body of the webhook; everything from outside is escaped."""
    i, lang = notice.incident, notice.language
    if notice.status == "acknowledged":
        who = mrkdwn(say(lang, "{who} is on it", who=shown(i.acknowledged_by, 60)), 120)
        whole = f"<{mrkdwn_url(notice.page)}|{say(lang, 'Whole incident')}>"
        return {"text": f"✅ *{who}* · {mrkdwn(notice.title, 80)} · {whole}"}
    over = notice.status == "resolved"
    head = say(lang, "Over") if over else say(lang, LEVELS[i.level]).upper()
    mark = "🟢" if over else MARKS[i.level]
    title = f"{mark} *{head} · {mrkdwn(notice.title, 80)}*{mrkdwn(marks(notice), 80)}"
    lines = [title]
    if notice.status == "escalated":
        lines.append(f"*{say(lang, 'Nobody has acknowledged this yet.')}*")
    if notice.lead:
        lines.append(f"*{mrkdwn(notice.lead, 300)}*")
    lines.append(mrkdwn(summary(notice), 400))
    if not over and not notice.test:
        lines += [mrkdwn(fact, 300) for fact in facts(notice)]
        lines += [
            f"> {mrkdwn(s.text, 200)} — {mrkdwn(s.author or '?', 40)}, {mrkdwn(s.source, 40)}"
            for s in i.samples[:SAMPLES]
        ]
    if notice.oncall:
        lines.append(mrkdwn(f"{say(lang, 'On call')}: {', '.join(notice.oncall)}", 300))
    kept: list[str] = []
    for line in lines:
        # Whole lines are left out, never half of one.
        if sum(len(each) + 1 for each in kept) + len(line) <= SECTION_LIMIT:
            kept.append(line)
    section = {"type": "section", "text": {"type": "mrkdwn", "text": "\n".join(kept)}}
    # `text` is what the phone's lock screen shows.
    return {"text": title, "blocks": [section, {"type": "actions", "elements": _buttons(notice)}]}


def _buttons(notice: Notice) -> list[dict[str, Any]]:
    lang, found = notice.language, list[dict[str, Any]]()
    if notice.button:
        # Pressed, it comes back to `/chat/slack`: nobody leaves the chat.
        act = {"action_id": "siaga_ack", "value": notice.button, "style": "primary"}
        found.append(_button(say(lang, "I am on it")) | act)
    elif notice.acknowledge:
        act = {"action_id": "siaga_link", "url": notice.acknowledge, "style": "primary"}
        found.append(_button(say(lang, "Acknowledge")) | act)
    whole = {"action_id": "siaga_page", "url": notice.page}
    return [*found, _button(say(lang, "Whole incident")) | whole]


def _button(text: str) -> dict[str, Any]:
    return {"type": "button", "text": {"type": "plain_text", "text": text}}
