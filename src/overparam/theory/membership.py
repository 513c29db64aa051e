"""What an attacker can learn about membership: Gaussian likelihood ratio, differential privacy.

An attack says "member" where its score is above a threshold. TPR is the fraction of members it
names, FPR the fraction of non-members. All numbers are fractions without unit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy.special import erf, ndtr, ndtri

from overparam.checks import check_range


@dataclass(frozen=True)
class GaussianShift:
    """The best attack where the statistic is Gaussian and membership shifts its mean.

    N(0, 1) for non-members, N(gap, 1) for members. The likelihood ratio rises with the statistic,
    so thresholds on it are the best attack at every FPR (Neyman and Pearson); with z_f the
    quantile that a standard normal exceeds with probability f:

    AUC = Phi(gap / sqrt 2), TPR at FPR f = 1 - Phi(z_f - gap), advantage = 2 Phi(gap / 2) - 1,
    balanced accuracy = Phi(gap / 2).

    The same curve is the exact limit of every attack on the Gaussian mechanism, with
    gap = sensitivity / noise (gap-Gaussian differential privacy).

    Attributes:
        gap: difference of the means in standard deviations, >= 0.

    Raises:
        UsageError: a gap that is negative or not finite, a rate outside [0, 1].

    Cost: O(1). Sources: Carlini et al. 2022 (arXiv:2112.03570) for the attack; Dong, Roth, Su 2019
    (arXiv:1905.02383), definition 2.6, for the curve.

    >>> shift = GaussianShift(2.0)
    >>> round(shift.auc, 6), round(shift.tpr_at_fpr(0.01), 6), round(shift.balanced_accuracy, 6)
    (0.92135, 0.372081, 0.841345)
    """

    gap: float

    def __post_init__(self) -> None:
        check_range("gap", self.gap, 0)

    @property
    def auc(self) -> float:
        """Probability that a member scores above a non-member, in [1/2, 1]."""
        return float(ndtr(self.gap / math.sqrt(2)))

    @property
    def advantage(self) -> float:
        """Largest TPR - FPR, in [0, 1]."""
        return float(erf(self.gap / math.sqrt(8)))

    @property
    def balanced_accuracy(self) -> float:
        """Largest (TPR + 1 - FPR) / 2, in [1/2, 1]."""
        return float(ndtr(self.gap / 2))

    def tpr_at_fpr(self, fpr: float) -> float:
        """Fraction of members named where a fraction `fpr` of non-members is, in [0, 1]."""
        check_range("fpr", fpr, 0, 1)
        # z_f is -ndtri(f), and 1 - Phi(a) is Phi(-a): the tail keeps its digits.
        return float(ndtr(self.gap + ndtri(fpr)))


@dataclass(frozen=True)
class PrivacyBound:
    """What no attack can exceed where training is (epsilon, delta)-differentially private.

    For data sets with and without the row, any output and any attack,

    TPR <= e^epsilon FPR + delta  and  1 - FPR <= e^epsilon (1 - TPR) + delta.

    Hence TPR at FPR f is at most min(1, e^epsilon f + delta, 1 - (1 - delta - f) / e^epsilon), the
    advantage at most (e^epsilon - 1 + 2 delta) / (e^epsilon + 1), and, from the area under the
    first, AUC at most 1 - (1 - delta)^2 / (e^epsilon + 1). All are tight: the mechanism with four
    outcomes of the source's equations 12 and 13 reaches each of them.

    Two assumptions, both broken easily. *Neighbours differ by one row added or removed*, and
    whether a row is in does not depend on the others. Subsets of a fixed size are not such: there
    a row that is out has been replaced by another; use `of_replacement`. *Rows are independent*:
    of a duplicate that stays in, the bound does not speak.

    Attributes:
        epsilon: >= 0, nats. delta: in [0, 1].

    Raises:
        UsageError: a number out of range.

    Cost: O(1). Sources: Kairouz, Oh, Viswanath 2015 (arXiv:1311.0776), theorem 2.1 and section 5.1
    of its supplement; Humphries et al. 2023 (arXiv:2010.12112) for the advantage. The AUC follows.

    >>> bound = PrivacyBound(math.log(3.0))
    >>> round(bound.advantage, 12), round(bound.auc, 12), round(bound.tpr_at_fpr(0.1), 12)
    (0.5, 0.75, 0.3)
    """

    epsilon: float
    delta: float = 0.0

    def __post_init__(self) -> None:
        check_range("epsilon", self.epsilon, 0)
        check_range("delta", self.delta, 0, 1)

    @property
    def auc(self) -> float:
        """Largest probability that a member scores above a non-member, in [1/2, 1]."""
        return 1 - (1 - self.delta) ** 2 * self._wrong

    @property
    def advantage(self) -> float:
        """Largest TPR - FPR, in [0, 1]."""
        return math.tanh(self.epsilon / 2) + 2 * self.delta * self._wrong

    @property
    def balanced_accuracy(self) -> float:
        """Largest (TPR + 1 - FPR) / 2, in [1/2, 1]."""
        return 1 - (1 - self.delta) * self._wrong

    def tpr_at_fpr(self, fpr: float) -> float:
        """Largest fraction of members named where a fraction `fpr` of non-members is, in [0, 1]."""
        check_range("fpr", fpr, 0, 1)
        if fpr == 0:
            return self.delta
        shrink = math.exp(-self.epsilon)
        steep = fpr / shrink if shrink > 0 else math.inf
        late = (self.delta + fpr) * shrink - math.expm1(-self.epsilon)
        return min(1.0, steep + self.delta, late)

    def of_replacement(self) -> PrivacyBound:
        """Return the bound where the row that is out was replaced by another: two steps.

        (2 epsilon, (1 + e^epsilon) delta), the group privacy of one row removed and one added. A
        delta above 1 is 1, of which nothing is bounded.
        """
        if self.delta == 0:
            return PrivacyBound(2 * self.epsilon)
        grown = self.delta * (1 + math.exp(min(self.epsilon, 700.0)))
        return PrivacyBound(2 * self.epsilon, min(1.0, grown))

    @property
    def _wrong(self) -> float:
        """1 / (e^epsilon + 1) without overflow."""
        return math.exp(-self.epsilon) / (1 + math.exp(-self.epsilon))
