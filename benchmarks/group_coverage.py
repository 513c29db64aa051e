"""How often 95 % intervals of `estimate_group_rates` hold the rates of groups. No seconds.

Groups of one rate, for rates from .002 to .5: over all counts of wrong rows of any weight, each as
often as it comes, where groups are few and small; drawn at random where they are many. Groups whose
rates differ: drawn at random, logits of the rates normal. Beside the coverage, how wide intervals
are, in units of Jeffreys' of each group by itself.

    python benchmarks/group_coverage.py [--draws 300]
"""

from __future__ import annotations

import argparse
from functools import cache
from itertools import product

import numpy as np
from scipy.special import expit, logit
from scipy.stats import beta, binom

from overparam.measures.subgroups.pooled_rates import pooled_rates

CONFIDENCE = 0.95
LEAST_CHANCE = 1e-4  # of a count that is looked at
RATES = (0.002, 0.005, 0.007, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.2, 0.3, 0.5)
FEW = ((10, 10), (30, 30), (100, 100), (10, 100), (5, 5, 5))
MANY = ((5, 20), (10, 20), (20, 10))  # groups, rows of each
DIFFERING = ((2, 50, 0.05, 1.0), (3, 30, 0.1, 1.0), (10, 30, 0.05, 1.0), (10, 100, 0.1, 2.0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--draws", type=int, default=300)
    draws = parser.parse_args().draws
    for rows in FEW:
        _tell(f"{' and '.join(map(str, rows))} rows, one rate", [exact(rows, r) for r in RATES])
    for n_groups, n in MANY:
        each = [drawn(n_groups, n, r, 0.0, draws)[0] for r in RATES]
        _tell(f"{n_groups} groups of {n} rows, one rate", each)
    for n_groups, n, rate, spread in DIFFERING:
        held, width = drawn(n_groups, n, rate, spread, draws)
        name = f"{n_groups} groups of {n} rows, rates about {rate}, logits' deviation {spread}"
        print(f"| {name} | {held:.3f} | {width:.2f} of Jeffreys' width |", flush=True)


def exact(rows: tuple[int, ...], rate: float) -> float:
    """Return how often the rate lies in a group's interval, exactly but for the rarest counts."""
    chances = [binom.pmf(np.arange(n + 1), n, rate) for n in rows]
    likely = [np.flatnonzero(chance > LEAST_CHANCE).tolist() for chance in chances]
    held = total = 0.0
    for counts in product(*likely):
        chance = float(np.prod([c[k] for c, k in zip(chances, counts, strict=True)]))
        # Groups of as many rows are alike: one order stands for all.
        low, high = bounds(rows, tuple(sorted(counts)) if len(set(rows)) == 1 else counts)
        held += chance * float(np.mean((low <= rate) & (rate <= high)))
        total += chance
    return held / total


def drawn(n_groups: int, n: int, rate: float, spread: float, draws: int) -> tuple[float, float]:
    """Return how often groups' rates lie in their intervals, and how wide these are."""
    held, width = [], []
    for seed in range(draws):
        rng = np.random.default_rng(seed)
        rates = expit(logit(rate) + spread * rng.standard_normal(n_groups))
        rates = np.full(n_groups, rate) if spread == 0 else rates
        counts = rng.binomial(n, rates)
        order = np.argsort(counts)
        low, high = bounds((n,) * n_groups, tuple(counts[order].tolist()))
        held.append(np.mean((low <= rates[order]) & (rates[order] <= high)))
        ends = beta.ppf([[0.025], [0.975]], counts + 0.5, n - counts + 0.5)
        width.append(np.mean(high - low) / np.mean(ends[1] - ends[0]))
    return float(np.mean(held)), float(np.mean(width))


@cache
def bounds(rows: tuple[int, ...], counts: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    found = pooled_rates(np.array(counts), np.array(rows), CONFIDENCE)
    return found.low, found.high


def _tell(name: str, held: list[float]) -> None:
    print(f"| {name} | {min(held):.3f} to {max(held):.3f} | |", flush=True)


if __name__ == "__main__":
    main()
