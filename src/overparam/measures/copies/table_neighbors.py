"""Nearest rows of a table of numbers, each column in units of its spread."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.neighbors import NearestNeighbors

from overparam.errors import DataError
from overparam.measures.copies.neighbor_gaps import PLACE


@dataclass(frozen=True, eq=False)
class TableIndex:
    """Rows among which the nearest of others are searched.

    Attributes:
        scale: `[p]`, the interquartile range of each column, or its standard deviation where that
            is 0; infinite for a constant column, which then counts for nothing.
        rows: float64 `[n, p]`, in these units. index: of the rows.
    """

    scale: np.ndarray
    rows: np.ndarray
    index: NearestNeighbors

    @classmethod
    def of(cls, values: np.ndarray) -> TableIndex:
        """Return the index of finite numbers `[n, p]`.

        Raises:
            DataError: columns that are all constant, or so large that their spread overflows.
        """
        held = values.astype(np.float64)
        with np.errstate(over="ignore", invalid="ignore"):
            low, high = np.quantile(held, (0.25, 0.75), axis=0)
            scale = np.where(high > low, high - low, held.std(0))
        if not np.isfinite(scale).all():
            raise DataError("numbers are too large for their spread", remedy="scale the columns")
        if not (scale > 0).any():
            raise DataError("all columns are constant", got=f"{values.shape[1]} columns")
        scale = np.where(scale > 0, scale, np.inf)
        rows = held / scale
        return cls(scale, rows, NearestNeighbors().fit(rows))

    def nearest(
        self, values: np.ndarray, places: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the seven nearest rows of the index to each row, int64 and distances `[m, 7]`.

        Args:
            values: `[m, p]`. places: `[m]`, the row of the index that each is itself.

        Distances are of differences, not of a Gram matrix, in which small ones drown.
        """
        rows = values.astype(np.float64) / self.scale
        found = self.index.kneighbors(rows, min(PLACE + 1, len(self.rows)), return_distance=False)
        far = np.stack([np.linalg.norm(rows - self.rows[near], axis=1) for near in found.T], axis=1)
        if places is not None:
            far[found == places[:, None]] = np.inf
        order = np.argsort(far, axis=1, kind="stable")[:, :PLACE]
        return np.take_along_axis(found, order, 1), np.take_along_axis(far, order, 1)
