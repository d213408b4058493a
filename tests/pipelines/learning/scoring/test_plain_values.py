"""Plain values and arrays in a zip: all comes back as it was, and what others put into such a file is refused."""

import fractions
import io
import json
import zipfile
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pipelines.learning.scoring.plain_values import NotPlain, from_bytes, to_bytes

DTYPES = st.sampled_from(["<f8", "<f4", "<i8", "<i4", "|u1", "|b1", "<u2"])
SHAPES = arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters())
    | st.binary()
    | arrays.arrays(DTYPES, SHAPES)
)
KEYS = st.text(max_size=5) | st.sampled_from(["$array", "$tuple", "$dict", "$bytes"])
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(KEYS, inner, max_size=3)
        | st.dictionaries(st.integers() | st.tuples(st.integers(), st.text(max_size=2)), inner, max_size=3)
    ),
    max_leaves=12,
)


def same(one: object, other: object) -> bool:
    """Equal in type and content, nan being nan and minus zero minus zero."""
    if type(one) is not type(other):
        return False
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float):
        return repr(one) == repr(other)
    return one == other


@given(st.dictionaries(KEYS, VALUES, max_size=4))
def test_everything_comes_back_as_it_was_and_the_same_is_the_same_bytes(values: dict):
    data = to_bytes(values)
    assert same(from_bytes(data), values)
    assert to_bytes(from_bytes(data)) == data


def test_arrays_that_come_back_can_be_written_to_whatever_their_order_was():
    turned = np.arange(6.0).reshape(2, 3).T
    (again,) = from_bytes(to_bytes({"x": turned})).values()
    again[0, 0] = 9
    assert turned[0, 0] == 0 and again.tolist()[1:] == turned.tolist()[1:]


@pytest.mark.parametrize(
    "value", [fractions.Fraction(1, 2), date(2026, 1, 1), {1, 2}, np.array(["text"]), np.array([None]), object()]
)
def test_what_is_not_plain_is_not_written(value: object):
    with pytest.raises(NotPlain, match="no plain value"):
        to_bytes({"deep": [{"down": value}]})


def archive(**members: bytes) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as made:
        for name, content in members.items():
            made.writestr({"values": "values.json", "array": "arrays/0.npy"}[name], content)
    return data.getvalue()


def array(content: np.ndarray | bytes, header: str | None = None) -> bytes:
    if isinstance(content, np.ndarray):
        file = io.BytesIO()
        np.save(file, content, allow_pickle=True)
        return file.getvalue()
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + content


ONE = json.dumps({"x": {"$array": 0}}).encode()
HUGE = "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,)}\n"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (archive(values=ONE, array=array(np.array([fractions.Fraction(1, 2)]))), "array of object"),
        (archive(values=ONE, array=array(np.array(["a"]))), "array of <U1"),
        (archive(values=ONE, array=array(bytes(16), HUGE)), "another size than it has"),
        (archive(values=ONE, array=array(bytes(16), "__import__('os').abort()\n")), "cannot be read"),
        (archive(values=ONE), "no item named 'arrays/0.npy'"),
        (archive(array=array(np.ones(1))), "no item named 'values.json'"),
        (archive(values=b"[1, 2]"), "holds a list"),
        (archive(values=b'{"x": ' + b"[" * 100_000), "cannot be read"),
        (archive(values=b'{"x": ' + b"9" * 5_000 + b"}"), "cannot be read"),
        (archive(values=b'{"$dict": [[{"$array": 0}, 1]]}', array=array(np.ones(1))), "cannot be read"),
        (b"no archive", "cannot be read"),
        (b"", "cannot be read"),
    ],
)
def test_what_somebody_else_put_there_is_refused_in_one_line(data: bytes, words: str):
    with pytest.raises(NotPlain) as refused:
        from_bytes(data)
    assert words in str(refused.value) and "\n" not in str(refused.value)
