"""Values as JSON text, exactly: NaN, infinities, tuples and large integers survive the way.

What JSON itself cannot say is written as an object with one key that starts with ``$``, so that
the text stays strict JSON, which any language reads:

| value | text |
|---|---|
| NaN, infinities | ``{"$float": "nan"}`` |
| tuple | ``{"$tuple": [...]}`` |
| integer beyond 64 bits | ``{"$int": "0x..."}`` |
| complex number | ``{"$complex": [re, im]}`` |
| array | ``{"$array": address, "shape": [...], "dtype": "...", "bytes": n}``, kept elsewhere |
| dict with keys that are no plain text | ``{"$dict": [[key, value], ...]}`` |

What is read may have been damaged, or made by somebody who means harm: a text that `encode` does
not write is a `StoreError`, whatever is wrong with it.

Importing this module imports no NumPy: `overparam list` reads verdicts through it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from overparam.errors import StoreError, UsageError

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class ArrayAt:
    """An array as its record tells it: where its bytes are, and what they should be.

    Attributes:
        address: SHA-256 of its ``.npy`` bytes. shape, dtype: as NumPy names them.
        n_bytes: of its values.
    """

    address: str
    shape: tuple[int, ...]
    dtype: str
    n_bytes: int


PutArray = Callable[["np.ndarray"], str]
GetArray = Callable[[ArrayAt], Any]

_EXACT_BITS = 63  # integers up to this size are numbers in every reader of JSON that has int64
_MOST_BITS = 1023  # of an integer: those up to this size can be printed, and made floats
_MOST_LEVELS = 100  # of lists within lists; Python's own reader of JSON ends at some hundreds
_ALLOWED = "None, bool, int, float, complex, str, tuple, list, dict, NumPy scalars and arrays"


def encode(value: Any, put_array: PutArray | None = None, *, sort_keys: bool = False) -> str:
    """Return `value` as ASCII JSON text; NumPy scalars become the Python numbers they equal.

    Args:
        put_array: keeps an array and returns its address; without it arrays are refused.
        sort_keys: order the keys of dicts, for texts that are hashed.

    Raises:
        UsageError: a value of a type that would not come back as it was, or nested too deeply.

    >>> encode({"loss": float("nan"), "shape": (2, 3)})
    '{"loss":{"$float":"nan"},"shape":{"$tuple":[2,3]}}'
    """
    return (_SORTED if sort_keys else _WRITER).encode(_plain(value, put_array, 0))


def decode(text: str, get_array: GetArray | None = None) -> Any:
    """Return the value that `encode` wrote.

    Args:
        get_array: returns the array of an `ArrayAt`; without it that itself stands for the array.

    Raises:
        StoreError: a text that `encode` does not write.

    >>> decode(encode((1.5, None, [float("inf")])))
    (1.5, None, [inf])
    """
    try:
        return (_reader(get_array) if get_array else _READER).decode(text)
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError) as error:
        raise StoreError(
            "a stored value cannot be read",
            got=f"{str(text)[:60]!r} ({type(error).__name__}: {str(error)[:100]})",
            allowed="what this package writes",
            remedy="restore the study from a copy, or run again with --fresh",
        ) from error


def _reader(get_array: GetArray | None) -> json.JSONDecoder:
    def restore(pairs: list[tuple[str, Any]]) -> Any:
        found = dict(pairs)
        if len(found) < len(pairs):
            raise ValueError("a name stands there twice")
        tag = next((key for key in found if key.startswith("$")), None)
        if tag is None:
            return found
        if tag == "$array":
            at = _array_at(**{key.lstrip("$"): value for key, value in found.items()})
            return get_array(at) if get_array else at
        (value,) = found.values()
        return _TAGS[tag](value)

    return json.JSONDecoder(
        object_pairs_hook=restore,
        parse_int=lambda text: _bounded(int(text)),
        parse_float=_finite,
        parse_constant=_finite,
    )


def _array_at(array: str, shape: list[int], dtype: str, bytes: int) -> ArrayAt:
    whole = all(type(n) is int and n >= 0 for n in (*shape, bytes))
    if not (whole and isinstance(array, str) and isinstance(dtype, str)):
        raise ValueError("this describes no array")
    return ArrayAt(array, tuple(shape), dtype, bytes)


_TAGS: dict[str, Callable[[Any], Any]] = {
    "$float": lambda text: float(_text(text)),
    "$tuple": lambda items: tuple(_list(items)),
    "$int": lambda text: _bounded(int(_text(text), 16)),
    "$complex": lambda parts: _complex(*_list(parts)),
    "$dict": lambda pairs: dict(_list(pairs)),
}


def _bounded(value: int) -> int:
    if value.bit_length() > _MOST_BITS:
        raise ValueError(f"an integer of {value.bit_length():,} bits")
    return value


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):  # which is written in another way
        raise ValueError(f"{text} is no number here")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("a text is expected")
    return value


def _complex(real: float, imaginary: float) -> complex:
    return complex(real, imaginary)


def _list(value: Any) -> list:
    if not isinstance(value, list):
        raise TypeError("a list is expected")
    return value


# Made once: to make one takes as long as to write or read a record.
_WRITER = json.JSONEncoder(separators=(",", ":"), allow_nan=False)
_SORTED = json.JSONEncoder(separators=(",", ":"), allow_nan=False, sort_keys=True)
_READER = _reader(None)


def _plain(value: Any, put_array: PutArray | None, level: int) -> Any:
    kind = type(value)  # exact types: a subclass would not come back as itself
    if kind is float:
        return value if math.isfinite(value) else {"$float": repr(value)}
    if kind is str or kind is bool or value is None:
        return value
    if kind is int:
        if value.bit_length() > _MOST_BITS:
            raise UsageError(
                "an integer is too large to be kept in the store",
                got=f"{value.bit_length():,} bits",
                allowed=f"{_MOST_BITS:,}, as floats",
                remedy="keep its logarithm, or its digits as a text",
            )
        return value if value.bit_length() <= _EXACT_BITS else {"$int": hex(value)}
    if kind in (tuple, list, dict) and level >= _MOST_LEVELS:
        raise UsageError(
            "a value is nested too deeply to be kept in the store",
            got=f"more than {_MOST_LEVELS} levels, or one that holds itself",
            remedy="keep numbers and arrays, not trees of them",
        )
    if kind is tuple:
        return {"$tuple": [_plain(v, put_array, level + 1) for v in value]}
    if kind is list:
        return [_plain(v, put_array, level + 1) for v in value]
    if kind is dict:
        if all(type(k) is str and not k.startswith("$") for k in value):
            return {k: _plain(v, put_array, level + 1) for k, v in value.items()}
        pairs = [[_plain(x, put_array, level + 1) for x in pair] for pair in value.items()]
        return {"$dict": pairs}
    if kind is complex:
        return {"$complex": [_plain(value.real, None, level), _plain(value.imag, None, level)]}
    if kind is ArrayAt:  # one that is kept already
        return _array_told(value)
    return _plain_numpy(value, put_array)


def _array_told(at: ArrayAt) -> dict[str, Any]:
    shape = list(at.shape)
    return {"$array": at.address, "shape": shape, "dtype": at.dtype, "bytes": at.n_bytes}


def _plain_numpy(value: Any, put_array: PutArray | None) -> Any:
    import numpy as np

    # A masked array, a matrix or a record array would come back as something else.
    if type(value) in (np.ndarray, np.memmap) and put_array and not value.dtype.hasobject:
        address = put_array(value)
        return _array_told(ArrayAt(address, value.shape, str(value.dtype), value.nbytes))
    if isinstance(value, np.generic) and value.dtype.kind in "biufcU":
        item = value.item()
        if not isinstance(item, np.generic):  # long doubles have no exact Python number
            return _plain(item, put_array, 0)
    raise UsageError(
        "a value cannot be kept in the store",
        got=f"{type(value).__module__}.{type(value).__qualname__}"
        + (f" of {value.dtype}" if isinstance(value, np.ndarray) else ""),
        allowed=_ALLOWED if put_array else _ALLOWED.replace("scalars and arrays", "scalars"),
        remedy="convert it first (a tensor: .item() or .numpy())",
    )
