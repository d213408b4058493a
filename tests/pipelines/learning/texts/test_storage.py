"""A classifier of texts is read back as it was written, and only if nobody touched its file."""

from pathlib import Path

import numpy as np
import pytest

from pipelines.learning.context import Context
from pipelines.learning.scoring.files import ModelRefused
from pipelines.learning.texts.classifier import fit_texts
from pipelines.learning.texts.storage import load_text_model, save_text_model

TEXTS = [f"the invoice number {n} is wrong" for n in range(30)] + [f"login page {n} fails again" for n in range(30)]
LABELS = ["billing"] * 30 + ["login"] * 30


def test_what_is_read_back_says_the_same(tmp_path: Path):
    model = fit_texts(_varied(), LABELS, Context()).model
    checksum = save_text_model(model, tmp_path / "model.zip")
    again = load_text_model(tmp_path / "model.zip", checksum)
    new = ["my invoice is wrong", "cannot login", ""]
    assert np.array_equal(again.probabilities(new), model.probabilities(new))
    assert again.classes == ("billing", "login")


def test_a_changed_file_is_refused(tmp_path: Path):
    path = tmp_path / "model.zip"
    save_text_model(fit_texts(_varied(), LABELS, Context()).model, path)
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(ModelRefused, match="not the file that was saved"):
        load_text_model(path)


def _varied() -> list[str]:
    return [f"{text} {chr(97 + n % 26) * 3}" for n, text in enumerate(TEXTS)]
