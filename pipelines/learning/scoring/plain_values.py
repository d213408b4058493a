"""
Plain values and arrays as the bytes of one zip: `values.json`, and a NumPy file for each array. Nothing in it can run.

An array stands in the JSON as `{"$array": number}`; a tuple, bytes, and a dictionary with other keys than texts have
such a marker, too. The same values give the same bytes.
"""

import base64
import io
import json
import math
import zipfile
from typing import Any

import numpy as np

VALUES = "values.json"
LARGEST_CONTENTS = 2**30
"""Bytes that a file may unpack to; the usual model has ten million."""
KINDS = "fiub"
"""NumPy's kinds of dtypes that are kept: floats, integers, unsigned integers, booleans."""
BEGINNING_OF_TIME = (1980, 1, 1, 0, 0, 0)
"""Of the members of the zip, so that a repeated fit gives the same file."""


class NotPlain(ValueError):
    """A value of a kind that is not kept, or bytes that hold something else; the message is one line."""


def to_bytes(values: dict) -> bytes:
    """
    Nested dictionaries, lists and tuples of texts, numbers, booleans, None, bytes and numeric arrays, compressed.

    Raises `NotPlain` for a value of any other type.
    """
    arrays: list[np.ndarray] = []
    text = json.dumps(_marked(values, arrays), ensure_ascii=False, separators=(",", ":"))
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED, compresslevel=3) as archive:
        archive.writestr(_member(VALUES), text.encode("utf-8", "surrogatepass"))
        for number, array in enumerate(arrays):
            file = io.BytesIO()
            np.lib.format.write_array(file, np.ascontiguousarray(array).reshape(array.shape), allow_pickle=False)
            archive.writestr(_member(_array_name(number)), file.getvalue())
    return data.getvalue()


def from_bytes(data: bytes) -> dict:
    """
    What `to_bytes` was given: the same types, and arrays of the same dtype and shape, which can be written to.

    Raises `NotPlain` for bytes that are no such zip, are damaged, or would unpack to more than `LARGEST_CONTENTS`.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
            if unpacked > LARGEST_CONTENTS:
                raise NotPlain(
                    f"it would unpack to {unpacked:,} bytes, more than the {LARGEST_CONTENTS:,} that are read"
                )
            marked = json.loads(archive.read(VALUES).decode("utf-8", "surrogatepass"))
            values = _plain(marked, archive)
    except NotPlain:
        raise
    except Exception as problem:  # whatever zipfile, json or NumPy stumble over in a file of somebody else
        words = " ".join(f"{type(problem).__name__}: {problem}".split())[:200]
        raise NotPlain(f"it cannot be read ({words})") from problem
    if not isinstance(values, dict):
        raise NotPlain(f"it holds a {type(values).__name__} where named values should be")
    return values


def _marked(value: Any, arrays: list[np.ndarray]) -> Any:
    """The value as JSON can say it; arrays go to the list."""
    if isinstance(value, np.ndarray):
        if value.dtype.kind not in KINDS:
            raise NotPlain(f"an array of {value.dtype} is no plain value")
        arrays.append(value)
        return {"$array": len(arrays) - 1}
    if isinstance(value, dict):
        if all(type(key) is str and not key.startswith("$") for key in value):
            return {key: _marked(each, arrays) for key, each in value.items()}
        return {"$dict": [[_marked(key, arrays), _marked(each, arrays)] for key, each in value.items()]}
    if isinstance(value, list):
        return [_marked(each, arrays) for each in value]
    if isinstance(value, tuple):
        return {"$tuple": [_marked(each, arrays) for each in value]}
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode()}
    if value is None or isinstance(value, str | bool | int | float):
        return value
    raise NotPlain(f"a {type(value).__module__}.{type(value).__name__} is no plain value")


def _plain(value: Any, archive: zipfile.ZipFile) -> Any:
    """The value that `_marked` was given."""
    if isinstance(value, list):
        return [_plain(each, archive) for each in value]
    if not isinstance(value, dict):
        return value
    match list(value.items()):
        case [("$array", int(number))]:
            return _array(archive.read(_array_name(number)))
        case [("$dict", list(pairs))]:
            return {_plain(key, archive): _plain(each, archive) for key, each in pairs}
        case [("$tuple", list(parts))]:
            return tuple(_plain(each, archive) for each in parts)
        case [("$bytes", str(text))]:
            return base64.b64decode(text, validate=True)
    return {key: _plain(each, archive) for key, each in value.items()}


def _array(data: bytes) -> np.ndarray:
    """An array from a NumPy file, whose header is checked before anything is reserved for it."""
    file = io.BytesIO(data)
    if np.lib.format.read_magic(file) != (1, 0):
        raise NotPlain("an array has another version of NumPy's format")
    shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(file)
    content = memoryview(data)[file.tell() :]
    if dtype.kind not in KINDS or dtype.hasobject:
        raise NotPlain(f"an array of {dtype} is no plain value")
    if math.prod(shape) * dtype.itemsize != len(content):
        raise NotPlain(f"an array of shape {shape} says that it has another size than it has")
    return np.frombuffer(content, dtype).reshape(shape, order="F" if is_fortran else "C").copy()


def _array_name(number: int) -> str:
    return f"arrays/{number}.npy"


def _member(name: str) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name, BEGINNING_OF_TIME)
    member.compress_type = zipfile.ZIP_DEFLATED
    return member
