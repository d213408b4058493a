"""
Models on disk, by skops: plain values and arrays alone, so that opening a file never runs code that came with it.

Beside a model lies its SHA-256 (`<file>.sha256`, in the format of `sha256sum`): a file that was changed or put there by
somebody else is not even opened.
"""

import hashlib
import hmac
import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from pipelines.learning.encoding import Encoding
from pipelines.learning.scoring import FittedPrediction
from pipelines.learning.serialisation import to_skops
from pipelines.learning.specs import PredictionSpec

FORMAT = 1
PLAIN = (dict, list, tuple, str, int, float, bool, bytes, type(None))


class ModelRefused(ValueError):
    """A file that is no model of ours, was changed since, or holds types that we do not trust."""


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
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    data = serialise(state)
    digest = hashlib.sha256(data).hexdigest()
    _write({path: data, checksum_path(path): f"{digest}  {path.name}\n".encode()})
    return digest


def load_model(path: Path, checksum: str | None = None) -> FittedPrediction:
    """
    Read a model that `save_model` wrote.

    `checksum`: what `save_model` returned, where the caller has kept it; the checksum beside the file is compared in
    any case. Raises FileNotFoundError, or ModelRefused with one line if the file differs from its checksum or has none,
    is damaged, from another version, or holds anything but plain values and arrays.
    """
    data = read_checked(path, checksum)
    state = _open(Path(path), data)
    version = state.pop("format", None)
    if version != FORMAT:
        raise ModelRefused(f"{path} has model format {version}, this version reads {FORMAT}. Fit the model again.")
    try:
        spec, encoding = PredictionSpec.from_state(state.pop("spec")), Encoding(**state.pop("encoding"))
        return FittedPrediction(spec=spec, encoding=encoding, **state)
    except (KeyError, TypeError, ValueError) as problem:
        raise ModelRefused(f"{path} does not fit this version ({problem}). Fit the model again.") from problem


def read_checked(path: Path, checksum: str | None = None) -> bytes:
    """The bytes of a model's file, if they have the checksum beside it and, if given, the one that the caller knows."""
    path = Path(path)
    data = path.read_bytes()
    beside = checksum_path(path)
    if not beside.exists():
        raise ModelRefused(
            f"{path} has no checksum beside it ({beside.name}), so nobody can tell whose it is. It was not opened. "
            "Bring the checksum along with the file, or fit the model again."
        )
    said = beside.read_text(errors="replace").split()
    digest = hashlib.sha256(data).hexdigest()
    for expected, where in ((said[0] if said else "", beside.name), (checksum, "the record of its fit")):
        if expected is not None and not hmac.compare_digest(expected.encode(), digest.encode()):
            raise ModelRefused(
                f"{path} is not the file that was saved: its SHA-256 is {digest[:12]}…, {where} says "
                f"{expected[:12] or 'nothing'}…. It was not opened. Restore the file, or fit the model again."
            )
    return data


def checksum_path(path: Path) -> Path:
    """Where the checksum of a model's file lies."""
    return path.with_name(f"{path.name}.sha256")


def _open(path: Path, data: bytes) -> dict:
    """The plain values in a file; what skops finds in it is looked at before anything is made from it."""
    import skops.io

    try:
        unknown = skops.io.get_untrusted_types(data=data)
        state = {} if unknown else skops.io.loads(data, trusted=[])
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


def _write(contents: dict[Path, bytes]) -> None:
    """Files that appear whole or not at all: all are on the disk before the first gets its name."""
    drafts = {path: path.with_name(f".{path.name}.{os.getpid()}.tmp") for path in contents}
    try:
        for path, data in contents.items():
            with open(drafts[path], "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        for path, draft in drafts.items():
            os.replace(draft, path)
    finally:
        for draft in drafts.values():
            draft.unlink(missing_ok=True)


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
