"""What the rule looks at in networks through a narrow layer: labels not fitted, and test errors.

Records are those of cells with the outcomes of `memorization.narrow_bottleneck`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from overparam.data.entries import entry_of
from overparam.lab.phenomenon import TREATMENT
from overparam.lab.records import Records

PLAIN = "no bottleneck"
TRUE, RANDOM = "true", "random"
KEPT = 8  # units with which test error is kept; half of it and less is narrower
WIDE = 32  # units from which on the layer is none to speak of


@dataclass(frozen=True)
class Summary:
    """One arm: sizes `[m]`, and by size and seed `[m, seeds]`, NaN where missing.

    Attributes:
        unfitted: share of random labels that is not fitted. test_error: after true labels.
        steps: of the lattices of both. left_out: what the arm's sentence names and is not there.
    """

    arm: str
    sizes: np.ndarray
    unfitted: np.ndarray
    test_error: np.ndarray
    steps: tuple[float, float]
    left_out: tuple[str, ...]


def summarise(records: Records) -> dict[str, Summary]:
    """Arrange each arm by size and seed."""
    arms = {arm: records.where(arm=arm) for arm in (TREATMENT, PLAIN)}
    return {arm: _summarise_arm(arm, found) for arm, found in arms.items() if len(found)}


def _summarise_arm(arm: str, records: Records) -> Summary:
    c, sizes = records[0].condition, records.levels("bottleneck")
    nothing = np.full((len(sizes), len(records.seeds)), np.nan)
    unfitted, test_error = (
        found.matrix(field, by="bottleneck")[1] if len(found) else nothing
        for found, field in (
            (records.where(labels=RANDOM), "train_error"),
            (records.where(labels=TRUE), "test_error"),
        )
    )
    kinds = records.levels("labels")
    lacking = [f"{kind} labels" for kind in (RANDOM, TRUE) if kind not in kinds]
    if arm == TREATMENT:
        lacking += [] if KEPT in sizes else [f"a layer of {KEPT} units"]
        lacking += [] if min(sizes) < KEPT else ["a narrower layer"]
        lacking += [] if max(sizes) >= WIDE else ["a wide layer"]
    else:
        lacking = [what for what in lacking if what == f"{RANDOM} labels"]
    steps = (1 / c.n_train, 1 / entry_of(c.dataset).n_test)
    return Summary(arm, np.array(sizes, float), unfitted, test_error, steps, tuple(lacking))
