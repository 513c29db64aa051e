"""Pixels to PNG files and data URLs, without an imaging library."""

from __future__ import annotations

import base64
import struct
import zlib

import numpy as np

_GREY, _GREY_ALPHA, _RGBA = 0, 4, 6  # colour types of the PNG specification


def encode_png(rgba: np.ndarray) -> bytes:
    """Return RGBA bytes `[h, w, 4]` as a PNG file (8 bits a channel, no filter)."""
    height, width = rgba.shape[:2]
    return _file(rgba.reshape(height, -1), width, 8, _RGBA)


def encode_grey(levels: np.ndarray, missing: np.ndarray | None = None, bits: int = 8) -> bytes:
    """Return grey `levels` `[h, w]` (0 black to 255 white) as a PNG file.

    Args:
        missing: `[h, w]`, true where a pixel is transparent, or None.
        bits: 8, or 4 for half the size at 16 levels (kept at 8 where pixels are missing).
    """
    height, width = levels.shape
    levels = np.asarray(levels, np.uint8)
    if missing is not None and missing.any():
        alpha = np.where(missing, 0, 255).astype(np.uint8)
        pairs = np.stack([np.where(missing, 0, levels).astype(np.uint8), alpha], -1)
        return _file(pairs.reshape(height, -1), width, 8, _GREY_ALPHA)
    if bits == 8:
        return _file(levels, width, 8, _GREY)
    coarse = np.rint(levels / 17.0).astype(np.uint8)  # 255 / 15: black and white stay exact
    coarse = np.pad(coarse, ((0, 0), (0, width % 2)))
    return _file(coarse[:, ::2] << 4 | coarse[:, 1::2], width, 4, _GREY)


def grey_levels(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Return `values` as bytes, 0 at `low` and 255 at `high`; beyond them the scale's end.

    NaN becomes 0. Where `low` equals `high` there is no scale, and all is the middle grey.

    >>> grey_levels(np.array([-1.0, 0.0, 1.0, 2.0, np.inf]), 0, 2).tolist()
    [0, 0, 128, 255, 255]
    """
    if not high > low:
        return np.full(np.shape(values), 128, np.uint8)
    finite = np.nan_to_num(np.asarray(values, float), nan=low, posinf=high, neginf=low)
    return np.rint(np.clip((finite - low) / (high - low), 0, 1) * 255).astype(np.uint8)


def grey_url(image: np.ndarray, low: float, high: float) -> str:
    """Return one image `[h, w]` as a data URL on the scale from `low` to `high`."""
    return data_url(encode_grey(grey_levels(image, low, high), np.isnan(image)))


def data_url(png: bytes) -> str:
    """Return a PNG file as a URL that carries it."""
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")


def _file(lines: np.ndarray, width: int, bits: int, color_type: int) -> bytes:
    filtered = np.concatenate([np.zeros((len(lines), 1), np.uint8), lines], axis=1)
    head = struct.pack(">IIBBBBB", width, len(lines), bits, color_type, 0, 0, 0)
    data = zlib.compress(filtered.tobytes(), 9)
    chunks = (_chunk(b"IHDR", head), _chunk(b"IDAT", data), _chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))
