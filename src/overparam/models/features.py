"""Random feature maps: fixed random first layers whose width is the capacity.

Maps are nested. The first p features of a map with P features are the map with p features of the
same seed: widths of one seed are paired, and a path of widths shares one Gram matrix. (The weights
agree bit for bit; the features agree to rounding, since a matrix product may sum in another
order when its width changes.) For the same reason no factor 1/sqrt(p) is applied.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from overparam.checks import check_count, check_range
from overparam.errors import DataError
from overparam.streams import Streams, check_streams


@dataclass(frozen=True, eq=False)
class RandomReluFeatures:
    """Random ReLU features phi_k(x) = max(<v_k, x>, 0), v_k uniform on the unit sphere.

    Attributes:
        directions: v, float64 `[p, d]`, rows of length 1.

    Source: Belkin, Hsu, Ma, Mandal 2019 (arXiv:1812.11118), appendix A.

    >>> identity = RandomReluFeatures(torch.eye(2, dtype=torch.float64))
    >>> identity(torch.tensor([[3.0, -4.0]]))
    tensor([[3., 0.]], dtype=torch.float64)
    """

    directions: Tensor

    @classmethod
    def draw(
        cls, input_dim: int, n_features: int, streams: Streams, *, stream: str = "features"
    ) -> RandomReluFeatures:
        """Draw p = `n_features` features of inputs with d = `input_dim` entries from `streams`.

        Raises:
            UsageError: a size that is not a whole number >= 1.
        """
        normal = _gaussian_rows(input_dim, n_features, streams, stream)
        return cls(torch.from_numpy(normal / np.linalg.norm(normal, axis=1, keepdims=True)))

    @property
    def n_features(self) -> int:
        """Number p of features."""
        return len(self.directions)

    def first(self, n_features: int) -> RandomReluFeatures:
        """Return the map of the first `n_features` features (a view)."""
        check_count("n_features", n_features, 1, self.n_features)
        return RandomReluFeatures(self.directions[:n_features])

    def __call__(self, inputs: Tensor) -> Tensor:
        """Map inputs `[n, *shape]` with d entries each to float64 features `[n, p]`.

        Cost: 2 n p d floating-point operations. NaN inputs give NaN features.

        Raises:
            DataError: inputs whose number of entries is not d.
        """
        return (_flatten(inputs, self.directions.shape[1]) @ self.directions.T).clamp_(min=0)


@dataclass(frozen=True, eq=False)
class RandomFourierFeatures:
    """Random Fourier features: cos(<v_k, x>), sin(<v_k, x>), v_k ~ N(0, I / bandwidth^2).

    Cosine and sine of one frequency are neighbouring columns, cosine first, so p columns use
    ceil(p/2) frequencies. As p grows, <phi(x), phi(x')> / (p/2) tends to the Gaussian kernel
    exp(-|x - x'|^2 / (2 bandwidth^2)).

    Attributes:
        frequencies: v, float64 `[ceil(p/2), d]`, in radians per unit of the input.
        n_features: number p of real columns.

    Source: Rahimi, Recht 2007; as a capacity axis: Belkin, Hsu, Ma, Mandal 2019
    (arXiv:1812.11118), Fig. 2, where one complex feature counts once.

    >>> one = RandomFourierFeatures(torch.tensor([[torch.pi]], dtype=torch.float64), 2)
    >>> one(torch.tensor([[1.0]])).round(decimals=12).abs()
    tensor([[1., 0.]], dtype=torch.float64)
    """

    frequencies: Tensor
    n_features: int

    @classmethod
    def draw(
        cls,
        input_dim: int,
        n_features: int,
        streams: Streams,
        *,
        bandwidth: float = 5.0,
        stream: str = "features",
    ) -> RandomFourierFeatures:
        """Draw p = `n_features` columns for inputs with d = `input_dim` entries from `streams`.

        Args:
            bandwidth: length scale of the kernel in units of the input, > 0. The default 5 is the
                published choice for MNIST pixels in [0, 1].

        Raises:
            UsageError: a size that is not a whole number >= 1, or a bandwidth that is not > 0.
        """
        check_range("bandwidth", bandwidth, 0, open_low=True)
        check_count("n_features", n_features)
        normal = _gaussian_rows(input_dim, (n_features + 1) // 2, streams, stream)
        return cls(torch.from_numpy(normal / bandwidth), n_features)

    def first(self, n_features: int) -> RandomFourierFeatures:
        """Return the map of the first `n_features` columns (a view)."""
        check_count("n_features", n_features, 1, self.n_features)
        return RandomFourierFeatures(self.frequencies[: (n_features + 1) // 2], n_features)

    def __call__(self, inputs: Tensor) -> Tensor:
        """Map inputs `[n, *shape]` with d entries each to float64 features `[n, p]` in [-1, 1].

        Cost: n p d floating-point operations. NaN inputs give NaN features.

        Raises:
            DataError: inputs whose number of entries is not d.
        """
        angles = _flatten(inputs, self.frequencies.shape[1]) @ self.frequencies.T
        return torch.stack((angles.cos(), angles.sin()), dim=2).flatten(1)[:, : self.n_features]


def _gaussian_rows(input_dim: int, n_rows: int, streams: Streams, stream: str) -> np.ndarray:
    # Row-major filling makes the maps nested: more rows only continue the same stream.
    shape = (check_count("n_features", n_rows), check_count("input_dim", input_dim))
    return check_streams(streams).numpy(stream).standard_normal(shape)


def _flatten(inputs: Tensor, input_dim: int) -> Tensor:
    rows = torch.as_tensor(inputs, dtype=torch.float64)
    rows = rows.reshape(len(rows), -1) if rows.ndim else rows
    if rows.ndim != 2 or rows.shape[1] != input_dim:
        raise DataError(
            "inputs do not fit the feature map",
            got=list(inputs.shape),
            allowed=f"[n, ...] with {input_dim} entries a row",
        )
    return rows
