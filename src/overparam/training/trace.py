"""`Trace`: what was measured along a training, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

Status = Literal["done", "stopped", "diverged"]


@dataclass(frozen=True)
class Trace:
    """What was measured along the training, one entry per traced epoch.

    Attributes:
        epoch: int `[t]`, counted from 1. step: int `[t]`, updates done by then.
        loss: mean loss by set name, `[t]` each; ``"train"`` is always there.
        error: fraction wrong in [0, 1] by set name, `[t]`, rows whose outputs hold NaN among them;
            NaN for floating targets.
        watched: what the `watch` of `train` returned, one per traced epoch; empty without one. It
            is not saved with the model.
    """

    epoch: np.ndarray
    step: np.ndarray
    loss: Mapping[str, np.ndarray]
    error: Mapping[str, np.ndarray]
    watched: tuple[Any, ...] = ()

    def first_epoch_at_error(self, threshold: float, of: str = "train") -> float:
        """Return the first traced epoch whose error is at most `threshold`; NaN if none is."""
        reached = np.flatnonzero(self.error[of] <= threshold)
        return float(self.epoch[reached[0]]) if len(reached) else float("nan")
