"""MNIST as tables: the CSV files of Kaggle ("MNIST in CSV") and the ``mnist.npz`` of Keras.

They hold the rows of the original files in their order, so their contents have the same checksums
once they are written as IDX. A row of the CSV is a label and 784 pixels, 0 to 255, after a line of
names or without one.
"""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np

from overparam.errors import DataError, ResourceError

PIXELS = 784
MAX_CSV_BYTES = 1 << 28  # 256 MiB; the larger file has 110 MB
MAX_ARRAY_BYTES = 1 << 26  # 64 MiB; the largest array has 47 MB


def read_digit_csv(path: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Read one CSV file; `part` is for all readers alike and not needed here.

    Returns:
        images uint8 `[n, 28, 28]`, labels uint8 `[n]`.

    Raises:
        DataError: missing, too long, or not such a table. ResourceError: it cannot be read.
    """
    try:
        if path.stat().st_size > MAX_CSV_BYTES:
            raise _not_one(path, f"{path.stat().st_size} bytes")
        with path.open(encoding="ascii", errors="replace") as file:
            first = file.readline(64)
            if not first:
                raise _not_one(path, "0 bytes")
            named = not first[:1].isdigit()
            file.seek(0)
            rows = np.loadtxt(file, np.uint8, delimiter=",", skiprows=int(named), ndmin=2)
    except FileNotFoundError:
        raise DataError(f"there is no file {path}") from None
    except OSError as error:
        raise ResourceError(f"{path} cannot be read: {error.strerror or error}") from None
    except (ValueError, OverflowError) as error:
        raise _not_one(path, str(error)[:100]) from None
    if rows.shape[1:] != (1 + PIXELS,) or not len(rows):
        raise _not_one(path, f"shape {list(rows.shape)}")
    return rows[:, 1:].reshape(-1, 28, 28), rows[:, 0].copy()


def read_digit_npz(path: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Read the part (``"train"`` or ``"test"``) of an ``.npz`` file with ``x_train`` and the like.

    Returns and raises: as `read_digit_csv`.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                if member.file_size > MAX_ARRAY_BYTES:
                    raise _not_one(path, f"{member.filename} of {member.file_size} bytes")
        with np.load(path, allow_pickle=False) as arrays:
            images, labels = arrays[f"x_{part}"], arrays[f"y_{part}"]
    except FileNotFoundError:
        raise DataError(f"there is no file {path}") from None
    except (zipfile.BadZipFile, zlib.error, ValueError, KeyError, EOFError) as error:
        raise _not_one(path, str(error)[:100]) from None
    except OSError as error:
        raise ResourceError(f"{path} cannot be read: {error.strerror or error}") from None
    if images.dtype != np.uint8 or images.shape[1:] != (28, 28) or labels.shape != images.shape[:1]:
        raise _not_one(path, f"{images.dtype} {list(images.shape)}, labels {list(labels.shape)}")
    return images, labels.astype(np.uint8)


def _not_one(path: Path, got: str) -> DataError:
    return DataError(f"{path} is not such a table of MNIST, or is damaged", got=got)
