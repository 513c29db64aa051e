"""How well a class of models fits random signs: the empirical Rademacher complexity."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from scipy import special
from torch import Tensor

from overparam.checks import check_count, check_range
from overparam.errors import DataError
from overparam.streams import Streams, check_streams


@dataclass(frozen=True)
class MeanEstimate:
    """A mean over independent draws, with its t interval.

    Attributes:
        mean: the mean. low, high: bounds of the interval.
        n_draws: number of draws. confidence: nominal coverage, in (0, 1).
    """

    mean: float
    low: float
    high: float
    n_draws: int
    confidence: float


def estimate_random_sign_fit(
    features: Tensor, streams: Streams, *, n_draws: int = 100, confidence: float = 0.95
) -> MeanEstimate:
    """Return how well least squares on these features fits random signs.

    E_sigma[(1/n) sum_i sigma_i f_sigma(x_i)], f_sigma the least-squares fit to signs sigma_i = -+1,
    each with probability 1/2. Its exact value is rank(features) / n: a class that reaches 1 can
    fit anything, so its empirical Rademacher complexity says nothing about its test error.

    Args:
        features: `[n, p]`. streams: the signs come from the stream ``signs``.
        n_draws: independent sign vectors, >= 2. confidence: of the t interval, in (0, 1).

    Returns:
        Mean in [0, 1], without unit. NaN or infinite features are refused.

    Raises:
        DataError: not `[n, p]`, or not finite.
        UsageError: fewer than two draws, or a confidence outside (0, 1).

    Cost: O(n p min(n, p) + n_draws n min(n, p)). Where it differs from the source: the figure
    quoted there is Pearson's correlation of one draw, near sqrt(p/n); this is its mean square.
    Source: Zhang, Bengio, Hardt, Recht, Vinyals 2017 (arXiv:1611.03530), section 2.2.

    >>> fit = estimate_random_sign_fit(torch.eye(4), Streams(0))
    >>> round(fit.mean, 12)  # four features for four points: every sign vector is fitted
    1.0
    """
    x = _checked(features, n_draws, confidence)
    left, s, _ = torch.linalg.svd(x, full_matrices=False)
    basis = left[:, s > s[0] * max(x.shape) * torch.finfo(s.dtype).eps]
    signs = _signs(len(x), n_draws, streams)
    return _estimate((basis.T @ signs).square().sum(0) / len(x), confidence)


def estimate_rademacher_complexity(
    features: Tensor,
    radius: float,
    streams: Streams,
    *,
    n_draws: int = 100,
    confidence: float = 0.95,
) -> MeanEstimate:
    """Return the empirical Rademacher complexity of linear functions of bounded norm.

    E_sigma sup_{|w| <= B} (1/n) sum_i sigma_i <w, x_i> = (B/n) E_sigma |sum_i sigma_i x_i|. It is
    at most B sqrt(sum_i |x_i|^2) / n, with equality where the x_i are orthogonal.

    Args:
        features: x, `[n, p]`. radius: B, > 0. streams: signs come from the stream ``signs``.
        n_draws: independent sign vectors, >= 2. confidence: of the t interval, in (0, 1).

    Returns:
        Mean in [0, inf), in units of B times x. NaN or infinite features are refused.

    Raises:
        DataError: not `[n, p]`, or not finite.
        UsageError: a radius that is not > 0, fewer than two draws, a confidence outside (0, 1).

    Cost: O(n_draws n p).
    Source: Bartlett, Mendelson 2002, J. Mach. Learn. Res. 3, 463, lemma 22.

    >>> estimate_rademacher_complexity(torch.eye(4), 2.0, Streams(0)).mean  # (2/4) sqrt(4)
    1.0
    """
    check_range("radius", radius, 0, open_low=True)
    x = _checked(features, n_draws, confidence)
    return _estimate(
        radius / len(x) * (x.T @ _signs(len(x), n_draws, streams)).norm(dim=0), confidence
    )


def _checked(features: Tensor, n_draws: int, confidence: float) -> Tensor:
    check_count("n_draws", n_draws, low=2)
    check_range("confidence", confidence, 0, 1, open_low=True, open_high=True)
    x = features.double()
    if x.ndim != 2 or x.numel() == 0 or not bool(torch.isfinite(x).all()):
        raise DataError(
            "features must be a finite matrix", got=list(features.shape), allowed="[n, p], finite"
        )
    return x


def _signs(n: int, n_draws: int, streams: Streams) -> Tensor:
    generator = check_streams(streams).numpy("signs")
    return torch.from_numpy(2.0 * generator.integers(2, size=(n, n_draws)) - 1.0)


def _estimate(draws: Tensor, confidence: float) -> MeanEstimate:
    mean = float(draws.mean())
    half = float(special.stdtrit(len(draws) - 1, (1 + confidence) / 2) * draws.std()) / math.sqrt(
        len(draws)
    )
    return MeanEstimate(mean, mean - half, mean + half, len(draws), confidence)
