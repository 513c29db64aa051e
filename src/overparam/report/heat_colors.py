"""The colours of heat maps: readable in greyscale and for every kind of colour vision."""

from __future__ import annotations

import numpy as np

from overparam.report.images import colorize

# Light yellow over green to dark blue: the nine-class YlGnBu of ColorBrewer (Harrower and Brewer
# 2003), made for colour-blind readers. Its steps are placed by their lightness, so that equal
# steps of the value are equal steps of grey on a copier.
_ANCHORS = (
    *("ffffd9", "edf8b1", "c7e9b4", "7fcdbb", "41b6c4"),
    *("1d91c0", "225ea8", "253494", "081d58"),
)
_RGB = np.array([[int(name[i : i + 2], 16) for i in (0, 2, 4)] for name in _ANCHORS], float)


def heat_colors(values: np.ndarray, low: float, high: float, diverging: bool) -> np.ndarray:
    """Return the colours of `values` `[...]` as RGB bytes `[..., 3]`; NaN has none (black).

    Sequential: light at `low`, dark at `high`. Diverging: blue, white at 0, red, symmetric.
    Values beyond the scale get the colour of its end.
    """
    values = np.asarray(values, float)
    if diverging:
        return colorize(values.reshape(1, -1), low, high, True)[0, :, :3].reshape(*values.shape, 3)
    lightness = relative_lightness(_RGB)
    places = (lightness[0] - lightness) / (lightness[0] - lightness[-1])
    share = np.nan_to_num((values - low) / ((high - low) or 1.0), posinf=1.0, neginf=0.0)
    channels = [np.interp(share, places, _RGB[:, k]) for k in range(3)]
    rgb = np.rint(np.stack(channels, -1)).astype(np.uint8)
    return np.where(np.isnan(values)[..., None], 0, rgb).astype(np.uint8)


def relative_lightness(rgb: np.ndarray) -> np.ndarray:
    """Return CIE lightness L* in [0, 100] of RGB bytes `[..., 3]` (CIE 15:2004, sRGB white).

    >>> relative_lightness(np.array([[0, 0, 0], [255, 255, 255]])).round(6).tolist()
    [0.0, 100.0]
    """
    share = luminance(rgb)
    return np.where(share > (6 / 29) ** 3, 116 * np.cbrt(share) - 16, share * (29 / 3) ** 3)


def luminance(rgb: np.ndarray) -> np.ndarray:
    """Return relative luminance in [0, 1] of RGB bytes `[..., 3]` (IEC 61966-2-1)."""
    encoded = np.asarray(rgb, float) / 255
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    return linear @ np.array([0.2126, 0.7152, 0.0722])


def ink_on(rgb: np.ndarray) -> str:
    """Return black or white, whichever is read more easily on `rgb` `[3]` (WCAG 2 contrast).

    >>> ink_on(np.array([255, 255, 217])), ink_on(np.array([8, 29, 88]))
    ('#000000', '#ffffff')
    """
    share = float(luminance(rgb))
    return "#000000" if (share + 0.05) / 0.05 >= 1.05 / (share + 0.05) else "#ffffff"
