"""The mentions of one hour of a scenario: ordinary life, small bursts, the crisis, replies.

An hour is made from the seed and its number alone, so that a restart goes on in mid-run with the
very same mentions.
"""

import math
import random
from datetime import datetime, timedelta
from typing import NamedTuple

from msgspec import structs

from connectors.contract import Item
from connectors.sources.simulated import phrases, speech
from connectors.sources.simulated.scenario import (
    CHANNELS,
    MAIN,
    SHOPS,
    ZONE,
    Scenario,
    Shop,
)
from streams.records import Engagement

HOUR_OF_DAY = (
    0.35, 0.22, 0.15, 0.12, 0.15, 0.3, 0.55, 0.8, 1.0, 1.15, 1.25, 1.3,
    1.4, 1.3, 1.2, 1.15, 1.15, 1.2, 1.35, 1.6, 1.7, 1.6, 1.2, 0.75,
)  # fmt: skip
"""Rate by local hour relative to the day's mean: lunch and the evening on the sofa."""

DAY_OF_WEEK = (0.95, 0.93, 0.95, 1.0, 1.08, 1.1, 1.0)
"""Monday to Sunday."""

MINUTE_SHAPE = 4.0
"""Gamma shape of the rate within minutes: counts vary more than Poisson's, as real ones do."""

HOUR_SHAPE = 25.0
"""Gamma shape of the rate from hour to hour (a fifth up or down)."""

NEGATIVE, NEUTRAL = 0.18, 0.46
"""Shares on an ordinary day; the rest is positive."""

USUAL_CHANNELS = (0.46, 0.2, 0.15, 0.15, 0.04)
CRISIS_CHANNELS = (0.6, 0.2, 0.1, 0.06, 0.04)

REPLY_SHARE, REPLY_SHARE_CRISIS = 0.3, 0.06
"""Complaints that the brand answers within the hour; in a crisis the desk is swamped."""

SEED_POST = "crisis-0"
SEED_POST_EVERY_MIN = 2
"""The first post is seen again and again with more reposts."""

OWN_ACCOUNT = "{handle}_care"


def names_of(shop: Shop) -> tuple[str, ...]:
    """Return the ways in which people write a shop's name."""
    title = shop.title
    return (title, title, title.lower(), f"@{shop.handle}", title.upper())


NAMES = {shop.name: names_of(shop) for shop in SHOPS}


ORDINARY_SPREAD = 300.0
"""Likes that an ordinary post gets at most (a sixth as many reposts): none goes viral by itself."""


class Seen(NamedTuple):
    """An item and when the source shows it: a repost count grows long after publication."""

    at: datetime
    item: Item


