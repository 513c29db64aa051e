"""What the rule looks at in tables and a network: accuracies, gains, and how often two agree.

Records are those of cells with the outcomes of `overparam.phenomena.memorization.hash_table`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from overparam.data.entries import entry_of
from overparam.lab.phenomenon import TREATMENT
from overparam.lab.records import Records
from overparam.lab.selection import smallest_interval
from overparam.lab.statistics import mean_interval, paired_difference
from overparam.lab.verdict import UNKNOWN, Interval
from overparam.phenomena.memorization._hash_tables import EXACT, INVARIANT, NEIGHBORS, NETWORK

TRUE, RANDOM = "true", "random"
NEW, STORED = "new images", "stored rows"
CODE_BOOK = "one-to-one data"


@dataclass(frozen=True)
class Summary:
    """One arm: what the rule looks at; accuracies are fractions right.

    Attributes:
        fitted: training accuracy, the worst of exact table and network on both kinds of labels.
        exact, random: of the exact table after true labels, and of the network after random ones,
            on what is asked.
        invariant_gain, network_gain: invariant less exact keys, network less projected neighbours,
            after true labels.
        agreement: of network and projected neighbours after random labels, less that of guesses.
        chance: accuracy of a guess.
        left_out: what the claim names and the design lacks. has_cells: whether there are any.
    """

    arm: str
    fitted: Interval
    exact: Interval
    random: Interval
    invariant_gain: Interval
    network_gain: Interval
    agreement: Interval
    chance: float
    left_out: tuple[str, ...]
    has_cells: bool


def summarise(records: Records) -> dict[str, Summary]:
    """Judge what is asked of new images, and the exact table on stored rows."""
    arms = {TREATMENT: records.where(asked=NEW), CODE_BOOK: records.where(asked=STORED)}
    c, seeds = records[0].condition, records.seeds
    return {arm: _summarise_arm(arm, found, c, seeds) for arm, found in arms.items()}


def _summarise_arm(arm: str, records: Records, c: Any, seeds: list[int]) -> Summary:
    entry = entry_of(c.dataset)
    step, chance = 1 / entry.n_test, 1 / entry.n_classes

    def right(answerer: str, labels: str, field: str = "test_error") -> np.ndarray:
        errors = {
            r.seed: float(r.value(field)) for r in records.where(answerer=answerer, labels=labels)
        }
        return 1 - np.array([errors.get(seed, np.nan) for seed in seeds])

    def accuracy(answerer: str, labels: str) -> Interval:
        return mean_interval(right(answerer, labels), step=step, bounds=(0, 1))

    fitted = [right(a, kind, "train_error") for a in (EXACT, NETWORK) for kind in (TRUE, RANDOM)]
    book = arm == CODE_BOOK
    return Summary(
        arm=arm,
        fitted=UNKNOWN if book else smallest_interval(np.array(fitted), step=1 / c.n_train),
        exact=accuracy(EXACT, RANDOM if book else TRUE),
        random=accuracy(NETWORK, RANDOM),
        invariant_gain=paired_difference(right(INVARIANT, TRUE), right(EXACT, TRUE), step=step),
        network_gain=paired_difference(right(NETWORK, TRUE), right(NEIGHBORS, TRUE), step=step),
        agreement=mean_interval(_agreements(records.where(labels=RANDOM), seeds), step=step),
        chance=chance,
        left_out=_left_out(records) if not book else (),
        has_cells=bool(len(records.where(answerer=EXACT))),
    )


def _agreements(records: Records, seeds: list[int]) -> np.ndarray:
    """Return of every seed how much oftener network and neighbours agree than guesses would."""
    of = {
        (r.seed, r.condition.answerer): np.asarray(r.outcome.answers)
        for r in records
        if r.is_measured
    }
    pairs = [(of.get((seed, NETWORK)), of.get((seed, NEIGHBORS))) for seed in seeds]
    return np.array([np.nan if a is None or b is None else beyond_chance(a, b) for a, b in pairs])


def beyond_chance(a: np.ndarray, b: np.ndarray) -> float:
    """Return how much oftener `[n]` answers agree than guesses with their frequencies would."""
    k = 1 + int(max(a.max(), b.max()))
    by_chance = np.bincount(a, minlength=k) @ np.bincount(b, minlength=k) / len(a) ** 2
    return float((a == b).mean() - by_chance)


def _left_out(records: Records) -> tuple[str, ...]:
    planned = {(r.condition.answerer, r.condition.labels) for r in records}
    named = [(a, kind) for a in (NETWORK, EXACT, NEIGHBORS) for kind in (TRUE, RANDOM)]
    named += [(INVARIANT, TRUE)]
    return tuple(f"{a}, {kind} labels" for a, kind in named if (a, kind) not in planned)
