"""What the members of an ensemble give away of their subsets, each attacked by the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from overparam.checks import check_choice
from overparam.ensembles.columns import Columns
from overparam.errors import UsageError
from overparam.measures.attack_rates import (
    AdvantageEstimate,
    TprEstimate,
    estimate_advantage,
    estimate_tpr_at_fpr,
)
from overparam.measures.membership import lira_scores, loss_scores, ratio_scores
from overparam.measures.rmia import rmia_scores
from overparam.measures.roc import AucEstimate, estimate_auc
from overparam.measures.row_vulnerability import RowVulnerability, estimate_row_vulnerability

ATTACKS = ("lira", "ratio", "rmia", "loss")
_MOST_ENTRIES = 2_000_000  # of targets x rows that rates are read off


@dataclass(frozen=True)
class Exposure:
    """How well an attack tells the rows of a model's subset from others.

    Attributes:
        attack: its name. scores: float64 `[targets, n]`, higher where membership is more likely.
        auc, advantage: over all rows. tpr: FPR to the TPR there, or to why it is not known.
        baseline: AUC of the loss alone, which needs no other models.
        by_row: each row against its own null, from all members.
        n_targets: the members that were attacked, the first ones; all others are references, too.
    """

    attack: str
    scores: np.ndarray
    auc: AucEstimate
    advantage: AdvantageEstimate
    tpr: Mapping[float, TprEstimate]
    baseline: AucEstimate
    by_row: RowVulnerability
    n_targets: int

    def __repr__(self) -> str:
        lines = [
            f"Exposure to {self.attack}, {self.n_targets} targets",
            f"  AUC        {_told(self.auc.auc, self.auc.low, self.auc.high)}; of the loss alone "
            f"{self.baseline.auc:.3f}",
            "  advantage  "
            + _told(self.advantage.advantage, self.advantage.low, self.advantage.high),
        ]
        for fpr, found in self.tpr.items():
            text = found.reason or _told(found.tpr, found.low, found.high)
            lines.append(f"  TPR at {fpr:g}  {text}")
        return "\n".join(lines)


def exposure_of(
    columns: Columns, attack: str, fprs: tuple[float, ...], confidence: float, *, margins: bool
) -> Exposure:
    """Return the exposure of members; see `Ensemble.membership`.

    Raises:
        UsageError: no such attack, or one of margins where members only name a class.
    """
    check_choice("attack", attack, ATTACKS)
    if attack == "lira" and not margins:
        raise UsageError(
            "members that only name a class have no margins for this attack",
            got=attack,
            allowed="ratio, rmia, loss",
            remedy="give an estimator with probabilities",
        )
    masks, probability = columns.in_subset, columns["probability"]
    statistics = columns["margin"] if margins else probability
    n_targets = max(1, min(len(masks), _MOST_ENTRIES // masks.shape[1]))
    with np.errstate(divide="ignore"):
        losses = -np.log(np.maximum(probability[:n_targets], np.finfo(np.float32).tiny))
    plain = loss_scores(losses)
    if attack == "lira":
        scores = lira_scores(None, statistics, masks).scores
    elif attack == "ratio":
        scores = ratio_scores(None, probability, masks).scores
    elif attack == "rmia":
        scores = rmia_scores(None, probability, masks).scores
    else:
        scores = plain
    scores = scores[:n_targets].copy()  # those of all may be large
    members = masks[:n_targets]
    return Exposure(
        attack,
        scores,
        estimate_auc(scores, members, confidence),
        estimate_advantage(scores, members, confidence),
        {fpr: estimate_tpr_at_fpr(scores, members, fpr, confidence) for fpr in fprs},
        estimate_auc(plain, members, confidence),
        estimate_row_vulnerability(statistics, masks, confidence),
        n_targets,
    )


def _told(value: float, low: float, high: float) -> str:
    return f"{value:.3f} [{low:.3f}, {high:.3f}]"
