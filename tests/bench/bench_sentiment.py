"""Quality and speed of the language models side by side with stock River: `make bench-sentiment`.

Reads the data folder (`--data`, default ../shared/data). All quality is of one pass, the mean of
three seeded stream orders; intervals are 95 % bootstrap over the texts of one order. Times are CPU
time of this process, the best of several rounds.
"""

import argparse
import csv
import pickle
import random
import resource
import sys
import time
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from detectors.language.cases import hard_cases
from detectors.language.cases import read as read_cases
from detectors.language.sentiment import SentimentClassifier
from detectors.language.suggest import suggest
from detectors.language.taxonomy import Taxonomy, parse
from detectors.language.topics import TopicClassifier
from detectors.language.training import Example, train
from detectors.language.understanding import SENTIMENTS, Language, LanguageConfig
from streams.language_commands import NUSAX, training_set

ORDERS = (1, 2, 3)
AIRLINE_TOPICS = {
    "Customer Service Issue": "service",
    "Late Flight": "late",
    "Cancelled Flight": "cancelled",
    "Lost Luggage": "luggage",
    "Bad Flight": "flight",
    "Flight Booking Problems": "booking",
    "Flight Attendant Complaints": "attendant",
    "longlines": "lines",
    "Damaged Luggage": "damaged",
}

Predict = Callable[[str], str]


def shuffled(rows: Iterable[Any], seed: int) -> list[Any]:
    found = sorted(rows)
    random.Random(seed).shuffle(found)
    return found


def macro_f1(truth: Sequence[str], said: Sequence[str]) -> float:
    scores = []
    for label in sorted(set(truth)):
        hit = sum(t == s == label for t, s in zip(truth, said, strict=True))
        wrong = sum((t == label) != (s == label) for t, s in zip(truth, said, strict=True))
        scores.append(2 * hit / (2 * hit + wrong) if hit else 0.0)
    return float(np.mean(scores))


def _share(truth: Sequence[str], said: Sequence[str]) -> float:
    return float(np.mean([t == s for t, s in zip(truth, said, strict=True)]))


def interval(truth: Sequence[str], said: Sequence[str]) -> tuple[float, float]:
    rng = np.random.default_rng(0)
    right = np.array([t == s for t, s in zip(truth, said, strict=True)], dtype=float)
    means = [right[rng.integers(0, len(right), len(right))].mean() for _ in range(500)]
    return float(np.quantile(means, 0.025)), float(np.quantile(means, 0.975))


def calibration_error(model: SentimentClassifier, rows: Sequence[Example], bins: int = 15) -> float:
    """Expected calibration error of the top probability."""
    sure, right = [], []
    for text, label in rows:
        chances = model.predict_proba_one(text)
        best = max(chances, key=lambda k: chances[k])
        sure.append(chances[best])
        right.append(best == label)
    place = np.minimum((np.array(sure) * bins).astype(int), bins - 1)
    total = 0.0
    for b in range(bins):
        inside = place == b
        if inside.any():
            total += inside.mean() * abs(
                np.array(sure)[inside].mean() - np.array(right)[inside].mean()
            )
    return total


def score(name: str, models: Sequence[Predict], rows: Sequence[Example]) -> None:
    truth = [r.sentiment for r in rows]
    told = [[m(r.text) for r in rows] for m in models]
    accuracy = np.mean(
        [np.mean([t == s for t, s in zip(truth, said, strict=True)]) for said in told]
    )
    f1 = np.mean([macro_f1(truth, said) for said in told])
    low, high = interval(truth, told[0])
    print(f"  {name:34} {accuracy:.3f} [{low:.3f}, {high:.3f}]   macro-F1 {f1:.3f}   n={len(rows)}")


def stock() -> dict[str, Callable[[], Any]]:
    """River's own pipelines for text."""
    from river import feature_extraction, linear_model, multiclass, naive_bayes, optim

    return {
        # The rates and word pairs that did best on SmSA test: a fair opponent.
        "River words -> softmax": lambda: (
            feature_extraction.BagOfWords(lowercase=True, ngram_range=(1, 2))
            | linear_model.SoftmaxRegression(optim.AdaGrad(0.1))
        ),
        "River words -> logistic (OvR)": lambda: (
            feature_extraction.BagOfWords(lowercase=True)
            | multiclass.OneVsRestClassifier(linear_model.LogisticRegression(optim.AdaGrad(0.5)))
        ),
        "River words -> naive Bayes": lambda: (
            feature_extraction.BagOfWords(lowercase=True) | naive_bayes.MultinomialNB()
        ),
    }


