"""What rows that stand alone are worth where subpopulations have a long tail (Feldman 2020).

Data are a mixture of N subpopulations. A learner does not know which of them is how frequent; it
sees n rows, and of each subpopulation l of them. Frequencies are fractions of all rows.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln, logsumexp, xlog1py, xlogy

from overparam.checks import check_count, check_range
from overparam.errors import UsageError

_SUM_TOLERANCE = 1e-6


def zipf_frequencies(n_subpopulations: int, exponent: float = 1.0) -> np.ndarray:
    """Return frequencies that fall as a power of the rank, a_j = j^-s / sum_i i^-s, `[N]`.

    Args:
        n_subpopulations: N. exponent: s >= 0; 0 makes all equally frequent.

    Raises:
        UsageError: a number out of range.

    >>> zipf_frequencies(3).round(4).tolist()
    [0.5455, 0.2727, 0.1818]
    """
    n = check_count("n_subpopulations", n_subpopulations)
    check_range("exponent", exponent, 0)
    weights = np.arange(1.0, n + 1) ** -exponent
    return weights / weights.sum()


def expected_frequency(frequencies: ArrayLike, n_rows: int, n_seen: int) -> float:
    """Return how frequent a subpopulation is on average of which l of n rows were seen: tau_l.

    tau_l = E[a^{l+1} (1 - a)^{n-l}] / E[a^l (1 - a)^{n-l}], the mean over the frequencies a, each
    of which any subpopulation may have.

    It is the price of not fitting such rows: a learner that is wrong on the rows of m
    subpopulations seen l times, and so on all that they would have told, has an error larger by
    m tau_l. Rows that stand alone (l = 1) are worth fitting where tau_1 is not far below 1 / n, as
    it is with a long tail.

    Args:
        frequencies: a, `[N]`, in (0, 1], of sum 1. n_rows: n. n_seen: l, 0 to n.

    Returns:
        tau_l, in (0, 1].

    Raises:
        UsageError: frequencies that are none, a number out of range, or a count that no
            subpopulation can have.

    Cost: O(N). Exact for n rows drawn independently. Source: Feldman 2020 (arXiv:1906.05271),
    theorem 2.3.

    >>> round(1000 * expected_frequency(zipf_frequencies(1000), 1000, 1), 7)
    0.5588094
    """
    a, logs = _log_chances(frequencies, n_rows, n_seen)
    return math.exp(logsumexp(logs + np.log(a)) - logsumexp(logs))


def expected_count(frequencies: ArrayLike, n_rows: int, n_seen: int) -> float:
    """Return how many subpopulations are seen l times on average, in [0, N].

    sum_j C(n, l) a_j^l (1 - a_j)^{n-l}. Times tau_l it is the share of all rows that belong to
    subpopulations seen l times.

    Args, Raises, Cost: as in `expected_frequency`.

    >>> round(expected_count([0.5, 0.5], 2, 1), 9), round(expected_count([0.5, 0.5], 2, 2), 9)
    (1.0, 0.5)
    """
    _, logs = _log_chances(frequencies, n_rows, n_seen)
    ways = gammaln(n_rows + 1) - gammaln(n_seen + 1) - gammaln(n_rows - n_seen + 1)
    return math.exp(logsumexp(logs) + ways)


def _log_chances(frequencies: ArrayLike, n_rows: int, n_seen: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the frequencies, and the log of a^l (1 - a)^{n-l} of each."""
    check_count("n_rows", n_rows)
    check_count("n_seen", n_seen, 0, n_rows)
    a = np.asarray(frequencies, float)
    fit = a.ndim == 1 and a.size and np.isfinite(a).all() and (a > 0).all()
    if not fit or abs(a.sum() - 1) > _SUM_TOLERANCE:
        raise UsageError(
            "frequencies are not those of subpopulations",
            got=f"shape {list(a.shape)}, sum {a.sum():.6g}",
            allowed="[N], all above 0, of sum 1",
            remedy="divide them by their sum",
        )
    logs = xlogy(n_seen, a) + xlog1py(n_rows - n_seen, -np.minimum(a, 1))
    if not np.isfinite(logs).any():
        raise UsageError(
            "no subpopulation can be seen so often",
            got=f"{n_seen} of {n_rows} rows",
            allowed=f"{n_rows}, as there is only one subpopulation",
        )
    return a, logs
