"""Classifiers of texts on disk: plain values and arrays in one zip, with the checksum beside it, as predictions are."""

from pathlib import Path

from pipelines.learning.scoring.files import ModelRefused, write_checked
from pipelines.learning.scoring.plain_values import to_bytes
from pipelines.learning.scoring.storage import read_state
from pipelines.learning.texts.classifier import TextModel
from pipelines.learning.texts.tags import TagModel

FORMAT = 2
KINDS = {"classes": TextModel, "tags": TagModel}


def save_text_model(model: TextModel | TagModel, path: Path) -> str:
    """Write a classifier and its checksum beside it; returns the SHA-256 of the file, as 64 hexadecimal digits."""
    kind = "tags" if isinstance(model, TagModel) else "classes"
    return write_checked(Path(path), to_bytes({**vars(model), "format": FORMAT, "kind": kind}))


def load_text_model(path: Path, checksum: str | None = None) -> TextModel | TagModel:
    """
    Read a classifier that `save_text_model` wrote.

    `checksum`: what `save_text_model` returned, where the caller has kept it. Raises FileNotFoundError, or ModelRefused
    with one line if the file differs from its checksum or has none, is damaged, or is from another version.
    """
    state = read_state(path, FORMAT, checksum)
    try:
        return KINDS[state.pop("kind")](**state)
    except (KeyError, TypeError, ValueError) as problem:
        raise ModelRefused(f"{path} does not fit this version ({problem}). Fit the model again.") from problem
