"""
Models on disk, by skops: plain values and arrays alone, so that opening a file never runs code that came with it.

Beside a model lies its SHA-256 (`<file>.sha256`, in the format of `sha256sum`): a file that was changed or put there by
somebody else is not even opened.
"""

import io
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from pipelines.learning.encoding import Encoding
from pipelines.learning.files import ADVICE, ModelRefused, checksum_path, read_checked, write_checked
from pipelines.learning.scoring import FittedPrediction
from pipelines.learning.serialisation import to_skops
from pipelines.learning.specs import PredictionSpec

__all__ = ["ModelRefused", "checksum_path", "load_model", "save_model"]

FORMAT = 1
LARGEST_CONTENTS = 2**30
"""Bytes that a model's file may unpack to; the usual one has ten million."""
PLAIN = (dict, list, tuple, str, int, float, bool, bytes, type(None))


def save_model(model: FittedPrediction, path: Path, serialise: Callable[[dict], bytes] = to_skops) -> str:
    """
    Write a model and its checksum beside it; files appear whole or not at all. A missing folder is made.

    Returns the SHA-256 of the file, as 64 hexadecimal digits.
    """
    state = {
        **{name: value for name, value in vars(model).items() if name not in ("spec", "encoding")},
        "format": FORMAT,
        "spec": model.spec.to_state(),
        "encoding": asdict(model.encoding),
    }
    return write_checked(Path(path), serialise(state))


def load_model(path: Path, checksum: str | None = None) -> FittedPrediction:
    """
    Read a model that `save_model` wrote.

    `checksum`: what `save_model` returned, where the caller has kept it; the checksum beside the file is compared in
    any case. Raises FileNotFoundError, or ModelRefused with one line if the file is no file or too large, differs from
    its checksum or has none, is damaged, from another version, or holds anything but plain values and arrays.
    """
    path = Path(path)
    state = _open(path, read_checked(path, checksum))
    version = state.pop("format", None)
    if version != FORMAT:
        raise ModelRefused(f"{path} has model format {version}, this version reads {FORMAT}. Fit the model again.")
    try:
        spec, encoding = PredictionSpec.from_state(state.pop("spec")), Encoding(**state.pop("encoding"))
        return FittedPrediction(spec=spec, encoding=encoding, **state)
    except (KeyError, TypeError, ValueError) as problem:
        raise ModelRefused(f"{path} does not fit this version ({problem}). Fit the model again.") from problem


def _open(path: Path, data: bytes) -> dict:
    """The plain values in a file; what skops finds in it is looked at before anything is made from it."""
    import zipfile

    import skops.io

    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
        if unpacked > LARGEST_CONTENTS:
            raise ModelRefused(
                f"{path} would unpack to {unpacked:,} bytes, more than the {LARGEST_CONTENTS:,} that are read. It was "
                f"not opened. {ADVICE}"
            )
        unknown = skops.io.get_untrusted_types(data=data)
        state = {} if unknown else skops.io.loads(data, trusted=[])
    except ModelRefused:
        raise
    except Exception as problem:  # whatever skops stumbles over in a file that it did not write
        told = " ".join(str(problem).split())[:200]
        raise ModelRefused(f"{path} is no readable model file ({told}). Fit the model again.") from problem
    if unknown:
        raise ModelRefused(
            f"{path} holds types that a model never has: {', '.join(unknown)}. It was not opened. Fit the model again."
        )
    odd = _odd_type(state)
    if odd or not isinstance(state, dict):
        raise ModelRefused(
            f"{path} holds a {odd or type(state).__name__} where a model has plain values. Fit the model again."
        )
    return state


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
