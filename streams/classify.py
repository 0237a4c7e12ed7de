"""Answers JSON lines of texts in their order, on all cores.

What is at hand is answered at once: a slow pipe gets its answers as its lines come, a long file is
cut into chunks that processes share.
"""

import gc
import multiprocessing as mp
import os
import select
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack
from io import BufferedReader
from multiprocessing.pool import AsyncResult, Pool
from typing import Final, NamedTuple, cast

import msgspec
import typer

from detectors.language.taxonomy import Taxonomy
from detectors.language.understanding import Language, LanguageConfig

MEMO_TOKENS: Final = 50_000
"""A process of its own may remember more than a worker: some 100 MB at most."""

CHUNK_BYTES: Final = 1 << 18
SHARED_BYTES: Final = 1 << 14
"""A chunk of fewer is answered here: it costs less than to send it away."""
AHEAD: Final = 4
"""Chunks a process that may wait for their turn: a bound on memory."""


class Line(msgspec.Struct):
    """One line of `siaga classify`."""

    id: str | int
    text: str
    lang: str = ""
    rating: float | None = None
    source: str = ""


class Answer(msgspec.Struct):
    """What `siaga classify` says of a line."""

    id: str | int
    sentiment: str
    probabilities: tuple[float, float, float]
    """Negative, neutral, positive."""
    topics: tuple[str, ...]
    language: str
    flags: tuple[str, ...]
    highlights: tuple[str, ...]


class Chunk(NamedTuple):
    """Whole lines, and the number of the first."""

    number: int
    raw: bytes


class Answers(NamedTuple):
    """Lines to write, and what was wrong with the others."""

    raw: bytes
    wrong: list[str]


_decode = msgspec.json.Decoder(Line).decode
_encode = msgspec.json.Encoder().encode
_reader: Language | None = None
"""That of this process; its children have it by being forked."""


def classify(taxonomy: Taxonomy, jobs: int | None) -> int:
    """Answer every line of standard input; return how many were no mention."""
    global _reader
    _reader = Language(LanguageConfig(taxonomy=taxonomy, memo_tokens=MEMO_TOKENS))
    forks = "fork" in mp.get_all_start_methods()
    jobs = (jobs or os.cpu_count() or 1) if forks else 1
    # Lines leave nothing behind: looking through the whole memo for rubbish only costs time.
    gc.disable()
    try:
        if jobs == 1:
            return sum(_write(answered(chunk)) for chunk in _chunks())
        with ExitStack() as stack:
            return _shared(stack, jobs)
    finally:
        gc.enable()


def _shared(stack: ExitStack, jobs: int) -> int:
    pool: Pool | None = None
    waiting: deque[AsyncResult[Answers]] = deque()
    wrong = 0
    for chunk in _chunks():
        if len(chunk.raw) < SHARED_BYTES:
            while waiting:
                wrong += _write(waiting.popleft().get())
            wrong += _write(answered(chunk))
            continue
        if pool is None:
            pool = stack.enter_context(mp.get_context("fork").Pool(jobs))
        waiting.append(pool.apply_async(answered, (chunk,)))
        # Who waits for answers before it says more must get them.
        while waiting and (
            len(waiting) >= AHEAD * jobs or waiting[0].ready() or not _more_at_hand()
        ):
            wrong += _write(waiting.popleft().get())
    return wrong + sum(_write(result.get()) for result in waiting)


def _more_at_hand() -> bool:
    return bool(select.select([sys.stdin.buffer], [], [], 0)[0])


def _chunks() -> Iterator[Chunk]:
    stdin = cast("BufferedReader", sys.stdin.buffer)
    number, rest = 1, b""
    while read := stdin.read1(CHUNK_BYTES):
        cut = read.rfind(b"\n") + 1
        if not cut:
            rest += read
            continue
        whole = Chunk(number, rest + read[:cut])
        rest = read[cut:]
        yield whole
        number += whole.raw.count(b"\n")
    if rest:
        yield Chunk(number, rest)


def _write(answers: Answers) -> int:
    sys.stdout.buffer.write(answers.raw)
    sys.stdout.buffer.flush()
    for problem in answers.wrong:
        typer.echo(problem, err=True)
    return len(answers.wrong)


def answered(chunk: Chunk) -> Answers:
    """Answer the lines of a chunk."""
    assert _reader is not None  # noqa: S101 - made before the first chunk is read
    explain = _reader.explain
    out: list[bytes] = []
    wrong: list[str] = []
    for number, raw in enumerate(chunk.raw.split(b"\n"), chunk.number):
        if not raw.strip():
            continue
        try:
            line = _decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError) as e:
            wrong.append(f'line {number}: {e}; expected {{"id", "text"}}')
            continue
        u, words = explain(line.text, lang=line.lang, rating=line.rating, source=line.source)
        negative, neutral, positive = u.probabilities
        shares = (round(negative, 4), round(neutral, 4), round(positive, 4))
        out.append(
            _encode(Answer(line.id, u.sentiment, shares, u.topics, u.language, u.flags, words))
        )
    return Answers(b"".join(line + b"\n" for line in out), wrong)
