"""An ensemble in ten lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from overparam.errors import OverparamError

if TYPE_CHECKING:
    from overparam.ensembles.ensemble import Ensemble
    from overparam.ensembles.of_members import EnsembleOfMembers

MEMORIZED = 0.25  # a row of at least this score; the published threshold of influential rows
_SHOWN, _FINDINGS, _LETTERS = 5, 2, 110


def lines_of(ensemble: Ensemble) -> list[str]:
    """Return what is shown of an ensemble: its size, what it found, what is amiss."""
    measured = ensemble.members.measured
    accuracy = [np.mean([r.value(n) for r in measured]) for n in ("accuracy_in", "accuracy_out")]
    shares = ", ".join(f"{100 * r:g} %" for r in ensemble.ratios)
    return [
        f"Ensemble: {ensemble.n_models:,} models, {ensemble.model}, each on {shares} of "
        f"{ensemble.n_rows:,} rows, {len(ensemble.classes)} classes{which_scored(ensemble)}",
        f"  accuracy   {_rate(accuracy[0])} on rows seen, {_rate(accuracy[1])} on rows never seen",
        f"  memorized  {_memorized(ensemble)}",
        f"  labels     {_labels(ensemble)}",
        *end_of(ensemble),
    ]


def _rate(value: Any) -> str:
    return "unknown" if np.isnan(value) else f"{value:.4f}"


def end_of(ensemble: EnsembleOfMembers) -> list[str]:
    """Return the last lines: where the study is, what is amiss."""
    lines = [f"  study      {ensemble.folder}"] if ensemble.has_folder else []
    lines += [f"  finding    {text[:_LETTERS]}" for text in ensemble.findings[:_FINDINGS]]
    if len(ensemble.findings) > _FINDINGS:
        lines.append(f"  ... and {len(ensemble.findings) - _FINDINGS} more findings")
    return lines


def which_scored(ensemble: EnsembleOfMembers) -> str:
    """Say of which models the scores are, where those are not all."""
    if len(ensemble.ratios) == 1:
        return ""
    largest = ensemble.ratios[-1]
    scored = int((ensemble.members.ratio_of_each == largest).sum())
    return f"; scores are of the {scored:,} on {100 * largest:g} %"


def _memorized(ensemble: Ensemble) -> str:
    try:
        scores = ensemble.memorization_scores()
    except OverparamError as error:
        return error.what
    order = np.argsort(np.where(np.isnan(scores.estimate), -2, scores.estimate))[::-1]
    share = np.mean(scores.estimate >= MEMORIZED)
    spread = np.median(scores.standard_error[scores.estimate >= MEMORIZED]) if share else np.nan
    first = ", ".join(map(str, order[:_SHOWN].tolist()))
    typical = f" (standard error {spread:.2f})" if share else ""
    return f"{100 * share:.3g} % of rows score above {MEMORIZED:g}{typical}; most: rows {first}"


def _labels(ensemble: Ensemble) -> str:
    try:
        said = ensemble.label_errors()
        first = ", ".join(map(str, said.order[:_SHOWN].tolist()))
        rate = ensemble.noise_rate()
    except OverparamError as error:
        return error.what
    return (
        f"{100 * rate.rate:.3g} % wrong [{100 * rate.low:.3g}, {100 * rate.high:.3g}]; most "
        f"suspicious: rows {first}"
    )
