"""Nearest images by what is left after shifts, mirroring, brightness and contrast.

Pictures resemble each other in what is smooth: two planes in a sky correlate by .9. So images are
compared after the frequencies that all have in common are weakened (divided by their mean
amplitude over this very set), at the best of all small shifts, as they are and mirrored.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.fft import irfft2, rfft2
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors
from torch.nn.functional import adaptive_avg_pool2d

from overparam.errors import DataError
from overparam.measures.copies.neighbor_gaps import PLACE

_SIDE = 32  # pixels to which larger images are averaged
_SHIFT = 4  # pixels of these, each way
_BLUR = 0.7  # pixels: finer detail is noise and compression
_N_COMPONENTS = 64  # by which candidates are chosen
_N_CANDIDATES = 12  # in each of the two views; their best seven give the gap
_N_FITTED = 10_000  # images on which components and amplitudes are fitted
_BLOCK = 256
_LEAST = 1e-3  # distance; below it lies rounding
_FAINT = 1e-4  # norm of a spectrum whose image is constant, where that of others is about 1


def as_images(values: np.ndarray) -> np.ndarray:
    """Return images as `[n, channels, height, width]`, a view.

    Raises:
        DataError: not `[n, h, w]`, `[n, c, h, w]` or `[n, h, w, c]` with up to four channels, or
            smaller than 8 pixels.
    """
    found = values[:, None] if values.ndim == 3 else values
    if found.ndim == 4 and found.shape[1] > 4 >= found.shape[3]:
        found = found.transpose(0, 3, 1, 2)
    if found.ndim != 4 or found.shape[1] > 4 or min(found.shape[2:]) < 8:
        raise DataError(
            "inputs are no images",
            got=list(values.shape),
            allowed="[n, h, w], or up to four channels first or last; both sides >= 8",
            remedy="a table of numbers is [n, p]",
        )
    return found


@dataclass(frozen=True, eq=False)
class ImageIndex:
    """Images among which the nearest of others are searched.

    Attributes:
        images: `[n, c, h, w]`. pixels: grey, `[n, h', w']` of at most 32 pixels a side.
        amplitude: mean amplitude of each frequency. spectra: `[n, h', w'/2 + 1]`, of unit norm.
        components: fitted to `pixels`. index: of their components.
    """

    images: np.ndarray
    pixels: np.ndarray
    amplitude: np.ndarray
    spectra: np.ndarray
    components: PCA
    index: NearestNeighbors

    @classmethod
    def of(cls, images: np.ndarray) -> ImageIndex:
        """Return the index of images `[n, c, h, w]`."""
        pixels = _grey(images)
        some = pixels[:: max(1, len(pixels) // _N_FITTED)]
        amplitude = np.sqrt((np.abs(rfft2(_tapered(some))) ** 2).mean(0))
        n_components = min(_N_COMPONENTS, len(some) - 1, pixels[0].size)
        components = PCA(n_components, svd_solver="randomized", random_state=0).fit(_unit(some))
        codes = _codes(components, pixels)
        index = NearestNeighbors(algorithm="brute").fit(codes)
        return cls(images, pixels, amplitude, _spectra(pixels, amplitude), components, index)

    def nearest(
        self, images: np.ndarray, places: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the seven nearest of the index to each image, int64 and distances `[m, 7]`.

        Args:
            images: `[m, c, h, w]`. places: `[m]`, the image of the index that each is itself.

        The distance is sqrt(2 - 2 r), r the largest correlation over shifts and mirroring.
        """
        rows, far = [], []
        for start in range(0, len(images), _BLOCK):
            some = slice(start, start + _BLOCK)
            one, other = self._of(images[some], None if places is None else places[some])
            rows.append(one)
            far.append(other)
        return np.concatenate(rows), np.concatenate(far)

    def _of(self, images: np.ndarray, places: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        pixels = _grey(images)
        views = (pixels, pixels[:, :, ::-1])
        n_near = min(_N_CANDIDATES + 1, len(self.pixels))
        near = [
            self.index.kneighbors(_codes(self.components, view), n_near, return_distance=False)
            for view in views
        ]
        candidates = np.concatenate(near, axis=1)
        r = np.full(candidates.shape, -1.0)
        for view in views:
            crossed = _spectra(view, self.amplitude)[:, None] * self.spectra[candidates].conj()
            at = irfft2(crossed, s=pixels.shape[1:])
            shifts = np.r_[0 : _SHIFT + 1, -_SHIFT:0]
            r = np.maximum(r, at[:, :, shifts][:, :, :, shifts].max((2, 3)))
        if places is not None:
            r[candidates == places[:, None]] = -np.inf
        # One that both views name is a neighbour once.
        order = np.argsort(candidates, axis=1, kind="stable")
        again = np.zeros(candidates.shape, bool)
        again[:, 1:] = np.diff(np.take_along_axis(candidates, order, 1), axis=1) == 0
        np.put_along_axis(r, order, np.where(again, -np.inf, np.take_along_axis(r, order, 1)), 1)
        best = np.argsort(-r, axis=1, kind="stable")[:, :PLACE]
        chosen = np.maximum(np.take_along_axis(r, best, 1), -1.0)
        distances = np.maximum(np.sqrt(np.maximum(2 - 2 * chosen, 0)), _LEAST)
        return np.take_along_axis(candidates, best, 1), distances


def _grey(images: np.ndarray) -> np.ndarray:
    """Return float32 `[n, h, w]`, channels averaged, large images averaged down."""
    sides = tuple(min(side, _SIDE) for side in images.shape[2:])
    found = np.empty((len(images), *sides), np.float32)
    for start in range(0, len(images), _BLOCK):
        grey = images[start : start + _BLOCK].mean(1, dtype=np.float64).astype(np.float32)
        if grey.shape[1:] != sides:
            grey = adaptive_avg_pool2d(torch.from_numpy(grey), sides).numpy()
        found[start : start + _BLOCK] = grey
    return found


def _unit(pixels: np.ndarray) -> np.ndarray:
    flat = pixels.reshape(len(pixels), -1)
    flat = flat - flat.mean(1, keepdims=True)
    norm = np.linalg.norm(flat, axis=1, keepdims=True)
    return flat / np.where(norm > 0, norm, 1)


def _codes(components: PCA, pixels: np.ndarray) -> np.ndarray:
    """Return unit codes `[n, p]`, components divided by the square root of their deviation."""
    weight = np.maximum(components.explained_variance_, 1e-12) ** -0.25
    parts = [
        components.transform(_unit(pixels[start : start + _BLOCK])) * weight
        for start in range(0, len(pixels), _BLOCK)
    ]
    codes = np.concatenate(parts).astype(np.float32)
    norm = np.linalg.norm(codes, axis=1, keepdims=True)
    return codes / np.where(norm > 0, norm, 1)


def _tapered(pixels: np.ndarray) -> np.ndarray:
    """Return images of mean 0 that fade to their borders, so that shifts do not wrap round."""
    fade = [np.sqrt(np.hanning(side + 2)[1:-1]) for side in pixels.shape[1:]]
    window = np.outer(*fade).astype(np.float32)
    return (pixels - pixels.mean((1, 2), keepdims=True)) * window


def _spectra(pixels: np.ndarray, amplitude: np.ndarray) -> np.ndarray:
    """Return complex64 `[n, h, w/2 + 1]` of which the inverse transform has mean 0 and norm 1."""
    height, width = pixels.shape[1:]
    across = np.add.outer(np.fft.fftfreq(height) ** 2, np.fft.rfftfreq(width) ** 2)
    weight = np.exp(-2 * (np.pi * _BLUR) ** 2 * across)
    weight = weight / np.maximum(amplitude, 1e-5 * amplitude.max(initial=1e-30))
    weight[0, 0] = 0
    found = np.empty((len(pixels), *weight.shape), np.complex64)
    for start in range(0, len(pixels), _BLOCK):
        spectrum = rfft2(_tapered(pixels[start : start + _BLOCK])) * weight
        norm = np.sqrt((irfft2(spectrum, s=(height, width)) ** 2).sum((1, 2)))
        found[start : start + _BLOCK] = (
            np.where(norm > _FAINT, 1 / np.maximum(norm, _FAINT), 0)[:, None, None] * spectrum
        )
    return found
