"""CIFAR-10's batches: the binary version, and the Python version read without running its code.

A row of the **binary** version is one label byte and 3,072 pixel bytes: the red, green and blue
planes, each 32 x 32, row by row. A batch of the **Python** version is a pickle of a dictionary
with ``data`` (uint8 `[n, 3072]`, the same order) and ``labels`` (n integers).

A pickle is a program, and a hostile one can do anything. Here its instructions are first held
against a list of those that a batch needs; then it is run with inert stand-ins in place of the
NumPy constructors that it names, and any other name is refused. The array is built afterwards,
from its bytes, once type and length have been checked.
"""

from __future__ import annotations

import io
import pickle
import pickletools
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from overparam.errors import DataError, ResourceError

IMAGE_SHAPE = (3, 32, 32)
PIXELS = 3072
N_CLASSES = 10
MAX_ROWS = 60_000
MAX_FILE_BYTES = MAX_ROWS * (PIXELS + 1) + (1 << 24)

# What pickle protocols 2 to 5 use for dictionaries, lists, numbers, strings and NumPy arrays.
# fmt: off
_ALLOWED_OPCODES = frozenset((
    "PROTO", "FRAME", "STOP", "MARK", "NONE", "NEWTRUE", "NEWFALSE", "BININT", "BININT1",
    "BININT2", "STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE",
    "SHORT_BINUNICODE", "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8",
    "EMPTY_DICT", "EMPTY_LIST", "EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "APPEND",
    "APPENDS", "SETITEM", "SETITEMS", "PUT", "BINPUT", "LONG_BINPUT", "GET", "BINGET",
    "LONG_BINGET", "MEMOIZE", "GLOBAL", "STACK_GLOBAL", "REDUCE", "BUILD",
))
# fmt: on
# A batch needs some ten. Deeply nested tuples would overflow the stack when they are hashed.
_MAX_TUPLES_AND_CALLS = 100
# A batch has four. Keys of equal hash make a dictionary take time that grows with their square.
_MAX_KEYS = 100


def read_cifar_binary(
    path: str | Path, check: Callable[[bytes], None] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Read a binary batch.

    Args:
        path: the file. check: called with its bytes before they are parsed; may raise.

    Returns:
        images uint8 `[n, 3, 32, 32]`, labels uint8 `[n]`.

    Raises:
        DataError: missing, not a whole number of rows, too long, or labels outside 0..9.
        ResourceError: the file is there but cannot be read.
    """
    content = _content(Path(path), check)
    if not content or len(content) % (PIXELS + 1):
        raise DataError(
            f"{path} is not a CIFAR-10 binary batch, or is truncated",
            got=f"{len(content)} bytes",
            allowed=f"a multiple of {PIXELS + 1}",
            remedy="get it again",
        )
    rows = np.frombuffer(content, np.uint8).reshape(-1, PIXELS + 1)
    labels = rows[:, 0]
    _check_labels(path, int(labels.min()), int(labels.max()))
    return rows[:, 1:].reshape(-1, *IMAGE_SHAPE), labels


def read_cifar_pickle(
    path: str | Path, check: Callable[[bytes], None] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Read a batch of the Python version, of any pickle protocol from 2 on.

    Args:
        path: the file. check: called with its bytes before they are parsed; may raise.

    Returns:
        images uint8 `[n, 3, 32, 32]`, labels uint8 `[n]`.

    Raises:
        DataError: missing, not such a pickle, of wrong shapes, or with labels outside 0..9.
        ResourceError: the file is there but cannot be read.
    """
    content = _content(Path(path), check)
    try:
        batch = _unpickle(content)
        pixels = batch[b"data"] if b"data" in batch else batch["data"]
        labels = batch[b"labels"] if b"labels" in batch else batch["labels"]
        images = _as_array(pixels)
        if type(labels) is not list or not all(type(label) is int for label in labels):
            raise ValueError("its labels are not a list of integers")
        if len(labels) != len(images):
            raise ValueError(f"it has {len(images)} images and {len(labels)} labels")
    except Exception as error:  # garbage can make an unpickler raise anything
        raise DataError(
            f"{path} is not a CIFAR-10 Python batch, or is damaged: {error}", remedy="get it again"
        ) from None
    _check_labels(path, min(labels), max(labels))
    return images.reshape(-1, *IMAGE_SHAPE), np.array(labels, np.uint8)


def _content(path: Path, check: Callable[[bytes], None] | None) -> bytes:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise DataError(
                f"{path} is too long for a CIFAR-10 batch",
                got=f"{path.stat().st_size} bytes",
                allowed=f"at most {MAX_FILE_BYTES}",
            )
        content = path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"there is no file {path}") from None
    except OSError as error:
        raise ResourceError(f"{path} cannot be read: {error.strerror or error}") from None
    if check is not None:
        check(content)
    return content


def _check_labels(path: str | Path, low: int, high: int) -> None:
    if low < 0 or high >= N_CLASSES:
        raise DataError(
            f"labels in {path} lie outside the classes",
            got=f"{low}..{high}",
            allowed=f"0..{N_CLASSES - 1}",
        )


