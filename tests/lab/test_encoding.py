"""Values as JSON text: everything that is accepted comes back as it was."""

import json
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overparam.errors import UsageError
from overparam.lab.encoding import decode, encode

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**400), 10**400)
    | st.floats()
    | st.complex_numbers()
    | st.text(st.characters())
)
values = st.recursive(
    scalars,
    lambda v: (
        st.lists(v, max_size=4)
        | st.lists(v, max_size=4).map(tuple)
        | st.dictionaries(st.text(max_size=5) | st.sampled_from(["$float", "$"]), v, max_size=4)
        | st.dictionaries(st.integers() | st.tuples(st.text(max_size=2)), v, max_size=3)
    ),
    max_leaves=12,
)


def same(a, b):
    """Equality that tells types apart and takes NaN for equal to NaN and 0.0 for unlike -0.0."""
    if type(a) is not type(b):
        return False
    if isinstance(a, tuple | list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, complex):
        return same(a.real, b.real) and same(a.imag, b.imag)
    if isinstance(a, float):
        return repr(a) == repr(b)
    return a == b


@given(values)
def test_round_trip_is_exact(value):
    text = encode(value)
    assert text.isascii()
    json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert same(decode(text), value)


@pytest.mark.parametrize(
    ("scalar", "plain"),
    [
        (np.float64(0.1), 0.1),
        (np.float32(0.5), 0.5),
        (np.float16("nan"), float("nan")),
        (np.int64(-3), -3),
        (np.uint64(2**64 - 1), 2**64 - 1),
        (np.bool_(True), True),
        (np.complex64(1 + 2j), 1 + 2j),
        (np.str_("ü"), "ü"),
    ],
)
def test_numpy_scalars_become_the_numbers_they_equal(scalar, plain):
    assert same(decode(encode(scalar)), plain)


def test_huge_integers_pass_pythons_limit_on_digits():
    huge = 7 ** (2 * sys.get_int_max_str_digits())
    assert decode(encode([huge, -huge])) == [huge, -huge]


@pytest.mark.parametrize(
    "value",
    [
        object(),
        {1, 2},
        b"bytes",
        np.arange(3),
        np.datetime64("2020-01-01", "ns"),
        np.longdouble(1),
        type("Text", (str,), {})("a"),
    ],
)
def test_what_would_not_come_back_is_refused(value):
    with pytest.raises(UsageError, match="cannot be kept in the store"):
        encode((1, value))


def test_object_arrays_are_refused():
    with pytest.raises(UsageError, match="of object"):
        encode(np.array([None, 1]), lambda array: "address")


def test_arrays_go_to_their_own_store():
    kept = []
    text = encode({"trace": np.ones((2, 3), np.float32)}, lambda a: kept.append(a) or "ab")
    assert json.loads(text) == {"trace": {"$array": "ab", "shape": [2, 3], "dtype": "float32"}}
    assert decode(text) == {"trace": "ab"}
    assert decode(text, lambda address: kept[0])["trace"] is kept[0]


def test_sorted_keys_make_equal_dicts_equal_texts():
    assert encode({"b": 1, "a": 2}, sort_keys=True) == encode({"a": 2, "b": 1}, sort_keys=True)