def microseconds(work: Callable[[Any], object], items: Sequence[Any], rounds: int = 7) -> float:
    best = float("inf")
    for _ in range(rounds):
        start = time.process_time()
        for item in items:
            work(item)
        best = min(best, (time.process_time() - start) / len(items))
    return best * 1e6


def learn_all(model: Any, rows: Sequence[Example]) -> Any:
    for text, label in rows:
        model.learn_one(text, label)
    return model


def airline(folder: Path) -> list[dict[str, str]]:
    with (folder / "airline/tweets.csv").open(encoding="utf-8", newline="") as f:
        return list(csv.DictReader(f))


def table(path: Path) -> list[Example]:
    with path.open(encoding="utf-8") as f:
        if path.suffix == ".tsv":
            pairs = (line.rstrip("\n").split("\t") for line in f)
            return [Example(a, b) for a, b in pairs]  # type: ignore[arg-type]  # a label of the data
        rows = list(csv.DictReader(f))
        return [Example(r["text"], r.get("label") or r["sentiment"]) for r in rows]  # type: ignore[arg-type]  # as above


def quality(data: Path) -> None:
    test, valid = table(data / "smsa/test.tsv"), table(data / "smsa/valid.tsv")
    prdect = table(data / "prdect/reviews.csv")
    tweets = [Example(r["text"], r["sentiment"]) for r in airline(data)]  # type: ignore[arg-type]  # a label of the data
    reviews = {text for text, _ in prdect}
    smsa = table(data / "smsa/train.tsv")
    allowed = [e for e in training_set(data) if e.text not in reviews]
    hard = [Example(c.text, c.sentiment) for c in hard_cases()]
    print("Sentiment: SmSA train alone, one pass")
    alone = [train(shuffled(smsa, s)) for s in ORDERS]
    score("SmSA test", [m.predict_one for m in alone], test)
    score("SmSA valid", [m.predict_one for m in alone], valid)
    for name, make in stock().items():
        pipeline = learn_all(make(), shuffled(smsa, ORDERS[0]))
        score(f"SmSA test, {name}", [pipeline.predict_one], test)
    print("Sentiment: SmSA, NusaX train and our hard cases (no prdect, no airline), one pass")
    models = [train(shuffled(allowed + hard * 2, s)) for s in ORDERS]
    told = [m.predict_one for m in models]
    for name, rows in (("SmSA test", test), ("SmSA valid", valid), ("prdect, never seen", prdect)):
        score(name, told, rows)
    score("airline, never seen", told, tweets)
    for language in NUSAX:
        score(f"NusaX valid, {language}", told, table(data / f"nusax/{language}_valid.csv"))
    error = np.mean([calibration_error(m, valid) for m in models])
    print(f"  expected calibration error on SmSA valid {error:.3f}")
    folds = [hard[k::5] for k in range(5)]
    held = [
        train(shuffled(allowed + [h for h in hard if h not in fold] * 2, 1)).predict_one
        for fold in folds
    ]
    right = [m(t) == s for m, fold in zip(held, folds, strict=True) for t, s in fold]
    print(f"  our hard cases, five-fold, unseen    {np.mean(right):.3f}   n={len(right)}")
    adaptation(models, prdect, valid)
    progressive(tweets)


