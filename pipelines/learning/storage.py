"""Models on disk, by skops: plain values and arrays alone, so that opening a file never runs code that came with it."""

import os
from dataclasses import asdict
from pathlib import Path

from pipelines.learning.encoding import Encoding
from pipelines.learning.scoring import FittedPrediction
from pipelines.learning.specs import PredictionSpec

FORMAT = 1
PLAIN = (dict, list, tuple, str, int, float, bool, bytes, type(None))


class ModelRefused(ValueError):
    """A file that is no model of ours, or holds types that we do not trust."""


def save_model(model: FittedPrediction, path: Path) -> None:
    """Write a model; the file appears whole or not at all. The folder is made if it is missing."""
    import zipfile

    import skops.io

    state = {
        **{name: value for name, value in vars(model).items() if name not in ("spec", "encoding")},
        "format": FORMAT,
        "spec": model.spec.to_state(),
        "encoding": asdict(model.encoding),
    }
    draft = Path(path).with_name(f".{Path(path).name}.{os.getpid()}.tmp")
    draft.parent.mkdir(parents=True, exist_ok=True)
    try:
        with open(draft, "wb") as file:
            file.write(skops.io.dumps(state, compression=zipfile.ZIP_DEFLATED, compresslevel=3))
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def load_model(path: Path) -> FittedPrediction:
    """Read a model that `save_model` wrote.

    Raises FileNotFoundError, or ModelRefused if the file is damaged, from another version, or holds anything but plain
    values
    and arrays.
    """
    import zipfile

    import skops.io

    data = Path(path).read_bytes()
    try:
        unknown = skops.io.get_untrusted_types(data=data)
        if unknown:
            raise ModelRefused(f"{path} holds types that a model never has: {', '.join(unknown)}. It was not opened.")
        state = skops.io.loads(data, trusted=[])
    except (zipfile.BadZipFile, KeyError, EOFError) as problem:
        raise ModelRefused(f"{path} is no readable model file ({problem}). Fit the model again.") from problem
    odd = _odd_type(state)
    if odd or not isinstance(state, dict):
        raise ModelRefused(f"{path} holds a {odd or type(state).__name__} where a model has plain values.")
    version = state.pop("format", None)
    if version != FORMAT:
        raise ModelRefused(f"{path} has model format {version}, this version reads {FORMAT}. Fit the model again.")
    try:
        spec, encoding = PredictionSpec.from_state(state.pop("spec")), Encoding(**state.pop("encoding"))
        return FittedPrediction(spec=spec, encoding=encoding, **state)
    except (KeyError, TypeError, ValueError) as problem:
        raise ModelRefused(f"{path} does not fit this version ({problem}). Fit the model again.") from problem


def _odd_type(value: object) -> str | None:
    """The first type in a nest of containers that is neither plain nor an array of numbers."""
    import numpy as np

    if isinstance(value, dict):
        return next((odd for pair in value.items() for each in pair if (odd := _odd_type(each))), None)
    if isinstance(value, list | tuple):
        return next((odd for each in value if (odd := _odd_type(each))), None)
    if isinstance(value, np.ndarray):
        return None if value.dtype.kind in "fiub" else f"array of {value.dtype}"
    return None if isinstance(value, PLAIN) else type(value).__name__
