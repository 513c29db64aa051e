"""An ensemble of regressions in ten lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from overparam.ensembles.telling import end_of, which_scored
from overparam.errors import OverparamError

if TYPE_CHECKING:
    from overparam.ensembles.target_ensemble import TargetEnsemble

_SHOWN = 5


def target_lines_of(ensemble: TargetEnsemble) -> list[str]:
    """Return what is shown of an ensemble: its size, what it found, what is amiss."""
    measured, variance = ensemble.members.measured, float(ensemble.targets.var())
    seen, unseen = (np.mean([r.value(n) for r in measured]) for n in ("error_in", "error_out"))
    shares = ", ".join(f"{100 * r:g} %" for r in ensemble.ratios)
    return [
        f"Ensemble: {ensemble.n_models:,} models, {ensemble.model}, each on {shares} of "
        f"{ensemble.n_rows:,} rows, targets{which_scored(ensemble)}",
        f"  error      root mean square {_root(seen)} on rows seen, {_root(unseen)} on rows never "
        f"seen (R2 {1 - unseen / variance:.3f})",
        f"  memorized  {_memorized(ensemble)}",
        *end_of(ensemble),
    ]


def _root(square: float) -> str:
    return "unknown" if np.isnan(square) else f"{square**0.5:.4g}"


def _memorized(ensemble: TargetEnsemble) -> str:
    try:
        found = ensemble.memorization_scores()
    except OverparamError as error:
        return error.what
    if np.isnan(found.mean):
        return "not known: no model says anything of a row that it saw"
    order = np.argsort(-np.nan_to_num(found.estimate, nan=-np.inf))[:_SHOWN]
    return (
        f"{100 * found.mean:.3g} % of the targets' variance "
        f"[{100 * found.mean_low:.3g}, {100 * found.mean_high:.3g}]; most: rows "
        + ", ".join(map(str, order.tolist()))
    )
