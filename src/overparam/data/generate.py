"""Generated data: Gaussian linear models with a known population, and the 1-D MNIST-like task.

All draws are row by row from streams of their own, so that the first rows of a larger set are
those of a smaller one, and models of different size see the same rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d
from torch import Tensor

from overparam.checks import check_count, check_range
from overparam.data.dataset import Dataset, make_dataset
from overparam.errors import DataError
from overparam.streams import Streams, check_streams

# Gaussian linear models -------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class GaussianLinear:
    """The population y = <x, beta> + e of which a model sees the first p of D features.

    x has independent entries x_j ~ N(0, lambda_j), in the eigenbasis of its covariance, which is
    no loss of generality for estimators that are equivariant under rotation, such as ridge and
    minimum norm; e ~ N(0, sigma^2) is independent of x.

    Attributes:
        coefficients: beta, float64 `[D]`.
        eigenvalues: lambda > 0, float64 `[D]`.
        noise_variance: sigma^2 >= 0.
        n_features: p, how many a model sees, 1 to D.

    Raises:
        DataError: shapes that differ, or values that are not finite or out of range.
    """

    coefficients: Tensor
    eigenvalues: Tensor
    noise_variance: float
    n_features: int

    def __post_init__(self) -> None:
        shape = self.coefficients.shape
        if len(shape) != 1 or shape != self.eigenvalues.shape or not len(self.coefficients):
            raise DataError(
                "coefficients and eigenvalues must have the same shape [D]",
                got=f"{list(shape)} and {list(self.eigenvalues.shape)}",
            )
        if not bool(torch.isfinite(self.coefficients).all()):
            raise DataError("coefficients hold NaN or infinity")
        if not bool((torch.isfinite(self.eigenvalues) & (self.eigenvalues > 0)).all()):
            raise DataError("eigenvalues must be finite and > 0", got=float(self.eigenvalues.min()))
        check_range("noise_variance", self.noise_variance, 0)
        check_count("n_features", self.n_features, 1, len(self.coefficients))

    def draw(self, n: int, streams: Streams, stream: str = "data") -> Dataset:
        """Return n rows: inputs float64 `[n, p]`, targets `[n, 1]`.

        Give a test set a stream of its own, such as ``"test"``.

        Raises:
            UsageError: n < 1.
        """
        check_count("n", n)
        own = check_streams(streams).child(stream)
        normal = torch.from_numpy(own.numpy("inputs").standard_normal((n, len(self.eigenvalues))))
        inputs = normal * self.eigenvalues.sqrt()
        noise = torch.from_numpy(own.numpy("noise").standard_normal(n))
        targets = inputs @ self.coefficients + noise * self.noise_variance**0.5
        return make_dataset(
            inputs[:, : self.n_features].contiguous(),
            targets[:, None],
            None,
            name=f"gaussian_linear(p={self.n_features},D={len(self.coefficients)})/{stream}",
            source="generated",
            licence="public domain",
        )

    def risk(self, coefficients: Tensor) -> Tensor:
        """Return the exact expected squared error of coefficient vectors on a new row.

        R(b) = sum_{j<=p} lambda_j (b_j - beta_j)^2 + sum_{j>p} lambda_j beta_j^2 + sigma^2

        Args:
            coefficients: b, `[p]`, or many of them `[*, p]`.

        Returns:
            `[*]`, in squared units of the target; at least `risk_of_truth`.

        Raises:
            DataError: the last size is not p.

        >>> population = make_gaussian_linear(Streams(0), 5, 2, noise_variance=0.25)[1]
        >>> population.risk(torch.zeros(2, dtype=torch.float64))  # |beta|^2 + sigma^2
        tensor(1.2500, dtype=torch.float64)
        """
        p = self.n_features
        if coefficients.ndim == 0 or coefficients.shape[-1] != p:
            raise DataError(
                "coefficients do not fit the features seen",
                got=list(coefficients.shape),
                allowed=f"[*, {p}]",
            )
        error = coefficients.to(self.coefficients.dtype) - self.coefficients[:p]
        return (error.square() * self.eigenvalues[:p]).sum(-1) + self.risk_of_truth

    @property
    def risk_of_truth(self) -> float:
        """Risk of b = beta_{1..p}: noise variance plus the variance of what is not seen."""
        unseen = self.eigenvalues[self.n_features :] * self.coefficients[self.n_features :].square()
        return self.noise_variance + float(unseen.sum())


def make_gaussian_linear(
    streams: Streams,
    n_train: int,
    n_features: int,
    *,
    n_features_total: int | None = None,
    eigenvalues: Sequence[float] | Tensor | None = None,
    coefficients: Sequence[float] | Tensor | None = None,
    signal: float = 1.0,
    noise_variance: float = 0.0,
    stream: str = "data",
) -> tuple[Dataset, GaussianLinear]:
    """Return n_train rows of a Gaussian linear model, and its population.

    Isotropic by default; misspecified where `n_features_total` exceeds `n_features`; correlated
    (up to rotation) where `eigenvalues` are given. Neither the rows nor the coefficients depend
    on `n_features`, so models that see more features of one seed see more of the same data.

    Args:
        streams: the seed's streams. n_train: rows n. n_features: features seen p.
        n_features_total: D, all features; by default the length of `eigenvalues` or
            `coefficients`, else p.
        eigenvalues: of the covariance, `[D]`, all > 0; by default 1.
        coefficients: beta `[D]`; by default flat, beta_j = sqrt(signal / D).
        signal: |beta|^2 of the flat default, >= 0.
        noise_variance: sigma^2 >= 0.
        stream: name of the stream of rows and noise.

    Raises:
        UsageError: a number out of range. DataError: arrays of wrong shape or value.

    >>> train, population = make_gaussian_linear(Streams(0), 40, 20, n_features_total=100)
    >>> train.input_shape, round(population.risk_of_truth, 6)  # 80 of 100 features are unseen
    ((20,), 0.8)
    """
    check_count("n_train", n_train)
    check_count("n_features", n_features)
    check_range("signal", signal, 0)
    given = next(
        (len(values) for values in (eigenvalues, coefficients) if values is not None), None
    )
    total = n_features_total if n_features_total is not None else given or n_features
    check_count("n_features_total", total, n_features)
    beta = torch.full((total,), (signal / total) ** 0.5, dtype=torch.float64)
    if coefficients is not None:
        beta = torch.as_tensor(coefficients, dtype=torch.float64)
    lambdas = torch.ones(total, dtype=torch.float64)
    if eigenvalues is not None:
        lambdas = torch.as_tensor(eigenvalues, dtype=torch.float64)
    if len(beta) != total or len(lambdas) != total:
        raise DataError(
            "coefficients or eigenvalues do not fit the number of features",
            got=f"{len(beta)} coefficients, {len(lambdas)} eigenvalues",
            allowed=f"{total} of each",
        )
    population = GaussianLinear(beta, lambdas, noise_variance, n_features)
    return population.draw(n_train, streams, stream), population


# The 1-D MNIST-like task ------------------------------------------------------------------------

# Ten digits drawn as curves of twelve points, and the settings of their distortion: the published
# numbers of S. Greydanus 2020, "Scaling down deep learning", arXiv:2011.14439, and its code
# https://github.com/greydanus/mnist1d.
TEMPLATES = np.array(
    [
        [5, 6, 6.5, 6.75, 7, 7, 7, 7, 6.75, 6.5, 6, 5],
        [5, 3, 3, 3.4, 3.8, 4.2, 4.6, 5, 5.4, 5.8, 5, 5],
        [5, 6, 6.5, 6.5, 6, 5.25, 4.75, 4, 3.5, 3.5, 4, 5],
        [5, 6, 6.5, 6.5, 6, 5, 5, 6, 6.5, 6.5, 6, 5],
        [5, 4.4, 3.8, 3.2, 2.6, 2.6, 5, 5, 5, 5, 5, 5],
        [5, 3, 3, 3, 3, 5, 6, 6.5, 6.5, 6, 4.5, 5],
        [5, 4, 3.5, 3.25, 3, 3, 3, 3, 3.25, 3.5, 4, 5],
        [5, 7, 7, 6.6, 6.2, 5.8, 5.4, 5, 4.6, 4.2, 5, 5],
        [5, 4, 3.5, 3.5, 4, 5, 5, 4, 3.5, 3.5, 4, 5],
        [5, 4, 3.5, 3.5, 4, 5, 5, 5, 5, 4.7, 4.3, 5],
    ]
)
PADDING = (36, 60)  # zeros appended, both ends included
SCALE_WIDTH = 0.4  # the factor is uniform in 1 ± half of it
MAX_SHIFT = 48  # the cyclic shift is 0 .. 47
CORRELATED_NOISE_STD = 0.25  # before smoothing; only where the signal is zero
SMOOTHING_STD = 2.0  # points
NOISE_STD = 0.02
SHEAR_WIDTH = 0.75  # the slope is uniform in ± half of it
FULL_LENGTH = 72  # template and most padding
LENGTH = 40

# Mean and standard deviation of an entry over the population (two million drawn rows; standard
# errors below 2e-5). The original divides by those of the set drawn; these are the same to
# its sampling error, and let sets of different size share their rows.
ENTRY_MEAN = -0.00604
ENTRY_STD = 0.15468


def make_mnist1d(streams: Streams, n_train: int, n_test: int) -> tuple[Dataset, Dataset]:
    """Return a training and a test set of the 1-D MNIST-like task, inputs float32 `[n, 40]`.

    Each input is one of ten curves of twelve points, padded with 36 to 60 zeros, stretched to 72
    points, scaled by 0.8 to 1.2, shifted cyclically by 0 to 47, given smooth noise where it is
    zero and white noise everywhere, sheared, and resampled at 40 points. Inputs have mean 0 and
    standard deviation 1 over the population. Every ten rows hold each class once.

    Args:
        streams: the seed's streams; the sets come from its children ``"mnist1d"``/``"train"`` and
            ``"test"``. n_train, n_test: rows, at least 2.

    Raises:
        UsageError: fewer than two rows.

    Source: Greydanus 2020, arXiv:2011.14439. Differs in the standardisation (by the population)
    and in the order of rows (rounds of ten instead of one shuffle).

    >>> train, test = make_mnist1d(Streams(0), 100, 50)
    >>> train.inputs.shape, train.labels.bincount().tolist()
    (torch.Size([100, 40]), [10, 10, 10, 10, 10, 10, 10, 10, 10, 10])
    """
    own = check_streams(streams).child("mnist1d")
    parts = []
    for part, n in (("train", n_train), ("test", n_test)):
        check_count(f"n_{part}", n, 2)
        inputs, labels = draw_mnist1d(own.child(part), n)
        parts.append(
            make_dataset(
                torch.from_numpy(((inputs - ENTRY_MEAN) / ENTRY_STD).astype(np.float32)),
                torch.from_numpy(labels),
                len(TEMPLATES),
                name=f"mnist1d/{part}",
                source="generated as Greydanus 2020, arXiv:2011.14439",
                licence="Apache-2.0",
            )
        )
    return parts[0], parts[1]


def draw_mnist1d(streams: Streams, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return n inputs `[n, 40]` before standardisation, and their labels int64 `[n]`."""
    n_classes = len(TEMPLATES)
    n_rounds = -(-n // n_classes)
    rounds = np.broadcast_to(np.arange(n_classes), (n_rounds, n_classes))
    labels = streams.numpy("labels").permuted(rounds, axis=1).ravel()[:n]
    padding = streams.numpy("padding").integers(PADDING[0], PADDING[1] + 1, n)
    factor = 1 + SCALE_WIDTH * (streams.numpy("scale").random(n) - 0.5)
    shift = streams.numpy("shift").integers(0, MAX_SHIFT, n)
    slope = SHEAR_WIDTH * (streams.numpy("shear").random(n) - 0.5)
    smooth = streams.numpy("smooth noise").standard_normal((n, FULL_LENGTH))
    white = streams.numpy("white noise").standard_normal((n, FULL_LENGTH))

    signal = _stretched(labels, padding) * factor[:, None]
    columns = (np.arange(FULL_LENGTH) - shift[:, None]) % FULL_LENGTH
    signal = np.take_along_axis(signal, columns, axis=1)
    smooth = gaussian_filter1d(CORRELATED_NOISE_STD * smooth, SMOOTHING_STD, axis=1)
    signal = np.where(signal != 0, signal, smooth) + NOISE_STD * white
    signal = signal - slope[:, None] * np.linspace(-0.5, 0.5, FULL_LENGTH)
    return _resampled(signal), labels.astype(np.int64)


def _stretched(labels: np.ndarray, padding: np.ndarray) -> np.ndarray:
    """Return the padded curves, interpolated linearly at 72 points: `[n, 72]`."""
    curves = TEMPLATES - TEMPLATES.mean(1, keepdims=True)
    curves = curves / curves.std(1, keepdims=True)
    curves = (curves - curves[:, :1]) / 6
    n_points = curves.shape[1]
    # The small number tells points of the curve that are zero from the padding.
    padded = np.pad(curves + 1e-8, ((0, 0), (0, 2)))
    last = n_points + padding - 1
    position = np.linspace(0, 1, FULL_LENGTH) * last[:, None]
    left = np.minimum(position.astype(np.int64), n_points)
    fraction = np.clip(position - left, 0, 1)
    row = labels[:, None]
    return padded[row, left] * (1 - fraction) + padded[row, left + 1] * fraction


def _resampled(signal: np.ndarray) -> np.ndarray:
    """Interpolate `[n, 72]` linearly at 40 points: `[n, 40]`."""
    position = np.linspace(0, FULL_LENGTH - 1, LENGTH)
    left = np.minimum(position.astype(np.int64), FULL_LENGTH - 2)
    fraction = position - left
    return signal[:, left] * (1 - fraction) + signal[:, left + 1] * fraction
