"""Values as JSON text: everything that is accepted comes back as it was."""

import contextlib
import json
import math
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overparam.errors import StoreError, UsageError
from overparam.lab.encoding import ArrayAt, decode, encode

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**300), 10**300)
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


@settings(deadline=None)
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


@pytest.mark.parametrize("sign", [1, -1])
def test_integers_that_no_float_holds_are_no_values(sign):
    largest = 2**1023 - 1
    assert decode(encode(sign * largest)) == sign * largest
    assert math.isfinite(float(largest))
    with pytest.raises(UsageError, match=r"integer is too large.*1,024 bits.*1,023.*logarithm"):
        encode([sign * (largest + 1)])
    # As a number too, and of more digits than Python prints.
    for huge in (largest + 1, 7 ** (2 * sys.get_int_max_str_digits())):
        with pytest.raises(StoreError, match="stored value cannot be read"):
            decode(json.dumps({"$int": hex(sign * huge)}))
    with pytest.raises(StoreError, match="stored value cannot be read"):
        decode(f'{{"$float": "1", "x": {sign * 10**400}}}')
    with pytest.raises(StoreError, match="stored value cannot be read"):
        decode(str(sign * 10**400))


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
    told = {"$array": "ab", "shape": [2, 3], "dtype": "float32", "bytes": 24}
    assert json.loads(text) == {"trace": told}
    assert decode(text) == {"trace": ArrayAt("ab", (2, 3), "float32", 24)}
    assert decode(text, lambda at: kept[0])["trace"] is kept[0]


@pytest.mark.parametrize("kind", ["masked", "matrix", "record"])
def test_arrays_that_would_come_back_as_others_are_refused(kind):
    numbers = np.ones((2, 2))
    special = {
        "masked": np.ma.masked_array(numbers, numbers > 0),
        "matrix": numbers.view(np.matrix),
        "record": np.rec.array([(1, 2.0)], dtype="i4,f4"),
    }
    with pytest.raises(UsageError, match=r"cannot be kept in the store; got .numpy"):
        encode(special[kind], lambda array: "address")


def test_what_holds_itself_or_is_nested_too_deeply_is_refused():
    endless: list = []
    endless.append(endless)
    deep: tuple = ()
    for _ in range(100):
        deep = (deep,)
    for value in (endless, deep, {"a": endless}):
        with pytest.raises(UsageError, match="nested too deeply"):
            encode(value)
    assert decode(encode(deep[0])) == deep[0]


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000 + "]" * 100_000,
        '{"a":' * 100_000 + "1" + "}" * 100_000,
        '{"$tuple":[' * 50_000 + "]}" * 50_000,
        "1" * 10_000,
        "{",
        "",
        '{"$float": []}',
        '{"$float": "one"}',
        '{"$float": 1}',
        '{"$tuple": 5}',
        '{"$tuple": "text"}',
        '{"$int": 12}',
        '{"$int": "0xz"}',
        '{"$complex": [1]}',
        '{"$complex": {"a": 1}}',
        '{"$dict": [[[], 1]]}',
        '{"$dict": 7}',
        '{"$array": 5, "shape": [1], "dtype": "f8", "bytes": 8}',
        '{"$array": "ab", "shape": [-1], "dtype": "f8", "bytes": 8}',
        '{"$array": "ab", "shape": [1.5], "dtype": "f8", "bytes": 8}',
        '{"$array": "ab", "shape": 3, "dtype": "f8", "bytes": 8}',
        '{"$array": "ab", "shape": [1], "dtype": "f8", "bytes": true}',
        '{"$array": "ab"}',
        '{"$array": "ab", "shape": [], "dtype": "f8", "bytes": 8, "more": 1}',
        '{"$float": "nan", "more": 1}',
        '{"$object": "os.system"}',
        '{"a": 1, "a": 2}',
        "NaN",
        "-Infinity",
        "1e999",
    ],
    ids=range(30),
)
def test_what_this_package_does_not_write_is_a_store_error(text):
    for get in (None, lambda at: at):
        with pytest.raises(StoreError, match="a stored value cannot be read"):
            decode(text, get)


@settings(deadline=None)
@given(st.binary(max_size=60), st.data())
def test_whatever_is_written_over_a_text_is_read_or_refused(noise, data):
    text = encode({"a": (1.5, float("inf")), "b": [7**90, {"$x": 1j}], "c": None})
    at = data.draw(st.integers(0, len(text)))
    changed = text[:at] + noise.decode("latin1") + text[at + len(noise) :]
    with contextlib.suppress(StoreError):
        decode(changed)


def test_sorted_keys_make_equal_dicts_equal_texts():
    assert encode({"b": 1, "a": 2}, sort_keys=True) == encode({"a": 2, "b": 1}, sort_keys=True)
