"""Bytes of `siaga.mentions.v1` to a batch or a tick; what is neither becomes dead letters.

One bad mention does not take the others of its batch along.
"""

from datetime import datetime
from hashlib import sha256
from typing import NamedTuple

import msgspec

from streams import codec
from streams.pipeline.sound import all_sound, problem_of, problem_of_mention
from streams.records import Batch, DeadLetter, Mention, MentionsRecord, Run, Tick

KEPT_BYTES = 65_536
"""How much of a bad original is kept."""

REASONS = ("not_json", "not_a_record", "bad_mention", "unknown_brand", "pipeline_error")
"""The closed set of reasons of the worker's stages (a metric label)."""


class Origin(NamedTuple):
    """Where a record stood."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"


class Decoded(NamedTuple):
    record: MentionsRecord | None
    dead: tuple[DeadLetter, ...] = ()


class _LooseBatch(msgspec.Struct, tag="batch", tag_field="type"):
    brand: str
    mentions: list[msgspec.Raw]
    run: Run = "live"


_loose = codec.Reader(msgspec.json.Decoder(_LooseBatch))
_mention = codec.Reader(msgspec.json.Decoder(Mention))


def decode(raw: bytes, *, origin: Origin, now: datetime) -> Decoded:
    """Decode one record; never raises."""
    told = "a mention cannot be taken"
    try:
        whole = codec.mentions.decode(raw)
    except msgspec.DecodeError as e:
        told = str(e)
    else:
        if problem := problem_of(whole):
            return Decoded(None, (letter(raw, "not_a_record", problem, origin=origin, now=now),))
        if isinstance(whole, Tick) or all_sound(whole):
            return Decoded(whole)
    try:
        loose = _loose.decode(raw)
    except msgspec.ValidationError:
        return Decoded(None, (letter(raw, "not_a_record", told, origin=origin, now=now),))
    except msgspec.DecodeError:
        return Decoded(None, (letter(raw, "not_json", told, origin=origin, now=now),))
    if problem := problem_of(Batch(loose.brand, (), loose.run)):
        return Decoded(None, (letter(raw, "not_a_record", problem, origin=origin, now=now),))
    good: list[Mention] = []
    dead: list[DeadLetter] = []
    for n, part in enumerate(loose.mentions):
        try:
            mention = _mention.decode(part)
            if unsound := problem_of_mention(mention):
                raise msgspec.ValidationError(unsound)
            good.append(mention)
        except msgspec.DecodeError as e:
            dead.append(
                letter(
                    bytes(part),
                    "bad_mention",
                    str(e),
                    origin=origin,
                    now=now,
                    run=loose.run,
                    brand=loose.brand,
                    part=n,
                )
            )
    record = Batch(brand=loose.brand, mentions=tuple(good), run=loose.run) if good else None
    return Decoded(record, tuple(dead))


def letter(
    original: bytes,
    reason: str,
    detail: str,
    *,
    origin: Origin,
    now: datetime,
    stage: str = "decode",
    run: Run = "live",
    brand: str = "",
    part: int | None = None,
) -> DeadLetter:
    """A dead letter for (a part of) a record of the log."""
    where = str(origin) if part is None else f"{origin}#{part}"
    return DeadLetter(
        id=f"{stage}:{where}",
        stage=stage,
        reason=reason,
        detail=detail,
        at=now,
        origin=where,
        original=original[:KEPT_BYTES],
        length=len(original),
        sha256=sha256(original).hexdigest(),
        run=run,
        brand=brand,
    )
