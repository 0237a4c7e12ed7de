"""`siaga classify` and `siaga model train`: the language models at the command line."""

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from streams.feedback_commands import feedback
from streams.model_commands import model
from streams.shell import ConfigOption

if TYPE_CHECKING:
    from detectors.language.training import Example

app = typer.Typer(no_args_is_help=True)
app.add_typer(feedback, name="feedback")
app.add_typer(model, name="model")

NUSAX: Final = ("english", "indonesian", "javanese", "sundanese", "minangkabau")


@app.command()
def classify(
    config: ConfigOption = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Processes.", show_default="one a core")
    ] = None,
) -> None:
    """Read JSON lines {"id","text"} on standard input, write what each says, a line each.

    Example: echo '{"id": "1", "text": "paket telat"}' | siaga classify
    """
    from streams.classify import classify as answer
    from streams.config import load

    wrong = answer(load(config).taxonomy.taxonomy, jobs)
    if wrong:
        raise typer.Exit(1)


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
