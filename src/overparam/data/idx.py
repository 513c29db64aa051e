"""IDX files, the format of MNIST: a header of sizes, then one array, big-endian.

| bytes | meaning |
|---|---|
| 0, 1 | zero |
| 2 | element type: 8 uint8, 9 int8, 11 int16, 12 int32, 13 float32, 14 float64 |
| 3 | number of dimensions r |
| 4 … 4 + 4r | the sizes, uint32 |
| then | the elements, last dimension fastest |

A header may claim any size. It is held against the bytes that are really there before memory is
taken: exactly for a plain file, and for a compressed one by reading in pieces, so that memory
grows with the data and not with the claim.
"""

from __future__ import annotations

import gzip
import io
import math
import struct
import zlib
from pathlib import Path
from typing import IO, cast

import numpy as np

from overparam.errors import DataError, ResourceError

TYPES: dict[int, np.dtype] = {
    0x08: np.dtype("u1"),
    0x09: np.dtype("i1"),
    0x0B: np.dtype(">i2"),
    0x0C: np.dtype(">i4"),
    0x0D: np.dtype(">f4"),
    0x0E: np.dtype(">f8"),
}
MAX_DIMENSIONS = 8
MAX_BYTES = 1 << 32  # 4 GiB; MNIST's largest file has 47 MB
PIECE_BYTES = 1 << 20


def read_idx(path: str | Path, max_bytes: int = MAX_BYTES) -> np.ndarray:
    """Read an IDX file, plain or gzipped (told by its first bytes).

    Args:
        path: the file.
        max_bytes: largest array to accept, in bytes.

    Returns:
        An array of the shape and type in the header.

    Raises:
        DataError: missing, not IDX, truncated, too long, damaged, or larger than `max_bytes`.
        ResourceError: the file is there but cannot be read.
    """
    path = Path(path)
    try:
        with path.open("rb") as raw, _decompressed(raw) as file:
            plain_bytes = path.stat().st_size if file is raw else None
            return _read(file, str(path), plain_bytes, max_bytes)
    except FileNotFoundError:
        raise DataError(f"there is no file {path}") from None
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path} is truncated or damaged: {error}", remedy="get it again") from None
    except OSError as error:
        raise ResourceError(f"{path} cannot be read: {error.strerror or error}") from None


def parse_idx(content: bytes, name: str = "the content", max_bytes: int = MAX_BYTES) -> np.ndarray:
    """Return the array in the bytes of a plain IDX file; `name` is for the messages.

    Raises:
        DataError: not IDX, truncated, too long, or larger than `max_bytes`.

    >>> parse_idx(bytes.fromhex("00 00 08 01 00 00 00 02 03 01"))
    array([3, 1], dtype=uint8)
    """
    return _read(io.BytesIO(content), name, len(content), max_bytes)


def idx_header(shape: tuple[int, ...]) -> bytes:
    """Return the header of a uint8 array of this shape.

    >>> idx_header((2,)).hex(" ")
    '00 00 08 01 00 00 00 02'
    """
    return struct.pack(f">BBBB{len(shape)}I", 0, 0, 0x08, len(shape), *shape)


def _decompressed(raw: IO[bytes]) -> IO[bytes]:
    magic = raw.read(2)
    raw.seek(0)
    return cast(IO[bytes], gzip.GzipFile(fileobj=raw)) if magic == b"\x1f\x8b" else raw


def _read(file: IO[bytes], name: str, plain_bytes: int | None, max_bytes: int) -> np.ndarray:
    head = file.read(4)
    if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in TYPES:
        raise DataError(
            f"{name} is not an IDX file", got=head.hex(" "), allowed="00 00, a type, a number"
        )
    dtype, n_dimensions = TYPES[head[2]], head[3]
    if not 1 <= n_dimensions <= MAX_DIMENSIONS:
        raise DataError(
            f"{name} claims a strange number of dimensions",
            got=n_dimensions,
            allowed=f"1..{MAX_DIMENSIONS}",
        )
    sizes = file.read(4 * n_dimensions)
    if len(sizes) < 4 * n_dimensions:
        raise DataError(f"{name} is truncated within its header", remedy="get it again")
    shape = struct.unpack(f">{n_dimensions}I", sizes)
    n_bytes = math.prod(shape) * dtype.itemsize
    if not 0 < n_bytes <= max_bytes:
        raise DataError(
            f"{name} claims an array of {n_bytes} bytes, shape {shape}",
            allowed=f"1..{max_bytes} bytes",
        )
    if plain_bytes is not None and plain_bytes != 4 + len(sizes) + n_bytes:
        raise _wrong_length(name, 4 + len(sizes) + n_bytes, plain_bytes)
    content = bytearray()
    while piece := file.read(min(PIECE_BYTES, n_bytes + 1 - len(content))):
        content += piece
    if len(content) != n_bytes:
        raise _wrong_length(name, n_bytes, len(content))
    return np.frombuffer(content, dtype).reshape(shape)


def _wrong_length(name: str, expected: int, got: int) -> DataError:
    return DataError(
        f"{name} is {'truncated' if got < expected else 'longer than its header says'}",
        got=f"{got} bytes" if got < expected else f"more than {expected} bytes",
        allowed=f"exactly {expected} bytes",
        remedy="get it again",
    )
