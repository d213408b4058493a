"""
`scorecast classify` on public texts, and scikit-learn's TF-IDF and logistic regression at their defaults, in one run.

Banking77 (77 kinds of questions, its own test) and airline posts (three moods, splits of 80/20 stratified, copies left
out) are read from a folder that is given; a set that is absent is skipped, with a line that says so. The command is
timed as a whole process on two cores. Then 100,000 short texts, drawn from the posts' words, are labelled with reasons.
"""

import argparse
import sys
import tempfile
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

from pipelines.learning.judging.evaluation import calibration_error

MANY = 100_000


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
    command: Path, train: pl.DataFrame, test: pl.DataFrame, text: str, label: str, every: float | None = None
) -> tuple[pl.DataFrame, float, float]:
    """Scores in the order of `test`, seconds of the whole command, and its peak memory in GiB."""
    with tempfile.TemporaryDirectory(prefix="scorecast-benchmark-") as name:
        folder = Path(name)
        train.select(text, label).write_csv(folder / "train.csv")
        test.select(text).write_csv(folder / "test.csv")
        words = [str(command), "classify", str(folder / "train.csv"), "--text", text, "--label", label]
        words += ["--score", str(folder / "test.csv"), "--out", str(folder / "out")]
        seconds, memory = timed(words, every=every)
        return pl.read_parquet(folder / "out" / "scores.parquet"), seconds, memory


def plain(train: pl.DataFrame, test: pl.DataFrame, text: str, label: str) -> list[str]:
    """What TF-IDF and logistic regression say at their defaults."""
    model = make_pipeline(TfidfVectorizer(), LogisticRegression(max_iter=1000))
    return model.fit(train[text].to_list(), train[label].to_list()).predict(test[text].to_list()).tolist()


def banking(folder: Path, command: Path) -> list[bool]:
    """The 77 kinds of questions."""
    train, test = (pl.read_csv(folder / f"{part}.csv", infer_schema=False) for part in ("train", "test"))
    scores, seconds, _ = classify(command, train, test, "text", "category")
    truth = test["category"].to_list()
    ours, theirs = Right(), Right()
    ours.add(truth, scores["predicted"].fill_null("").to_list())
    theirs.add(truth, plain(train, test, "text", "category"))
    is_right = (scores["predicted"] == test["category"]).fill_null(False).to_numpy()
    error = calibration_error(is_right.astype(float), scores["probability"].fill_null(0.0).to_numpy())
    return [
        report("Banking77, accuracy", ours.accuracy[0], "", 0.913, at_least=True, digits=4),
        report("above the plain pipeline's", ours.accuracy[0], "", theirs.accuracy[0], at_least=True, digits=4),
        report("calibration error", error, "", 0.02, digits=4),
        report("learnt and labelled in", seconds, "s", 20),
    ]


def posts(frame: pl.DataFrame, command: Path, splits: int, label: str, bars: tuple[float, float] | None) -> list[bool]:
    """Posts on airlines, by mood or by what they complain of."""
    ours, theirs, seconds = Right(), Right(), []
    answers = frame[label].to_numpy()
    for fit, held_out in StratifiedShuffleSplit(splits, test_size=0.2, random_state=1).split(answers, answers):
        train, test = frame[fit], frame[held_out]
        scores, taken, _ = classify(command, train, test, "text", label)
        seconds.append(taken)
        truth = test[label].to_list()
        ours.add(truth, scores["predicted"].fill_null("").to_list())
        theirs.add(truth, plain(train, test, "text", label))
    accuracy, macro = float(np.mean(ours.accuracy)), float(np.mean(ours.macro_f1))
    beside = f"plain pipeline {np.mean(theirs.accuracy):.4f}, {np.mean(theirs.macro_f1):.4f}"
    own = f"accuracy {accuracy:.4f}, macro F1 {macro:.4f}, {np.mean(seconds):.1f} s"
    print(f"{label}: {frame.height:,} posts, {own}; {beside}", flush=True)
    held = [
        report("above the plain pipeline's", accuracy, "", float(np.mean(theirs.accuracy)), at_least=True, digits=4)
    ]
    if bars is not None:
        held.append(report(f"{label}, accuracy", accuracy, "", bars[0], at_least=True, digits=4))
        held.append(report(f"{label}, macro F1", macro, "", bars[1], at_least=True, digits=4))
    return held


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
    options = parser.parse_args()
    held: list[bool] = []
    if (options.data / "banking77" / "test.csv").exists():
        held += banking(options.data / "banking77", options.scorecast)
    else:
        print("Banking77: skipped, banking77/test.csv is not in the folder of public data (--data).")
    path = options.data / "airline_posts" / "posts.csv"
    if path.exists():
        frame = pl.read_csv(path, infer_schema=False).unique("text", keep="first", maintain_order=True)
        held += posts(frame, options.scorecast, options.splits, "sentiment", (0.825, 0.770))
        held += posts(frame.drop_nulls("negative_reason"), options.scorecast, options.splits, "negative_reason", None)
        held += many(frame, options.scorecast)
    else:
        print("Airline posts: skipped, airline_posts/posts.csv is not in the folder of public data (--data).")
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
