"""`siaga classify` and `siaga train-language`: the language models at the command line."""

import csv
import gc
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
import typer

from streams.feedback_commands import feedback
from streams.model_commands import model

if TYPE_CHECKING:
    from detectors.language.training import Example
    from detectors.language.understanding import Language

app = typer.Typer(no_args_is_help=True)
app.add_typer(feedback, name="feedback")
app.add_typer(model, name="model")

MEMO_TOKENS: Final = 50_000
"""A process of its own may remember more than a worker: some 100 MB at most."""

NUSAX: Final = ("english", "indonesian", "javanese", "sundanese", "minangkabau")


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


@app.command()
def classify(
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", help="Configuration file.", show_default="siaga.toml"),
    ] = None,
) -> None:
    """Read JSON lines {"id","text"} on standard input, write what each says, a line each.

    Example: echo '{"id": "1", "text": "paket telat"}' | siaga classify
    """
    from detectors.language.understanding import Language, LanguageConfig
    from streams.config import load

    taxonomy = load(config).taxonomy.taxonomy
    reader = Language(LanguageConfig(taxonomy=taxonomy, memo_tokens=MEMO_TOKENS))
    # Lines leave nothing behind: looking through the whole memo for rubbish only costs time.
    gc.disable()
    try:
        wrong = _classify(reader)
    finally:
        gc.enable()
    if wrong:
        raise typer.Exit(1)


def _classify(reader: "Language") -> int:
    """Answer every line of standard input; returns how many were no mention."""
    decode = msgspec.json.Decoder(Line).decode
    encode = msgspec.json.Encoder().encode
    out = sys.stdout.buffer
    wrong = 0
    for number, raw in enumerate(sys.stdin.buffer, 1):
        if not raw.strip():
            continue
        try:
            line = decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError) as e:
            wrong += 1
            typer.echo(f'line {number}: {e}; expected {{"id", "text"}}', err=True)
            continue
        u, words = reader.explain(line.text, lang=line.lang, rating=line.rating, source=line.source)
        negative, neutral, positive = u.probabilities
        answer = Answer(
            line.id,
            u.sentiment,
            (round(negative, 4), round(neutral, 4), round(positive, 4)),
            u.topics,
            u.language,
            u.flags,
            words,
        )
        out.write(encode(answer) + b"\n")
    out.flush()
    return wrong


@model.command()
def train(
    data: Annotated[Path, typer.Option(help="Folder that holds smsa, nusax and prdect.")],
    out: Annotated[Path, typer.Option(help="File to write.")] = Path(
        "detectors/language/weights/sentiment.bin"
    ),
) -> None:
    """Train the shipped sentiment weights (seeded: the same data give the same file).

    Example: siaga model train --data ../shared/data
    """
    from detectors.language.training import train_averaged, weights

    examples = training_set(data)
    model = train_averaged(examples)
    blob = weights(model.table, len(examples))
    out.write_bytes(blob)
    typer.echo(f"{out}: {len(blob):,} bytes from {len(examples):,} examples")


def training_set(data: Path) -> "list[Example]":
    """Allowed texts only; what is near a held-out text stays out, in every language."""
    from zlib import crc32

    from detectors.language.training import Example, Nearby

    smsa = [Example(text, label) for text, label in _tsv(data / "smsa/train.tsv")]
    held_out = Nearby(
        row[0] for part in ("test", "valid") for row in _tsv(data / f"smsa/{part}.tsv")
    )
    indonesian = _csv(data / "nusax/indonesian_train.csv")
    spoilt = {row["id"] for row in indonesian if held_out.holds(row["text"])}
    nusax = [
        Example(row["text"], row["label"])
        for name in NUSAX
        for row in _csv(data / f"nusax/{name}_train.csv")
        if row["id"] not in spoilt
    ]
    # The other half of the reviews is kept to measure with.
    prdect = [
        Example(row["text"], row["sentiment"])
        for row in _csv(data / "prdect/reviews.csv")
        if crc32(row["text"].encode()) % 2 == 0
    ]
    return smsa + nusax + prdect


def _tsv(path: Path) -> list[Any]:
    with path.open(encoding="utf-8") as f:
        return [tuple(line.rstrip("\n").split("\t")) for line in f]


def _csv(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8", newline="") as f:
        return list(csv.DictReader(f))
