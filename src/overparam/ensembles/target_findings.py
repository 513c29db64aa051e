"""What is to be known of an ensemble of regressions before its scores are believed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import stdtrit

from overparam.ensembles.findings import CARRIED, improvement, lost, repeats, sides

if TYPE_CHECKING:
    from overparam.ensembles.target_ensemble import TargetEnsemble

_ONE_SIDED = 0.975


def target_findings_of(ensemble: TargetEnsemble) -> list[str]:
    """Return a sentence for each thing that is amiss; of all that is well, none."""
    found = (
        lost(ensemble),
        sides(ensemble),
        _knows_nothing(ensemble),
        repeats(ensemble),
        _trend(ensemble),
    )
    return [text for text in found if text]


def _knows_nothing(ensemble: TargetEnsemble) -> str:
    """Members that are not shown to be nearer to rows that they did not see than the mean is."""
    columns, y = ensemble.at_ratio(), ensemble.targets
    said = columns["prediction"]
    counts = ~columns.in_subset & ~np.isnan(said)
    n_out = counts.sum(0)
    rows = n_out > 0
    errors = np.where(counts, np.square(said - y), 0.0).sum(0)[rows] / n_out[rows]
    n = len(errors)
    if n < 2:
        return ""
    gain = np.square(y[rows] - y.mean()) * len(y) / (len(y) - 1) - errors
    reach = float(stdtrit(n - 1, _ONE_SIDED)) * float(gain.std(ddof=1)) / n**0.5
    if gain.mean() > reach:
        return ""
    return (
        f"it is not shown that members predict rows that they did not see better than the mean of "
        f"the targets does (mean squared error {errors.mean():.3g}, variance {y.var():.3g}): "
        "residuals say nothing of single targets; take more rows, or another model"
    )


def _trend(ensemble: TargetEnsemble) -> str:
    """Errors out of sample that fall with the order of the fits, as if rows were remembered."""
    found = improvement(ensemble, "error_out", -1)
    if found is None:
        return ""
    return (
        "the mean squared error out of sample falls with the order of the fits, from "
        f"{found[0]:.3g} in the first half to {found[1]:.3g}{CARRIED}"
    )