class Traffic:
    """Makes the hours of a scenario.

    Examples
    --------
    >>> from connectors.sources.simulated.scenario import scenario
    >>> seen = Traffic(scenario(1)).hour(12)
    >>> seen == Traffic(scenario(1)).hour(12), all(s.item.simulated for s in seen)
    (True, True)
    """

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self.hours = math.ceil(scenario.minutes / 60)

    def hour(self, number: int) -> tuple[Seen, ...]:
        """Return what is seen in an hour (0 is the first), in the order of time."""
        scenario = self._scenario
        rng = random.Random(f"traffic/{scenario.seed}/{number}")
        items: list[Item] = []
        for shop in SHOPS:
            self._life(shop, number, rng, items)
        again = self._crisis(number, rng, items)
        seen = [Seen(i.published_at, i) for i in items] + again
        return tuple(
            sorted((s for s in seen if s.at < scenario.end), key=lambda s: (s.at, s.item.native_id))
        )

    def _life(self, shop: Shop, number: int, rng: random.Random, items: list[Item]) -> None:
        scenario = self._scenario
        local = scenario.start.astimezone(ZONE) + timedelta(hours=number)
        day_rng = random.Random(f"day/{scenario.seed}/{shop.name}/{number // 24}")
        rate = (
            scenario.base_rate
            * shop.share
            * HOUR_OF_DAY[local.hour]
            * DAY_OF_WEEK[local.weekday()]
            * math.exp(day_rng.gauss(0, 0.1))
            * rng.gammavariate(HOUR_SHAPE, 1 / HOUR_SHAPE)
        )
        negative = min(max(rng.gauss(NEGATIVE, 0.03), 0.05), 0.35)
        for minute in range(number * 60, number * 60 + 60):
            for _ in range(_count(rng, rate * rng.gammavariate(MINUTE_SHAPE, 1 / MINUTE_SHAPE))):
                draw = rng.random()
                mood = "negative" if draw < negative else "positive"
                if negative <= draw < negative + NEUTRAL:
                    mood = "neutral"
                items.append(self._post(shop, minute, len(items), number, mood, rng))
                if mood == "negative" and rng.random() < REPLY_SHARE:
                    self._reply(shop, items, number, rng)
            for burst in scenario.bursts:
                if burst.brand == shop.name and 0 <= minute - burst.minute < burst.minutes:
                    for _ in range(_count(rng, rate * burst.strength)):
                        items.append(self._post(shop, minute, len(items), number, burst.mood, rng))

    def _post(
        self, shop: Shop, minute: int, n: int, hour: int, mood: str, rng: random.Random
    ) -> Item:
        templates = {
            "negative": speech.NEGATIVE,
            "neutral": speech.NEUTRAL,
            "positive": speech.POSITIVE,
        }[mood]
        if mood == "positive" and rng.random() < 0.1:
            templates = speech.BURST
        text = speech.anyone(templates, NAMES[shop.name], rng)
        channel = rng.choices(CHANNELS, USUAL_CHANNELS)[0]
        # A few people write much, most write seldom.
        author = speech.author(int(20_000 * rng.random() ** 2.5))
        return self._item(f"{hour}-{n}", minute, text, author, channel, mood, rng)

    def _item(
        self,
        native_id: str,
        minute: int,
        text: str,
        author: str,
        channel: str,
        mood: str,
        rng: random.Random,
    ) -> Item:
        spread = min(rng.paretovariate(1.3), ORDINARY_SPREAD)
        rating = None
        if channel == "play_store":
            stars = {"negative": (1, 1, 2), "neutral": (3, 4), "positive": (5, 5, 4)}[mood]
            rating = float(stars[int(rng.random() * len(stars))])
        return Item(
            native_id=native_id,
            published_at=self._scenario.start
            + timedelta(minutes=minute, milliseconds=int(rng.random() * 60_000)),
            text=text,
            author=f"redaksi{int(rng.random() * 40)}" if channel == "news" else author,
            channel=channel,
            kind={"play_store": "review", "news": "article"}.get(channel, "post"),
            engagement=Engagement(
                likes=int(spread) - 1,
                reposts=int(spread / 6),
                followers=int(120 * rng.paretovariate(1.1)),
            ),
            rating=rating,
            simulated=True,
        )

    def _reply(self, shop: Shop, items: list[Item], hour: int, rng: random.Random) -> None:
        """Let the brand answer the last post, if it manages within the hour."""
        complaint = items[-1]
        at = complaint.published_at + timedelta(minutes=rng.uniform(3, 30))
        if at >= self._scenario.start + timedelta(hours=hour + 1):
            return
        items.append(
            Item(
                native_id=f"{hour}-{len(items)}",
                published_at=at,
                text=speech.pick(phrases.OWN_REPLY, rng.random),
                author=OWN_ACCOUNT.format(handle=shop.handle),
                channel=complaint.channel,
                kind="reply",
                in_reply_to=complaint.native_id,
                simulated=True,
            )
        )

    def _crisis(self, number: int, rng: random.Random, items: list[Item]) -> list[Seen]:
        """Add the angry posts of an hour; return the first post as it is seen again."""
        scenario, crisis = self._scenario, self._scenario.crisis
        if crisis is None or (number + 1) * 60 <= crisis.minute:
            return []
        shop = next(s for s in SHOPS if s.name == MAIN)
        first = self._first_post()
        again: list[Seen] = []
        for minute in range(max(number * 60, crisis.minute), number * 60 + 60):
            since = minute - crisis.minute
            if since % SEED_POST_EVERY_MIN == 0:
                at = scenario.start + timedelta(minutes=minute)
                again.append(Seen(at, self._seen_again(first, since)))
            rate = scenario.base_rate * crisis.strength(minute) * rng.gammavariate(8, 1 / 8)
            for _ in range(_count(rng, rate)):
                items.append(self._angry(minute, len(items), number, first, rng))
                if rng.random() < REPLY_SHARE_CRISIS:
                    self._reply(shop, items, number, rng)
        return again

    def _angry(self, minute: int, n: int, hour: int, first: Item, rng: random.Random) -> Item:
        draw = rng.random()
        author = speech.author(int(150_000 * rng.random()))
        names = NAMES[MAIN]
        if draw < 0.2:
            said = speech.say(speech.REPOST, names, rng)
            item = self._item(
                f"{hour}-{n}",
                minute,
                f"RT @{first.author}: {said}",
                author,
                "twitter",
                "negative",
                rng,
            )
            return structs.replace(item, kind="repost", in_reply_to=first.native_id)
        templates, mood = speech.CRISIS, "negative"
        if draw > 0.95:
            templates, mood = speech.CRISIS_POSITIVE, "positive"
        elif draw > 0.86:
            templates, mood = speech.CRISIS_NEUTRAL, "neutral"
        channel = rng.choices(CHANNELS, CRISIS_CHANNELS)[0]
        text = speech.anyone(templates, names, rng)
        return self._item(f"{hour}-{n}", minute, text, author, channel, mood, rng)

    def _first_post(self) -> Item:
        scenario = self._scenario
        rng = random.Random(f"first/{scenario.seed}")
        minute = scenario.crisis.minute if scenario.crisis else 0
        return Item(
            native_id=SEED_POST,
            published_at=scenario.start + timedelta(minutes=minute),
            text=speech.say(speech.FIRST_POST, NAMES[MAIN][:1], rng),
            author=speech.author(rng.randrange(150_000)),
            channel="twitter",
            engagement=Engagement(followers=900),
            simulated=True,
        )

    def _seen_again(self, first: Item, minutes: int) -> Item:
        """Return the first post as it stands some minutes later: ever more reposts."""
        crisis = self._scenario.crisis
        height = crisis.peak * 400 if crisis else 0.0
        ramp = crisis.ramp if crisis else 1
        reposts = int(height * -math.expm1(-((minutes / ramp) ** 2)))
        return structs.replace(
            first,
            revision=minutes // SEED_POST_EVERY_MIN,
            engagement=Engagement(
                likes=reposts * 3,
                replies=reposts // 5,
                reposts=reposts,
                views=reposts * 60,
                followers=first.engagement.followers,
            ),
        )


def _count(rng: random.Random, rate: float) -> int:
    """Draw from a Poisson distribution (Knuth's product; the normal beyond 30)."""
    if rate > 30:
        return max(0, round(rng.gauss(rate, math.sqrt(rate))))
    limit, product, n = math.exp(-rate), rng.random(), 0
    while product > limit:
        product *= rng.random()
        n += 1
    return n
