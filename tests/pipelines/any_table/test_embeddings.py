"""Vectors of texts beside the words: kept by digest, never asked twice, and a clear line without the extra."""

import json
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pipelines.any_table import embeddings
from pipelines.any_table.embeddings import vectors_of
from pipelines.any_table.question import CannotPredict
from tests.pipelines.any_table.test_classify import run, table, written


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Stands for the model: a vector from each text's letters. Returns the texts that it was asked for."""
    asked: list[str] = []

    def encoded(texts: list[str], source: str) -> np.ndarray:
        asked.extend(texts)
        counts = np.array([[text.count(letter) for letter in "abcdefghij"] for text in texts], dtype=np.float32)
        return counts / (np.linalg.norm(counts, axis=1, keepdims=True) + 1e-6)

    monkeypatch.setattr(embeddings, "_encoded", encoded)
    return asked


def test_a_text_is_read_once_and_only_its_digest_is_kept(tmp_path: Path, asked: list[str]):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "weights").write_text("1")
    first = vectors_of(["a private bag", "a private bag", "deed"], str(folder), tmp_path / "cache")
    assert first.shape == (3, 10) and first.dtype == np.float32 and np.array_equal(first[0], first[1])
    again = vectors_of(["deed", "cab", "a private bag"], str(folder), tmp_path / "cache")
    assert asked == ["a private bag", "deed", "cab"]
    assert np.array_equal(again[2], first[0]) and np.array_equal(again[0], first[2])
    assert all(b"private" not in path.read_bytes() for path in (tmp_path / "cache").iterdir())
    (folder / "weights").write_text("2")  # another model
    vectors_of(["deed"], str(folder), tmp_path / "cache")
    assert asked[3:] == ["deed"]
    for path in (tmp_path / "cache").iterdir():
        path.write_bytes(path.read_bytes()[:50])
    assert np.array_equal(vectors_of(["deed"], str(folder), tmp_path / "cache")[0], first[2])


def test_the_whole_meaning_is_one_reason_that_adds_up(tmp_path: Path, asked: list[str]):
    path, out = written(table(200), tmp_path / "t.csv"), tmp_path / "o"
    code, output = run(path, "--text", "said", "--label", "type", "--out", out, "--embeddings", "a/model")
    assert code == 0, output
    evaluation = json.loads((out / "evaluation.json").read_text())
    assert evaluation["method"].startswith("linear on words and runs of characters beside the vectors of model")
    assert len(asked) == len(set(asked)) <= 200
    scores = pl.read_parquet(out / "scores.parquet")
    meanings = [json.loads(each)["meaning"] for each in scores["reasons"]]
    assert np.std(meanings) > 0.01


def test_without_the_extra_a_line_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    path = written(table(60), tmp_path / "t.csv")
    code, output = run(path, "--text", "said", "--label", "type", "--out", tmp_path / "o", "--embeddings", "a/model")
    said = " ".join(output.split())
    assert code == 2 and "--embeddings needs sentence-transformers, which is not installed" in said
    assert "pip install '.[embeddings]'" in said and "Traceback" not in said


def test_a_folder_that_is_not_there_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "sentence_transformers", type(sys)("sentence_transformers"))
    sys.modules["sentence_transformers"].SentenceTransformer = None
    with pytest.raises(CannotPredict, match="there is no such folder"):
        vectors_of(["a text"], str(tmp_path / "nothing"), tmp_path)
