import fractions

import numpy as np
import polars as pl
import pytest
import skops.io
from polars.testing import assert_frame_equal
from sklearn.linear_model import LogisticRegression

from pipelines.learning.scoring import score_prediction
from pipelines.learning.storage import ModelRefused, load_model, save_model


def test_a_stored_model_gives_identical_scores(fitted, known, tmp_path):
    path = tmp_path / "models" / "churn.skops"
    save_model(fitted.model, path)
    again = load_model(path)
    assert_frame_equal(score_prediction(again, known), score_prediction(fitted.model, known), check_exact=True)
    assert again.spec == fitted.model.spec
    assert again.card == fitted.card
    assert again.metrics == fitted.metrics
    assert (again.fingerprint, again.code_version) == (fitted.model.fingerprint, fitted.model.code_version)
    assert again.dropped == fitted.model.dropped
    assert again.trained_until_day == (known["as_of_date"].max() - pl.Series(["1970-01-01"]).str.to_date()[0]).days
    assert [each.name for each in path.parent.iterdir()] == ["churn.skops"]
    assert path.stat().st_size < 2_000_000


def test_a_stored_model_holds_plain_values_alone(fitted, tmp_path):
    path = tmp_path / "churn.skops"
    save_model(fitted.model, path)
    assert skops.io.get_untrusted_types(file=path) == []


def test_other_contents_are_refused(tmp_path):
    path = tmp_path / "odd.skops"
    skops.io.dump({"format": 1, "x": fractions.Fraction(1, 2)}, path)
    with pytest.raises(ModelRefused, match="fractions"):
        load_model(path)
    skops.io.dump(LogisticRegression(), path)
    with pytest.raises(ModelRefused, match="LogisticRegression"):
        load_model(path)
    skops.io.dump({"format": 99}, path)
    with pytest.raises(ModelRefused, match="model format 99"):
        load_model(path)
    skops.io.dump({"format": 1, "spec": {"name": "x"}}, path)
    with pytest.raises(ModelRefused, match="does not fit this version"):
        load_model(path)
    path.write_bytes(b"no archive")
    with pytest.raises(ModelRefused, match="no readable model file"):
        load_model(path)
    with pytest.raises(FileNotFoundError):
        load_model(tmp_path / "nothing.skops")


def test_a_truncated_file_is_refused(fitted, tmp_path):
    path = tmp_path / "churn.skops"
    save_model(fitted.model, path)
    data = path.read_bytes()
    for size in np.linspace(1, len(data) - 1, 5).astype(int):
        path.write_bytes(data[:size])
        with pytest.raises(ModelRefused):
            load_model(path)


def test_a_failed_save_leaves_the_old_model(fitted, known, tmp_path, monkeypatch):
    path = tmp_path / "churn.skops"
    save_model(fitted.model, path)
    before = path.read_bytes()

    def full(*_: object, **__: object) -> bytes:
        raise OSError("No space left on device")

    monkeypatch.setattr(skops.io, "dumps", full)
    with pytest.raises(OSError, match="No space"):
        save_model(fitted.model, path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
