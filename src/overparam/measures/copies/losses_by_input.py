"""Mean losses over models and test rows, of which those of one input are copies of each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import betaincinv, stdtrit

from overparam.measures.clustering import Spread, clustered_spread

Interval = tuple[float, float, float]  # a mean and its bounds


def by_input(parts: np.ndarray, of_input: np.ndarray) -> np.ndarray:
    """Return the sums of parts `[K, n]` over the rows of each input, `[K, inputs]`."""
    return np.stack([np.bincount(of_input, each) for each in parts])


def mean_losses(
    losses: np.ndarray, inputs: np.ndarray, sides: Sequence[np.ndarray], confidence: float
) -> list[Interval]:
    """Return the mean over models and rows of each side, with its interval; NaN of an unknown one.

    Of 0 and 1 the mean is as good as one over so many independent draws, and has their Jeffreys'
    interval. Else it is Student's; but one side's inputs count as no more alike than those of all
    sides are about their means: of a long tail, few inputs hold nothing or too much, and their mean
    is as wrong then as their spread.

    Args:
        losses: `[K, n]`, NaN where not known. inputs: `[n]`, equal for copies. sides: bool `[n]`.
    """
    known = ~np.isnan(losses)
    means = [
        _mean(losses[:, rows], inputs[rows]) if known[:, rows].any() else None for rows in sides
    ]
    some = [mean for mean in means if mean is not None]
    nothing = (np.nan, np.nan, np.nan)
    if np.isin(losses[known], (0, 1)).all():
        return [nothing if mean is None else mean.of_a_rate(confidence) for mean in means]
    apart = np.concatenate([mean.apart for mean in some])
    freedom = max(len(apart) - len(some), 1)
    pooled = Spread(float((apart**2).sum()) / freedom, freedom)
    return [nothing if mean is None else mean.of_numbers(pooled, confidence) for mean in means]


@dataclass(frozen=True, eq=False)
class _Mean:
    """A mean over models and inputs.

    Attributes:
        mean: over known entries. spread: its variance. n_models: counted.
        apart: `[inputs]`, how far the mean of each input is from it. shares: of entries, by input.
        most_draws: that entries are worth, were a model's losses on copies always equal.
        input_draws: the same, were those of all models equal as well.
    """

    mean: float
    spread: Spread
    n_models: int
    apart: np.ndarray
    shares: np.ndarray
    most_draws: float
    input_draws: float

    def of_a_rate(self, confidence: float) -> Interval:
        mean, spread, trials = self.mean, self.spread, self.input_draws
        if spread.variance > 0:
            trials = min(mean * (1 - mean) / spread.variance, self.most_draws)
            if self.n_models > 1:  # of one model each input is a draw, and its variance is known
                level = (1 + confidence) / 2
                trials *= float(stdtrit(np.inf, level) / stdtrit(spread.freedom, level)) ** 2
        a, b, level = mean * trials + 0.5, (1 - mean) * trials + 0.5, (1 - confidence) / 2
        low = 0.0 if mean == 0 else float(betaincinv(a, b, level))
        high = 1.0 if mean == 1 else float(betaincinv(a, b, 1 - level))
        return mean, low, high

    def of_numbers(self, pooled: Spread, confidence: float) -> Interval:
        if len(self.shares) < 2:
            return self.mean, -np.inf, np.inf
        free = len(self.shares) / (len(self.shares) - 1)
        own = free * float(((self.apart * self.shares) ** 2).sum())
        more = Spread(
            max(pooled.variance * float((self.shares**2).sum()) - own, 0.0), pooled.freedom
        )
        known = Spread(free * self.spread.variance, self.spread.freedom)
        reach = float(np.hypot(known.half_width(confidence), more.half_width(confidence)))
        return self.mean, self.mean - reach, self.mean + reach


def _mean(losses: np.ndarray, inputs: np.ndarray) -> _Mean:
    known = ~np.isnan(losses)
    rows = known.any(0)
    of_input = np.unique(inputs[rows], return_inverse=True)[1]
    counts = by_input(known[:, rows].astype(np.float64), of_input)
    n, sizes = counts.sum(), np.bincount(of_input)
    mean = float(losses[known].mean())
    parts = by_input(np.where(known, losses - mean, 0.0)[:, rows], of_input) / n
    return _Mean(
        mean,
        clustered_spread(parts.sum(0), parts.sum(1), float((parts**2).sum())),
        len(losses),
        n * parts.sum(0) / counts.sum(0),
        counts.sum(0) / n,
        float(n**2 / (counts**2).sum()),
        float(sizes.sum() ** 2 / (sizes**2).sum()),
    )
