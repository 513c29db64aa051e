"""Whether members know more of rows that they did not see than which class is the most frequent.

Right answers alone do not tell: where one class holds nearly all rows, a model that ranks the
others perfectly may name none of them. So it is also asked whether a member gives a class more
probability on rows that have it than on rows that have not, which needs no threshold.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from overparam.ensembles.columns import Columns
from overparam.measures.roc import AucEstimate, estimate_auc

NEAR = 0.05  # of an AUC of 1/2: what is called nothing
_WRONG = 0.05  # how often intervals miss, all of one ensemble together
_MOST_ENTRIES = 2**24  # probabilities that are ranked


@dataclass(frozen=True)
class Knowledge:
    """What members show of rows out of sample.

    Attributes:
        accuracy: mean over rows of the share of members that are right. most: share of the most
            frequent class. gain: interval of their difference, paired by row.
        classes: how well each class is told from the rest, within a member; of two classes, one.
    """

    accuracy: float
    most: float
    gain: tuple[float, float]
    classes: tuple[AucEstimate, ...]

    @property
    def is_shown(self) -> bool:
        """Whether they know something."""
        return self.gain[0] > 0 or any(c.low > 0.5 for c in self.classes)

    @property
    def is_nothing(self) -> bool:
        """Whether they know nothing to speak of: every interval lies near chance."""
        near = all(c.low > 0.5 - NEAR and c.high < 0.5 + NEAR for c in self.classes)
        return bool(self.classes) and near and self.gain[1] < NEAR


def knowledge_of_unseen_rows(columns: Columns, labels: np.ndarray, n_classes: int) -> Knowledge:
    """Return what members show of rows that they did not see."""
    outside = ~columns.in_subset & columns.known
    n_out = outside.sum(0)
    right = (columns["correct"] & outside).sum(0)[n_out > 0] / n_out[n_out > 0]
    frequent = labels == np.bincount(labels).argmax()
    gain = _interval(right - frequent[n_out > 0])
    found = Knowledge(float(right.mean()), float(frequent.mean()), gain, ())
    if found.is_shown:
        return found
    classes = _told_apart(columns, labels, n_classes)
    return Knowledge(found.accuracy, found.most, gain, classes)


def _interval(values: np.ndarray) -> tuple[float, float]:
    """A t interval of the mean over rows."""
    n = len(values)
    if n < 2:
        return -1.0, 1.0
    half = float(stdtrit(n - 1, 1 - _WRONG / 2)) * float(values.std(ddof=1)) / n**0.5
    return float(values.mean()) - half, float(values.mean()) + half


def _told_apart(columns: Columns, labels: np.ndarray, n_classes: int) -> tuple[AucEstimate, ...]:
    """Return the AUC of each class against the rest; only of pairs of rows in the same member.

    Between members it would speak of the subsets: a row that is out leaves its class rarer.
    """
    n_members = max(1, min(len(columns), _MOST_ENTRIES // (len(labels) * n_classes)))
    some = columns.some(np.arange(n_members))
    said = np.full((n_classes, n_members, len(labels)), np.nan, np.float32)
    for k, (out, of_member) in enumerate(zip(~some.in_subset, some.each("outside"), strict=True)):
        said[:, k, out] = np.asarray(of_member).T
    known = ~np.isnan(said[0])
    asked = [c for c in range(1 if n_classes == 2 else 0, n_classes) if _both(labels == c, known)]
    confidence = 1 - _WRONG / max(len(asked), 1)
    return tuple(
        estimate_auc(said[c], np.broadcast_to(labels == c, known.shape), confidence) for c in asked
    )


def _both(has_class: np.ndarray, known: np.ndarray) -> bool:
    """Whether some member has rows of a class and others out of sample."""
    return bool(((known & has_class).any(1) & (known & ~has_class).any(1)).any())
