import hashlib
import io
import os
import pickle
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from pipelines.learning.scoring import plain_values, storage
from pipelines.learning.scoring.fitted import score_prediction
from pipelines.learning.scoring.plain_values import to_bytes
from pipelines.learning.scoring.storage import ModelRefused, checksum_path, load_model, save_model


def test_a_stored_model_gives_identical_scores(fitted, known, tmp_path):
    path = tmp_path / "models" / "churn.zip"
    save_model(fitted.model, path)
    again = load_model(path)
    assert_frame_equal(score_prediction(again, known), score_prediction(fitted.model, known), check_exact=True)
    assert again.spec == fitted.model.spec
    assert again.metrics == fitted.metrics
    assert (again.fingerprint, again.code_version) == (fitted.model.fingerprint, fitted.model.code_version)
    assert again.dropped == fitted.model.dropped
    assert again.trained_until_day == (known["as_of_date"].max() - pl.Series(["1970-01-01"]).str.to_date()[0]).days
    assert sorted(each.name for each in path.parent.iterdir()) == ["churn.zip", "churn.zip.sha256"]
    assert path.stat().st_size < 2_000_000


def test_the_same_model_is_the_same_file(fitted, tmp_path):
    first, second = (save_model(fitted.model, tmp_path / f"{name}.zip") for name in "ab")
    assert first == second


