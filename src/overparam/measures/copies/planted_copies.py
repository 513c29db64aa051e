"""Small changes that leave a row a copy of what it was: planted to see which of them are found."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.fft import dctn, idctn

Change = Callable[[np.ndarray, np.random.Generator], np.ndarray]

# Quantization steps of luminance of the JPEG standard (ITU-T T.81, table K.1), at quality 50.
_JPEG_STEPS = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ]
)


def image_changes(images: np.ndarray) -> dict[str, Change]:
    """Return changes of images `[n, c, h, w]`, in units of the range of values given."""
    low, high = float(images.min()), float(images.max())
    span = (high - low) or 1.0

    def noisy(some: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return some + 0.03 * span * rng.standard_normal(some.shape)

    def recompressed(some: np.ndarray, _: np.random.Generator) -> np.ndarray:
        return low + span / 255 * _quantized((some - low) * (255 / span))

    return {
        "mirrored": lambda some, _: some[..., ::-1],
        "shifted by a pixel": lambda some, _: _shifted(some, 1, 1),
        "shifted by two pixels": lambda some, _: _shifted(some, 2, -2),
        "darker, with less contrast": lambda some, _: low + 0.7 * (some - low),
        "noise of 3 % of the range": noisy,
        "recompressed": recompressed,
    }


def table_changes(scale: np.ndarray) -> dict[str, Change]:
    """Return changes of rows `[n, p]`, in units of the spread of each column given."""
    unit = np.where(np.isfinite(scale), scale, 0)

    def rounded(rows: np.ndarray, _: np.random.Generator) -> np.ndarray:
        step = np.where(unit > 0, unit / 100, 1)
        return np.where(unit > 0, np.round(rows / step) * step, rows)

    def noisy(rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return rows + 0.01 * unit * rng.standard_normal(rows.shape)

    def one_value(rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        changed = rows.copy()
        column = rng.choice(np.flatnonzero(unit), len(rows))
        at = np.arange(len(rows))
        changed[at, column] = rows[rng.permutation(len(rows)), column]
        return changed

    return {
        "rounded to a hundredth of the spread": rounded,
        "noise of a hundredth of the spread": noisy,
        "one value is another row's": one_value,
    }


def _shifted(images: np.ndarray, down: int, right: int) -> np.ndarray:
    """Return images moved, what comes in at the border repeated."""
    height, width = images.shape[2:]
    rows = np.clip(np.arange(height) - down, 0, height - 1)
    columns = np.clip(np.arange(width) - right, 0, width - 1)
    return images[:, :, rows][:, :, :, columns]


def _quantized(images: np.ndarray) -> np.ndarray:
    """Return images of 0 ... 255 after the lossy step of JPEG on blocks of 8 x 8, every channel."""
    n, channels, height, width = images.shape
    more = [(0, 0), (0, 0), (0, -height % 8), (0, -width % 8)]
    whole = np.pad(images - 128.0, more, mode="edge")
    blocks = whole.reshape(n, channels, whole.shape[2] // 8, 8, whole.shape[3] // 8, 8)
    steps = _JPEG_STEPS[:, None]
    coarse = np.round(dctn(blocks, axes=(3, 5), norm="ortho") / steps) * steps
    found = idctn(coarse, axes=(3, 5), norm="ortho").reshape(whole.shape)
    return np.clip(found[:, :, :height, :width] + 128, 0, 255)
