"""
`scorecast classify` on public texts, and scikit-learn's TF-IDF and logistic regression at their defaults, in one run.

Banking77 (77 kinds of questions, its own test) and airline posts (three moods, splits of 80/20 stratified, copies left
out) are read from a folder that is given; a set that is absent is skipped, with a line that says so. The command is
timed as a whole process on two cores. Then 100,000 short texts, drawn from the posts' words, are labelled with reasons,
and labels that `--suggest` asks for are put beside as many drawn at random. With --embeddings FOLDER, both sets once
more beside the vectors of that sentence-transformers model.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl
from _measure import ROOT, SCORECAST, report, timed
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.model_selection import StratifiedShuffleSplit
from sklearn.pipeline import make_pipeline

from pipelines.learning.context import Context
from pipelines.learning.judging.evaluation import calibration_error
from pipelines.learning.texts.classifier import FEWEST_OF_CLASS, TextModel, fit_texts
from pipelines.learning.texts.cleaning import cleaned_all
from pipelines.learning.texts.suggesting import suggested

MANY = 100_000
DRAWS = 3


@dataclass
class Right:
    """How often a side is right, split by split."""

    accuracy: list[float] = field(default_factory=list)
    macro_f1: list[float] = field(default_factory=list)

    def add(self, truth: list[str], said: list[str]) -> None:
        """The texts held out of one more split."""
        self.accuracy.append(float(np.mean([one == other for one, other in zip(truth, said, strict=True)])))
        self.macro_f1.append(float(f1_score(truth, said, average="macro")))


def classify(
    command: Path,
    train: pl.DataFrame,
    test: pl.DataFrame,
    text: str,
    label: str,
    every: float | None = None,
    more: Sequence[str] = (),
) -> tuple[pl.DataFrame, float, float]:
    """Scores in the order of `test`, seconds of the whole command, and its peak memory in GiB."""
    with tempfile.TemporaryDirectory(prefix="scorecast-benchmark-") as name:
        folder = Path(name)
        train.select(text, label).write_csv(folder / "train.csv")
        test.select(text).write_csv(folder / "test.csv")
        words = [str(command), "classify", str(folder / "train.csv"), "--text", text, "--label", label]
        words += ["--score", str(folder / "test.csv"), "--out", str(folder / "out"), *more]
        seconds, memory = timed(words, every=every)
        return pl.read_parquet(folder / "out" / "scores.parquet"), seconds, memory


def plain(train: pl.DataFrame, test: pl.DataFrame, text: str, label: str) -> list[str]:
    """What TF-IDF and logistic regression say at their defaults."""
    model = make_pipeline(TfidfVectorizer(), LogisticRegression(max_iter=1000))
    return model.fit(train[text].to_list(), train[label].to_list()).predict(test[text].to_list()).tolist()


def banking(folder: Path, command: Path, embeddings: Path | None = None) -> list[bool]:
    """The 77 kinds of questions."""
    train, test = (pl.read_csv(folder / f"{part}.csv", infer_schema=False) for part in ("train", "test"))
    more = ("--embeddings", str(embeddings)) if embeddings else ()
    scores, seconds, _ = classify(command, train, test, "text", "category", more=more)
    truth = test["category"].to_list()
    ours, theirs = Right(), Right()
    ours.add(truth, scores["predicted"].fill_null("").to_list())
    is_right = (scores["predicted"] == test["category"]).fill_null(False).to_numpy()
    error = calibration_error(is_right.astype(float), scores["probability"].fill_null(0.0).to_numpy())
    if embeddings:
        print(f"Banking77 with vectors: learnt and labelled in {seconds:.1f} s", flush=True)
        return [
            report("Banking77 with vectors, accuracy", ours.accuracy[0], "", 0.94, at_least=True, digits=4),
            report("calibration error with vectors", error, "", 0.02, digits=4),
        ]
    theirs.add(truth, plain(train, test, "text", "category"))
    return [
        report("Banking77, accuracy", ours.accuracy[0], "", 0.913, at_least=True, digits=4),
        report("above the plain pipeline's", ours.accuracy[0], "", theirs.accuracy[0], at_least=True, digits=4),
        report("calibration error", error, "", 0.02, digits=4),
        report("learnt and labelled in", seconds, "s", 20),
    ]


def posts(
    frame: pl.DataFrame,
    command: Path,
    splits: int,
    label: str,
    bars: tuple[float, float] | None,
    embeddings: Path | None = None,
) -> list[bool]:
    """Posts on airlines, by mood or by what they complain of."""
    ours, theirs, seconds = Right(), Right(), []
    answers = frame[label].to_numpy()
    more = ("--embeddings", str(embeddings)) if embeddings else ()
    for fit, held_out in StratifiedShuffleSplit(splits, test_size=0.2, random_state=1).split(answers, answers):
        train, test = frame[fit], frame[held_out]
        scores, taken, _ = classify(command, train, test, "text", label, more=more)
        seconds.append(taken)
        truth = test[label].to_list()
        ours.add(truth, scores["predicted"].fill_null("").to_list())
        theirs.add(truth, plain(train, test, "text", label))
    accuracy, macro = float(np.mean(ours.accuracy)), float(np.mean(ours.macro_f1))
    beside = f"plain pipeline {np.mean(theirs.accuracy):.4f}, {np.mean(theirs.macro_f1):.4f}"
    own = f"accuracy {accuracy:.4f}, macro F1 {macro:.4f}, {np.mean(seconds):.1f} s"
    called = f"{label} with vectors" if embeddings else label
    print(f"{called}: {frame.height:,} posts, {own}; {beside}", flush=True)
    held = [
        report("above the plain pipeline's", accuracy, "", float(np.mean(theirs.accuracy)), at_least=True, digits=4)
    ]
    if bars is not None:
        held.append(report(f"{called}, accuracy", accuracy, "", bars[0], at_least=True, digits=4))
        held.append(report(f"{called}, macro F1", macro, "", bars[1], at_least=True, digits=4))
    return held


def teaching(frame: pl.DataFrame, label: str, first: int, each: int, rounds: int) -> list[bool]:
    """Labels asked for by doubt and difference against as many at random: mean of accuracy and macro F1 on the rest."""
    texts = list(cleaned_all(frame["text"].to_list()))
    labels = frame[label].to_numpy()
    reached: dict[str, list[float]] = {"suggested": [], "random": []}
    for draw in range(DRAWS):
        order = np.random.default_rng(draw).permutation(len(texts))
        test, pool = order[:2_000], order[2_000:]
        for how, found in reached.items():
            known, rng = pool[:first], np.random.default_rng(draw)
            for _ in range(rounds):
                rest = np.setdiff1d(pool, known)
                if how == "suggested":
                    places = suggested([texts[row] for row in rest], each, taught(texts, labels, known))
                else:
                    places = rng.permutation(len(rest))[:each].tolist()
                known = np.concatenate([known, rest[places]])
            model = taught(texts, labels, known)
            said = np.array(model.classes)[model.probabilities([texts[row] for row in test]).argmax(axis=1)]
            right = f1_score(labels[test], said, average="macro") + np.mean(labels[test] == said)
            found.append(float(right) / 2)
    suggestion, chance = (float(np.mean(reached[how])) for how in ("suggested", "random"))
    what = f"{label}: {first} labels and {each * rounds} suggested, above random"
    return [report(what, suggestion, "", chance, at_least=True, digits=4)]


def taught(texts: list[str], labels: np.ndarray, known: np.ndarray) -> TextModel:
    """A model of the texts at these places, the labels that have enough."""
    names, counts = np.unique(labels[known], return_counts=True)
    known = known[np.isin(labels[known], names[counts >= FEWEST_OF_CLASS])]
    return fit_texts([texts[row] for row in known], labels[known].tolist(), Context()).model


def many(frame: pl.DataFrame, command: Path) -> list[bool]:
    """A hundred thousand short texts, none like another, labelled with reasons."""
    rng = np.random.default_rng(0)
    words = np.array(" ".join(frame["text"].to_list()).split())
    texts = [" ".join(rng.choice(words, 16)) for _ in range(MANY)]
    _, seconds, memory = classify(command, frame, pl.DataFrame({"text": texts}), "text", "sentiment", every=0.3)
    return [
        report(f"{MANY:,} texts, learning included", seconds, "s", 60),
        report("peak memory", memory, "GiB", 2),
    ]


def main() -> int:
    """Every set that is there; 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data", help="folder of the public data")
    parser.add_argument("--splits", type=int, default=5, help="repeats on the posts")
    parser.add_argument("--scorecast", type=Path, default=SCORECAST, help="the command to measure")
    parser.add_argument("--embeddings", type=Path, help="folder of a sentence-transformers model; without it, none")
    options = parser.parse_args()
    held: list[bool] = []
    if (options.data / "banking77" / "test.csv").exists():
        held += banking(options.data / "banking77", options.scorecast)
        if options.embeddings:
            held += banking(options.data / "banking77", options.scorecast, options.embeddings)
        kinds = pl.read_csv(options.data / "banking77" / "train.csv", infer_schema=False)
        held += teaching(kinds, "category", 600, 100, 3)
    else:
        print("Banking77: skipped, banking77/test.csv is not in the folder of public data (--data).")
    path = options.data / "airline_posts" / "posts.csv"
    if path.exists():
        frame = pl.read_csv(path, infer_schema=False).unique("text", keep="first", maintain_order=True)
        held += posts(frame, options.scorecast, options.splits, "sentiment", (0.825, 0.770))
        held += posts(frame.drop_nulls("negative_reason"), options.scorecast, options.splits, "negative_reason", None)
        if options.embeddings:
            bars = (0.832, 0.778)
            held += posts(frame, options.scorecast, options.splits, "sentiment", bars, options.embeddings)
        held += many(frame, options.scorecast)
        held += teaching(frame, "sentiment", 100, 50, 3)
    else:
        print("Airline posts: skipped, airline_posts/posts.csv is not in the folder of public data (--data).")
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