def vouch(path: Path) -> None:
    """What somebody who can write files would do: put the right checksum beside a file of their own."""
    checksum_path(path).write_text(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n")


def refusal(path: Path, checksum: str | None = None) -> str:
    """The one line that says why a file is refused."""
    with pytest.raises(ModelRefused) as refused:
        load_model(path, checksum)
    words = str(refused.value)
    assert "\n" not in words
    assert words.startswith(str(path))
    assert "it the model again" in words
    return words


def test_the_checksum_beside_a_model_is_what_sha256sum_would_write(fitted, tmp_path):
    path = tmp_path / "churn.zip"
    digest = save_model(fitted.model, path)
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest()
    assert checksum_path(path).read_text() == f"{digest}  churn.zip\n"
    assert load_model(path, checksum=digest).fingerprint == fitted.model.fingerprint


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_a_single_flipped_bit_is_refused(fitted, tmp_path, share: float):
    path = tmp_path / "churn.zip"
    save_model(fitted.model, path)
    data = bytearray(path.read_bytes())
    data[int(share * (len(data) - 1))] ^= 1
    path.write_bytes(bytes(data))
    assert "is not the file that was saved" in refusal(path)


def test_a_model_without_its_checksum_is_refused(fitted, tmp_path):
    path = tmp_path / "churn.zip"
    save_model(fitted.model, path)
    checksum_path(path).unlink()
    assert "has no checksum beside it (churn.zip.sha256)" in refusal(path)
    checksum_path(path).write_text("")
    assert "churn.zip.sha256 says nothing" in refusal(path)


def test_another_model_with_a_checksum_of_its_own_is_not_the_one_of_the_record(fitted, tmp_path):
    path, other = tmp_path / "churn.zip", tmp_path / "other.zip"
    digest = save_model(fitted.model, path)
    other.write_bytes(to_bytes({"format": 2}))
    path.write_bytes(other.read_bytes())
    vouch(path)
    assert "the record of its fit says" in refusal(path, digest)


def test_a_pickle_by_a_model_s_name_is_not_opened(tmp_path):
    trap, path = tmp_path / "opened", tmp_path / "churn.zip"

    class Trap:
        def __reduce__(self):
            return (Path.touch, (trap,))

    path.write_bytes(pickle.dumps(Trap()))
    assert "has no checksum" in refusal(path)
    vouch(path)
    assert "no readable model file" in refusal(path)
    assert not trap.exists()
    pickle.loads(path.read_bytes())
    assert trap.exists()


def test_other_contents_are_refused(tmp_path):
    path = tmp_path / "odd.zip"
    for contents, words in (
        ({"x": 1}, "model format None"),
        ({"format": 99}, "model format 99"),
        ({"format": 2, "spec": {"name": "x"}}, "does not fit this version"),
    ):
        path.write_bytes(to_bytes(contents))
        vouch(path)
        assert words in refusal(path)
    path.write_bytes(b"no archive")
    vouch(path)
    assert "no readable model file" in refusal(path)
    with pytest.raises(FileNotFoundError):
        load_model(tmp_path / "nothing.zip")


def test_a_truncated_file_is_refused(fitted, tmp_path):
    path = tmp_path / "churn.zip"
    save_model(fitted.model, path)
    data = path.read_bytes()
    for size in np.linspace(1, len(data) - 1, 5).astype(int):
        path.write_bytes(data[:size])
        refusal(path)
        vouch(path)
        refusal(path)


def test_a_file_of_fifty_gigabytes_is_refused_by_its_size(fitted, tmp_path):
    path = tmp_path / "churn.zip"
    save_model(fitted.model, path)
    with path.open("r+b") as file:
        file.truncate(50 * 2**30)
    assert "has 53,687,091,200 bytes, more than the 268,435,456 that are read" in refusal(path)


@pytest.mark.parametrize("which", ["the model", "its checksum"])
@pytest.mark.parametrize("kind", ["pipe", "folder", "device"])
def test_what_is_no_file_is_not_opened(fitted, tmp_path, which: str, kind: str):
    path = tmp_path / "churn.zip"
    save_model(fitted.model, path)
    odd = path if which == "the model" else checksum_path(path)
    odd.unlink()
    make = {"pipe": os.mkfifo, "folder": os.mkdir, "device": lambda path: path.symlink_to("/dev/zero")}
    make[kind](odd)
    assert f"{odd} is a folder, a pipe or a device, not a file" in refusal(path)


def test_a_link_to_a_model_is_followed(fitted, tmp_path):
    save_model(fitted.model, tmp_path / "elsewhere" / "churn.zip")
    link = tmp_path / "churn.zip"
    for name in (link.name, checksum_path(link).name):
        (tmp_path / name).symlink_to(tmp_path / "elsewhere" / name)
    assert load_model(link).fingerprint == fitted.model.fingerprint


def bomb(size: int) -> bytes:
    """A small archive that unpacks to `size` bytes of nothing."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("values.json", "w") as member:
        for _ in range(size // 2**20):
            member.write(bytes(2**20))
    return data.getvalue()


def test_an_archive_that_would_unpack_to_more_than_fits_is_refused_unopened(tmp_path, monkeypatch):
    monkeypatch.setattr(plain_values, "LARGEST_CONTENTS", 64 * 2**20)
    path = tmp_path / "churn.zip"
    path.write_bytes(bomb(100 * 2**20))
    vouch(path)
    tracemalloc.start()
    try:
        assert "would unpack to 104,857,600 bytes, more than the 67,108,864 that are read" in refusal(path)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 10 * 2**20


def test_an_archive_that_lies_about_its_size_is_refused(tmp_path):
    path, data = tmp_path / "churn.zip", bytearray(bomb(2**20))
    size = data.rindex(b"PK\x01\x02") + 24
    data[size : size + 4] = (10).to_bytes(4, "little")
    path.write_bytes(data)
    vouch(path)
    assert "no readable model file" in refusal(path)


def test_a_failed_save_leaves_the_old_model(fitted, known, tmp_path, monkeypatch):
    path = tmp_path / "churn.zip"
    save_model(fitted.model, path)
    before = path.read_bytes()

    def full(*_: object, **__: object) -> bytes:
        raise OSError("No space left on device")

    monkeypatch.setattr(storage, "to_bytes", full)
    with pytest.raises(OSError, match="No space"):
        save_model(fitted.model, path)
    assert path.read_bytes() == before
    assert sorted(tmp_path.iterdir()) == [path, checksum_path(path)]
    assert load_model(path).fingerprint == fitted.model.fingerprint
