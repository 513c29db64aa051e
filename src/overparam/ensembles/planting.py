"""Rows of which the truth is known, planted in data: wrong labels, alone and with a copy."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from overparam.checks import check_count
from overparam.data.examples import Examples
from overparam.data.rows import take_rows
from overparam.errors import DataError
from overparam.streams import Streams

SHARE = 0.05  # of the rows get a wrong label
FEWEST = 10  # wrong labels, below which a recall says nothing
_MOST_SHARE = 0.25  # of the rows


@dataclass(frozen=True, eq=False)
class Planted:
    """Data with planted rows: the n given rows in their order, then copies of some.

    A wrong label that stands alone is learned by heart; one with a copy is taught by its twin, so
    that a model without the row says the same. Both are as wrong, and as hard to learn.

    Attributes:
        examples: n + copies rows. is_flipped: bool `[n + copies]`, given a wrong label, alone.
        is_twin: bool, given a wrong label and a copy, or being the copy. is_own: bool, rows with
            the label that they came with.
    """

    examples: Examples
    is_flipped: np.ndarray
    is_twin: np.ndarray

    @property
    def is_own(self) -> np.ndarray:
        """Which rows have the label that they came with."""
        return ~(self.is_flipped | self.is_twin)


def plant(examples: Examples, n_planted: int | None, streams: Streams) -> Planted:
    """Return data with wrong labels planted, drawn from the stream ``planted``.

    Args:
        examples: n rows of two classes at least.
        n_planted: wrong labels that stand alone, 10 to n / 4, by default 5 % of n; half as many
            others get one with a copy.

    Raises:
        DataError: fewer than 40 rows. UsageError: a number out of range.
    """
    n, present = len(examples), np.unique(examples.labels)
    most = int(_MOST_SHARE * n)
    if most < FEWEST:
        raise DataError(
            "too few rows to plant errors in and judge proxies by them",
            got=n,
            allowed=f">= {int(FEWEST / _MOST_SHARE)}",
        )
    m = max(FEWEST, round(SHARE * n)) if n_planted is None else n_planted
    check_count("n_planted", m, FEWEST, most)
    generator = streams.numpy("planted")
    chosen = generator.permutation(n)[: m + m // 2]
    alone, copied = chosen[:m], np.sort(chosen[m:])
    labels = examples.labels.copy()
    place = np.searchsorted(present, labels[chosen]) + generator.integers(
        1, len(present), len(chosen)
    )
    labels[chosen] = present[place % len(present)]
    rows = np.concatenate([np.arange(n), copied])
    is_flipped, is_twin = np.zeros((2, len(rows)), bool)
    is_flipped[alone], is_twin[copied], is_twin[n:] = True, True, True
    planted = replace(examples, inputs=take_rows(examples.inputs, rows), labels=labels[rows])
    return Planted(planted, is_flipped, is_twin)
