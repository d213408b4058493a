"""
Models on disk: plain values and arrays in one zip (`plain_values`), so that opening a file never runs anything.

Beside a model lies its SHA-256 (`<file>.sha256`, in the format of `sha256sum`): a file that was changed or put there by
somebody else is not even opened.
"""

from dataclasses import asdict
from pathlib import Path

from pipelines.learning.columns.kinds import Dropped
from pipelines.learning.learners.encoding import Encoding
from pipelines.learning.scoring.files import ADVICE, ModelRefused, checksum_path, read_checked, write_checked
from pipelines.learning.scoring.fitted import FittedPrediction
from pipelines.learning.scoring.plain_values import NotPlain, from_bytes, to_bytes
from pipelines.learning.specs import PredictionSpec

__all__ = ["ModelRefused", "checksum_path", "load_model", "save_model"]

FORMAT = 2


def save_model(model: FittedPrediction, path: Path) -> str:
    """
    Write a model and its checksum beside it; files appear whole or not at all. A missing folder is made.

    Returns the SHA-256 of the file, as 64 hexadecimal digits.
    """
    state = {
        **{name: value for name, value in vars(model).items() if name not in ("spec", "encoding", "dropped")},
        "format": FORMAT,
        "spec": model.spec.to_state(),
        "encoding": asdict(model.encoding),
        "dropped": [asdict(each) for each in model.dropped],
    }
    return write_checked(Path(path), to_bytes(state))


def read_state(path: Path, current: int, checksum: str | None = None) -> dict:
    """The plain values in a model's file, less its format, which has to be the current one; raises as `load_model`."""
    data = read_checked(Path(path), checksum)
    try:
        state = from_bytes(data)
    except NotPlain as problem:
        raise ModelRefused(f"{path} is no readable model file: {problem}. {ADVICE}") from problem
    version = state.pop("format", None)
    if version != current:
        raise ModelRefused(f"{path} has model format {version}, this version reads {current}. Fit the model again.")
    return state


def load_model(path: Path, checksum: str | None = None) -> FittedPrediction:
    """
    Read a model that `save_model` wrote.

    `checksum`: what `save_model` returned, where the caller has kept it; the checksum beside the file is compared in
    any case. Raises FileNotFoundError, or ModelRefused with one line if the file is no file or too large, differs from
    its checksum or has none, is damaged, from another version, or holds anything but plain values and arrays.
    """
    state = read_state(path, FORMAT, checksum)
    try:
        spec, encoding = PredictionSpec.from_state(state.pop("spec")), Encoding(**state.pop("encoding"))
        dropped = [Dropped(**each) for each in state.pop("dropped")]
        return FittedPrediction(spec=spec, encoding=encoding, dropped=dropped, **state)
    except (KeyError, TypeError, ValueError) as problem:
        raise ModelRefused(f"{path} does not fit this version ({problem}). Fit the model again.") from problem