def adaptation(
    models: list[SentimentClassifier], prdect: list[Example], valid: list[Example]
) -> None:
    before = np.mean(
        [_share([s for _, s in valid], [m.predict_one(t) for t, _ in valid]) for m in models]
    )
    print("Adaptation: prdect after so many labels, on the rest (mean of three draws)")
    print(f"      0 labels  SmSA valid {before:.3f}")
    for count in (50, 200, 1000):
        found, kept = [], []
        for seed, model in zip(ORDERS, models, strict=True):
            rows = shuffled(prdect, seed)
            taught = learn_all(pickle.loads(pickle.dumps(model)), rows[:count])  # noqa: S301  # our own bytes
            found.append(np.mean([taught.predict_one(t) == s for t, s in rows[count:]]))
            kept.append(np.mean([taught.predict_one(t) == s for t, s in valid]))
        print(f"  {count:5} labels  {np.mean(found):.3f}   SmSA valid {np.mean(kept):.3f}")
    chosen, drawn = [], []
    for seed, model in zip(ORDERS, models, strict=True):
        rows = shuffled(prdect, seed)
        pool, rest = rows[:1700], rows[1700:]
        reader = Language()
        reader.sentiment.adopt(model.table.copy())
        reader.rebuild()
        picks = suggest(reader, [(str(i), r.text) for i, r in enumerate(pool)], 200)
        for picked, into in (([pool[int(p.id)] for p in picks], chosen), (pool[:200], drawn)):
            taught = learn_all(pickle.loads(pickle.dumps(model)), picked)  # noqa: S301  # our own bytes
            into.append(np.mean([taught.predict_one(t) == s for t, s in rest]))
    print(f"  200 suggested labels {np.mean(chosen):.4f}, 200 random ones {np.mean(drawn):.4f}")


def progressive(tweets: list[Example]) -> None:
    """Test, then train, on a language and domain that the model starts without."""
    model = SentimentClassifier(SENTIMENTS)
    truth, said = [], []
    for text, label in tweets:
        truth.append(label)
        said.append(model.predict_one(text))
        model.learn_one(text, label)
    majority = Counter(truth).most_common(1)[0][0]
    print(
        f"Test-then-train on airline, untaught: accuracy "
        f"{np.mean([t == s for t, s in zip(truth, said, strict=True)]):.3f}, macro-F1 "
        f"{macro_f1(truth, said):.3f}; majority class {truth.count(majority) / len(truth):.3f}, "
        f"{macro_f1(truth, [majority] * len(truth)):.3f}"
    )


def topics(data: Path) -> None:
    print("Topics: airline reasons as a taxonomy of their own, one pass over 2,000 labels")
    here = Path(__file__).parent
    taxonomy = parse(tomllib.loads((here / "airline_topics.toml").read_text(encoding="utf-8")))
    rows = [
        (r["text"], AIRLINE_TOPICS[r["negative_reason"]])
        for r in airline(data)
        if r["negative_reason"] in AIRLINE_TOPICS
    ]
    ours, rules, theirs = [], [], []
    for seed in ORDERS:
        order = shuffled(rows, seed)
        taught, rest = order[:2000], order[2000:]
        rules.append(_topic_f1(TopicClassifier(taxonomy), taxonomy, rest))
        model = TopicClassifier(taxonomy)
        for text, name in taught:
            model.learn_one(text, {t.name: t.name == name for t in taxonomy.topics})
        ours.append(_topic_f1(model, taxonomy, rest))
        stocked = learn_all(stock()["River words -> softmax"](), [Example(*r) for r in taught])
        theirs.append(macro_f1([n for _, n in rest], [stocked.predict_one(t) for t, _ in rest]))
    print(f"  macro-F1 {np.mean(ours):.3f}; rules alone {np.mean(rules):.3f}; ", end="")
    print(f"River words -> softmax {np.mean(theirs):.3f}")


def _topic_f1(model: TopicClassifier, taxonomy: Taxonomy, rows: list[tuple[str, str]]) -> float:
    names = [t.name for t in taxonomy.topics]
    said = []
    for text, _ in rows:
        odds = model.log_odds(text)
        best = max(odds)
        said.append({n for n, o in zip(names, odds, strict=True) if o >= 0 or o == best})
    return _multi_f1(names, [{n} for _, n in rows], said)


def _multi_f1(names: Sequence[str], truth: Sequence[set[str]], said: Sequence[set[str]]) -> float:
    scores = []
    for name in names:
        hit = sum(name in t and name in s for t, s in zip(truth, said, strict=True))
        wrong = sum((name in t) != (name in s) for t, s in zip(truth, said, strict=True))
        scores.append(2 * hit / (2 * hit + wrong) if hit + wrong else 1.0)
    return float(np.mean(scores))


