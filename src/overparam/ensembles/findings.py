"""What is to be known of an ensemble before its scores are believed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import spearmanr

from overparam.ensembles.unseen_rows import NEAR, knowledge_of_unseen_rows

if TYPE_CHECKING:
    from overparam.ensembles.ensemble import Ensemble
    from overparam.ensembles.of_members import EnsembleOfMembers

_FEWEST = 8  # members from which on a trend is looked for
_BY_CHANCE = 1e-3  # how often a trend is found where there is none
_AT_ODDS = 0.5  # of answers, above which predictions and outputs contradict each other
_SHOWN = 3  # numbers of members that are named
CARRIED = (
    ": a model that is carried from fit to fit has seen the rows that it is asked about; make a "
    "new one in each fit"
)


def findings_of(ensemble: Ensemble) -> list[str]:
    """Return a sentence for each thing that is amiss; of all that is well, none."""
    return [
        text
        for text in (
            lost(ensemble),
            _no_prior(ensemble),
            sides(ensemble),
            _knows_nothing(ensemble),
            _contradicts(ensemble),
            repeats(ensemble),
            _trend(ensemble),
        )
        if text
    ]


def lost(ensemble: EnsembleOfMembers) -> str:
    """Members that failed or diverged."""
    told = []
    for what in ("failed", "diverged"):
        some = [r for r in ensemble.records if r.status == what]
        if some:
            numbers = ", ".join(str(r.condition.number) for r in some[:_SHOWN])
            why = f": {some[0].error[:150]}" if some[0].error else ""
            told.append(f"{len(some)} members {what} ({numbers}{why})")
    if not told:
        return ""
    return f"{' and '.join(told)}; they say nothing, and failed ones are tried again by a next run"


def _no_prior(ensemble: Ensemble) -> str:
    """A run on all rows that was to give scores their prior, and did not."""
    run = ensemble.members.run
    if run is None or ensemble.members.prior is not None:
        return ""
    why = f": {run.error[:150]}" if run.error else ""
    return (
        f"the run on all rows {run.status}{why}; scores have no prior and are the less sure, most "
        "where members are few"
    )


def sides(ensemble: EnsembleOfMembers) -> str:
    """Rows that every member saw, or none, of those that were not to be left out."""
    masks = ensemble.members.at_ratio().in_subset
    n_in = np.delete(masks.sum(0), ensemble.members.left_out)
    always, never = int((n_in == len(masks)).sum()), int((n_in == 0).sum())
    if not always + never:
        return ""
    return (
        f"{always + never:,} of {ensemble.n_rows:,} rows are in all subsets or in none and have no "
        "score; train more members (every row has both from K = 4 on at a ratio of 0.7)"
    )


def _knows_nothing(ensemble: Ensemble) -> str:
    """Members that know no more of rows that they did not see than which class is frequent."""
    columns, n_classes = ensemble.members.at_ratio(), len(ensemble.classes)
    found = knowledge_of_unseen_rows(columns, ensemble.labels, n_classes)
    if found.is_shown:
        return ""
    told = (
        f"out of sample the members are right in {found.accuracy:.1%}, and the most frequent class "
        f"is {found.most:.1%} of the rows: "
    )
    if found.is_nothing:
        return told + (
            "they know nothing of rows that they did not see (no class is told from the rest: AUC "
            f"within {NEAR} of 1/2), so the noise rate and the order of label errors say nothing "
            "of the labels"
        )
    return told + (
        "it is not shown that they know more of rows that they did not see than which class is the "
        "most frequent; take more rows before you believe the noise rate and the order of label "
        "errors"
    )


def _contradicts(ensemble: Ensemble) -> str:
    """Members that predict other classes than those of their largest outputs."""
    columns = ensemble.members.at_ratio()
    margin = columns["margin"]
    clear = (margin > 0) | (margin < 0)  # neither a tie nor NaN, as of those that only vote
    apart = int((clear & ((margin > 0) != columns["correct"])).sum())
    if not apart > _AT_ODDS * clear.sum():
        return ""
    return (
        f"in {apart / clear.sum():.0%} of the answers one of two is right, what {ensemble.model} "
        "predicts or the class of its largest output: scores by margins, the noise rate and the "
        "order of label errors speak of its outputs, whose columns may be in another order than "
        "its classes_"
    )


def repeats(ensemble: EnsembleOfMembers) -> str:
    """A model of the user's own that keeps something between fits, or draws numbers of its own."""
    gaps = [r.outcome.repeat_gap for r in ensemble.members.measured]
    gap = max((g for g in gaps if g == g), default=0.0)
    if gap == 0.0:
        return ""
    return (
        f"fitted, or made, twice for equal rows with an equal seed, {ensemble.model} gave other "
        f"outputs or weights (by up to {gap:.3g}): it keeps something between fits, or draws "
        "random numbers without the seed, so members depend on their order and on the number of "
        "workers. If it has seen the rows of earlier fits, memorization is read too low: make a "
        "new model in each fit; what makes a network may draw from the global generators, which "
        "are the seed's"
    )


def _trend(ensemble: Ensemble) -> str:
    """Accuracy out of sample that rises with the order of the fits, as if rows were remembered."""
    found = improvement(ensemble, "accuracy_out", 1)
    if found is None:
        return ""
    return (
        "accuracy out of sample rises with the order of the fits, from "
        f"{found[0]:.3f} in the first half to {found[1]:.3f}{CARRIED}"
    )


def improvement(ensemble: EnsembleOfMembers, name: str, sign: int) -> tuple[float, float] | None:
    """Return how a number of members improves with their order; None where that is not shown.

    Args:
        name: of the number. sign: 1 where larger is better, else -1.

    Returns:
        Its mean over the first half of the members at some ratio, and over the second.
    """
    for ratio in ensemble.ratios:
        some = ensemble.members.measured.where(ratio=ratio)
        values = np.array([getattr(r.outcome, name) for r in some])
        order = np.array([r.condition.number for r in some])
        if len(some) < _FEWEST or np.isnan(values).any() or np.ptp(values) == 0:
            continue
        if spearmanr(order, sign * values, alternative="greater").pvalue < _BY_CHANCE:
            half = len(some) // 2
            return float(values[:half].mean()), float(values[half:].mean())
    return None
