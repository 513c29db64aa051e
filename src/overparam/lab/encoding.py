"""Values as JSON text, exactly: NaN, infinities, tuples and large integers survive the way.

What JSON itself cannot say is written as an object with one key that starts with ``$``, so that
the text stays strict JSON, which any language reads:

| value | text |
|---|---|
| NaN, infinities | ``{"$float": "nan"}`` |
| tuple | ``{"$tuple": [...]}`` |
| integer beyond 64 bits | ``{"$int": "0x..."}`` |
| complex number | ``{"$complex": [re, im]}`` |
| array | ``{"$array": address, "shape": [...], "dtype": "..."}``, kept elsewhere |
| dict with keys that are no plain text | ``{"$dict": [[key, value], ...]}`` |

Importing this module imports no NumPy: `overparam list` reads verdicts through it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from overparam.errors import UsageError

if TYPE_CHECKING:
    import numpy as np

PutArray = Callable[["np.ndarray"], str]
GetArray = Callable[[str], "np.ndarray"]

_EXACT_BITS = 63  # integers up to this size are numbers in every reader of JSON that has int64
_ALLOWED = "None, bool, int, float, complex, str, tuple, list, dict, NumPy scalars and arrays"


def encode(value: Any, put_array: PutArray | None = None, *, sort_keys: bool = False) -> str:
    """Return `value` as ASCII JSON text; NumPy scalars become the Python numbers they equal.

    Args:
        put_array: keeps an array and returns its address; without it arrays are refused.
        sort_keys: order the keys of dicts, for texts that are hashed.

    Raises:
        UsageError: a value of a type that would not come back as it was.

    >>> encode({"loss": float("nan"), "shape": (2, 3)})
    '{"loss":{"$float":"nan"},"shape":{"$tuple":[2,3]}}'
    """
    plain = _plain(value, put_array)
    return json.dumps(plain, separators=(",", ":"), sort_keys=sort_keys, allow_nan=False)


def decode(text: str, get_array: GetArray | None = None) -> Any:
    """Return the value that `encode` wrote.

    Args:
        get_array: returns the array of an address; without it the address itself comes back.

    >>> decode(encode((1.5, None, [float("inf")])))
    (1.5, None, [inf])
    """

    def restore(found: dict[str, Any]) -> Any:
        if "$float" in found:
            return float(found["$float"])
        if "$tuple" in found:
            return tuple(found["$tuple"])
        if "$int" in found:
            return int(found["$int"], 16)
        if "$complex" in found:
            return complex(*found["$complex"])
        if "$array" in found:
            return get_array(found["$array"]) if get_array else found["$array"]
        if "$dict" in found:
            return dict(found["$dict"])
        return found

    return json.loads(text, object_hook=restore)


def _plain(value: Any, put_array: PutArray | None) -> Any:
    kind = type(value)  # exact types: a subclass would not come back as itself
    if kind is float:
        return value if math.isfinite(value) else {"$float": repr(value)}
    if kind is str or kind is bool or value is None:
        return value
    if kind is int:
        return value if value.bit_length() <= _EXACT_BITS else {"$int": hex(value)}
    if kind is tuple:
        return {"$tuple": [_plain(v, put_array) for v in value]}
    if kind is list:
        return [_plain(v, put_array) for v in value]
    if kind is dict:
        if all(type(k) is str and not k.startswith("$") for k in value):
            return {k: _plain(v, put_array) for k, v in value.items()}
        pairs = [[_plain(k, put_array), _plain(v, put_array)] for k, v in value.items()]
        return {"$dict": pairs}
    if kind is complex:
        return {"$complex": [_plain(value.real, None), _plain(value.imag, None)]}
    return _plain_numpy(value, put_array)


def _plain_numpy(value: Any, put_array: PutArray | None) -> Any:
    import numpy as np

    if isinstance(value, np.ndarray) and put_array is not None and not value.dtype.hasobject:
        return {"$array": put_array(value), "shape": list(value.shape), "dtype": str(value.dtype)}
    if isinstance(value, np.generic) and value.dtype.kind in "biufcU":
        item = value.item()
        if not isinstance(item, np.generic):  # long doubles have no exact Python number
            return _plain(item, put_array)
    raise UsageError(
        "a value cannot be kept in the store",
        got=f"{type(value).__module__}.{type(value).__qualname__}"
        + (f" of {value.dtype}" if isinstance(value, np.ndarray) else ""),
        allowed=_ALLOWED if put_array else _ALLOWED.replace("scalars and arrays", "scalars"),
        remedy="convert it first (a tensor: .item() or .numpy())",
    )