def _unpickle(content: bytes) -> dict[Any, Any]:
    n_tuples_and_calls = n_keys = 0
    sizes = [0]  # of what lies on the stack, above each mark
    for opcode, argument, _ in pickletools.genops(content):
        if opcode.name not in _ALLOWED_OPCODES:
            raise pickle.UnpicklingError(f"it holds the instruction {opcode.name}")
        if opcode.name in ("PUT", "LONG_BINPUT") and int(argument or 0) > len(content):
            raise pickle.UnpicklingError("it names a memory cell beyond any it can fill")
        n_tuples_and_calls += opcode.name.startswith(("TUPLE", "REDUCE", "BUILD"))
        if opcode.name == "MARK":
            sizes.append(0)
            continue
        taken = len(opcode.stack_before)
        if pickletools.markobject in opcode.stack_before and len(sizes) > 1:
            n_items = sizes.pop()
            n_keys += n_items // 2 if opcode.name == "SETITEMS" else 0
            taken = opcode.stack_before.index(pickletools.markobject)
        n_keys += opcode.name == "SETITEM"
        sizes[-1] += len(opcode.stack_after) - taken
        if n_keys > _MAX_KEYS:
            raise pickle.UnpicklingError("it holds more keys than a batch has")
    if n_tuples_and_calls > _MAX_TUPLES_AND_CALLS:
        raise pickle.UnpicklingError(f"it builds {n_tuples_and_calls} tuples and objects")
    batch = _Unpickler(content).load()
    if not isinstance(batch, dict):
        raise pickle.UnpicklingError(f"it holds a {type(batch).__name__}, not a dictionary")
    return batch


class _Unpickler(pickle.Unpickler):
    """Resolves the names that a pickled array uses to stand-ins, and refuses every other."""

    def __init__(self, content: bytes) -> None:
        super().__init__(io.BytesIO(content), encoding="bytes")
        self.n_bytes_left = len(content)  # what `_encode` may still make

    def find_class(self, module: str, name: str) -> Any:
        if module in ("numpy.core.multiarray", "numpy._core.multiarray") and name == "_reconstruct":
            return _StandIn(lambda *_: _PickledArray())
        if module in ("numpy.core.numeric", "numpy._core.numeric") and name == "_frombuffer":
            return _StandIn(_PickledArray)  # protocol 5
        if (module, name) == ("numpy", "ndarray"):
            return _StandIn(_refuse)
        if (module, name) == ("numpy", "dtype"):
            return _StandIn(_PickledType)
        if (module, name) == ("_codecs", "encode"):  # how Python 3 writes bytes in protocol 2
            return _StandIn(self._encode)
        raise pickle.UnpicklingError(f"it names {module}.{name}")

    def _encode(self, text: str, _encoding: object) -> bytes:
        self.n_bytes_left -= len(text)
        if self.n_bytes_left < 0:
            raise pickle.UnpicklingError("it makes more bytes than the file holds")
        return text.encode("latin1")


class _StandIn:
    """Stands for a function or class: can be called, and refuses to be changed."""

    __slots__ = ("call",)

    def __init__(self, call: Callable[..., Any]) -> None:
        self.call = call

    def __call__(self, *arguments: Any) -> Any:
        return self.call(*arguments)

    def __setstate__(self, state: object) -> None:
        _refuse(state)


class _PickledType:
    """What a pickle says of an element type."""

    __slots__ = ("code",)

    def __init__(self, code: object = None, *_: object) -> None:
        self.code = code

    def __setstate__(self, state: object) -> None:
        """Byte order and fields: of no meaning for single bytes."""


class _PickledArray:
    """What a pickle says of an array: shape, type, order and bytes."""

    __slots__ = ("content", "dtype", "fortran", "shape")

    def __init__(
        self,
        content: object = None,
        dtype: object = None,
        shape: object = None,
        order: object = "C",
        *_: object,
    ) -> None:
        self.content, self.dtype, self.shape = content, dtype, shape
        self.fortran = order not in ("C", b"C")

    def __setstate__(self, state: tuple) -> None:
        _version, self.shape, self.dtype, self.fortran, self.content = state


def _as_array(pickled: object) -> np.ndarray:
    if not isinstance(pickled, _PickledArray) or not isinstance(pickled.dtype, _PickledType):
        raise ValueError("its data are not a NumPy array")
    # Types are checked before values are compared or shown: a small file can hold an object whose
    # text, or whose product with a number, fills the memory.
    if pickled.dtype.code not in ("u1", b"u1") or pickled.fortran:
        raise ValueError("its data are not uint8 in C order")
    shape, content = pickled.shape, pickled.content
    if type(shape) is not tuple or [type(size) for size in shape] != [int, int]:
        raise ValueError("its data are not a matrix")
    if not isinstance(content, bytes | bytearray) or not content:
        raise ValueError("its data have no content")
    if shape != (len(content) // PIXELS, PIXELS) or len(content) % PIXELS:
        raise ValueError(f"its data have shape {shape} and {len(content)} bytes, not [n, {PIXELS}]")
    return np.frombuffer(content, np.uint8).reshape(-1, PIXELS)


def _refuse(*_: object) -> NoReturn:
    raise pickle.UnpicklingError("it calls or changes what a batch does not")