def speed(data: Path) -> None:
    texts = [t for t, _ in table(data / "prdect/reviews.csv") if 80 <= len(t) <= 120][:400]
    smsa = shuffled(table(data / "smsa/train.tsv"), 1)[:2000]
    length = np.mean([len(t) for t in texts])
    print(f"Speed: {len(texts)} mentions of {length:.0f} characters, warm, us of CPU")
    model = Language(LanguageConfig(memo_texts=0))  # each call reads
    print(f"  sentiment {microseconds(model.sentiment.predict_proba_one, texts):8.1f}")
    print(f"  with topics, language, flags {microseconds(model.understand, texts):8.1f}")
    own = pickle.loads(pickle.dumps(model.sentiment))  # noqa: S301  # our own bytes
    print(f"  learn {microseconds(lambda t: own.learn_one(t, 'negative'), texts):8.1f}")
    both = microseconds(lambda t: model.learn(t, "negative", ("app",)), texts)
    print(f"  learn with topics {both:8.1f}")
    for name, make in stock().items():
        pipeline = learn_all(make(), smsa)
        asked = microseconds(pipeline.predict_proba_one, texts, 2)
        taught = microseconds(lambda t, p=pipeline: p.learn_one(t, "negative"), texts, 2)  # type: ignore[misc]  # bound now
        print(f"  {name:32} predict {asked:8.1f}   learn {taught:8.1f}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"  peak memory of this whole process {peak:.0f} MB")


def author(folder: Path) -> None:
    """Cases by the author of the models, written after they were frozen: never learned from."""
    model = Language()
    cases = read_cases((folder / "language_author_sentiment.tsv").read_text(encoding="utf-8"))
    truth = [c.sentiment for c in cases]
    said = [model.understand(c.text).sentiment for c in cases]
    print(
        f"The author's later cases: sentiment {_share(truth, said):.3f}, "
        f"macro-F1 {macro_f1(truth, said):.3f}, n={len(cases)}; ",
        end="",
    )
    cases = read_cases((folder / "language_author_topics.tsv").read_text(encoding="utf-8"))
    named = [set(model.understand(c.text).topics) for c in cases]
    f1 = _multi_f1(model.taxonomy.names, [set(c.topics) for c in cases], named)
    print(f"topics macro-F1 {f1:.3f}, n={len(cases)}")


def independent(folder: Path) -> None:
    """Cases by a person who saw neither the code nor the first set: scored once, never tuned on."""
    model = Language()
    print(f"Independent blind cases, weights {model.version}")
    rows = _labelled(folder / "language_blind_sentiment.tsv")
    truth = [label for _, label in rows]
    said: list[str] = [model.understand(text).sentiment for text, _ in rows]
    low, high = interval(truth, said)
    print(f"  sentiment {_share(truth, said):.3f} [{low:.3f}, {high:.3f}]   ", end="")
    print(f"macro-F1 {macro_f1(truth, said):.3f}   n={len(rows)}")
    for label in SENTIMENTS:
        told = Counter(s for t, s in zip(truth, said, strict=True) if t == label)
        print(f"    {label:9} read as {', '.join(f'{s} {told[s]}' for s in SENTIMENTS)}")
    rows = _labelled(folder / "language_blind_topics.tsv")
    wanted = [set(names.split(",")) for _, names in rows]
    named = [set(model.understand(text).topics) for text, _ in rows]
    names = model.taxonomy.names
    f1 = _multi_f1(names, wanted, named)
    each = ", ".join(f"{n} {_multi_f1([n], wanted, named):.2f}" for n in names)
    print(f"  topics macro-F1 {f1:.3f}   n={len(rows)}   ({each})")


def _labelled(path: Path) -> list[tuple[str, str]]:
    lines = path.read_text(encoding="utf-8").splitlines()[1:]
    return [(text, label) for text, label in (line.split("\t") for line in lines)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    beside = Path(__file__).resolve().parents[3] / "shared/data"
    parser.add_argument("--data", type=Path, default=beside)
    parser.add_argument("--only", choices=("quality", "topics", "speed", "author", "independent"))
    wanted = parser.parse_args()
    if not wanted.data.is_dir():
        sys.exit(f"no data in {wanted.data}: name the folder with --data")
    parts: dict[str, Callable[[], None]] = {
        "speed": lambda: speed(wanted.data),
        "topics": lambda: topics(wanted.data),
        "quality": lambda: quality(wanted.data),
        "author": lambda: author(Path(__file__).parent),
        "independent": lambda: independent(Path(__file__).parent),
    }
    for name, part in parts.items():
        if wanted.only in (None, name):
            part()


if __name__ == "__main__":
    main()
