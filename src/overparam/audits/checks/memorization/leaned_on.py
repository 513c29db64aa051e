"""OP207: rows that only help themselves, and rows that many test rows lean on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from overparam.audits.check import Check
from overparam.audits.evidence import Evidence
from overparam.audits.finding import Finding, Measured
from overparam.audits.subject import Subject
from overparam.measures.influence import influence_matrix

_MEMORIZED, _BY_HEART = 0.25, 0.5  # memorization of rows that are looked at, as published
_MOST_ROWS, _MOST_TESTS = 500, 1000  # that are looked at, the most memorized rows
_N_SHUFFLES = 39  # the largest of so many and one is beyond them by chance in one of 40


@dataclass(frozen=True, eq=False)
class _Leaning:
    """How many test rows lean on each row, and by chance.

    A test row that is right only where the row was trained on counts 1, and else the square of the
    row's influence on it: what chance does to many pairs a little counts little.

    Attributes:
        weight: `[r]`, summed over test rows.
        by_chance: `[shuffles, r]`, the same where models are dealt other subsets than their own.
    """

    weight: np.ndarray
    by_chance: np.ndarray

    @property
    def excess(self) -> Measured:
        """Test rows that lean on one of the rows, beyond those by chance."""
        total, chance = float(self.weight.sum()), self.by_chance.sum(1)
        return Measured(
            total - float(chance.mean()),
            float(total - chance.max()),
            float(total - chance.min()),
            "test rows",
            0.0,
            "by chance",
        )

    @property
    def is_leaned_on(self) -> np.ndarray:
        """Rows that more test rows lean on than on any row by chance."""
        return self.weight > self.by_chance.max()

    @property
    def is_alone(self) -> np.ndarray:
        """Rows that no more test rows lean on than on most rows by chance."""
        return self.weight <= np.median(self.by_chance)


def _run(evidence: Evidence) -> Finding:
    scores = evidence.models.ensemble.memorization_scores(confidence=evidence.confidence)
    memorized = np.flatnonzero(scores.estimate >= _MEMORIZED)
    rows = memorized[np.argsort(-scores.estimate[memorized], kind="stable")][:_MOST_ROWS]
    if not len(rows):
        return Finding(
            "passed",
            "No row is memorized (score of 0.25 or more), so no test row leans on a single one",
        )
    found = _leaning(evidence, rows)
    n_models, n_tests = evidence.models.n_models, min(len(evidence.test), _MOST_TESTS)
    details = {
        "n_rows": len(rows),
        "n_test": n_tests,
        "weight": float(found.weight.sum()),
        "by_chance": float(found.by_chance.sum(1).mean()),
    }
    if found.excess.low <= 0:
        return Finding(
            "undecided",
            f"{n_models} models do not tell which rows test rows lean on: {found.excess} of "
            f"{n_tests:,} beyond chance",
            measured=found.excess,
            action="a larger --budget: some hundred models tell single pairs",
            details=details,
        )
    leaned, alone = found.is_leaned_on, found.is_alone & (scores.low[rows] > _BY_HEART)
    first = np.flatnonzero(leaned)[np.argsort(-found.weight[leaned], kind="stable")]
    order = np.concatenate([first, np.flatnonzero(alone)])
    details |= {"n_leaned_on": int(leaned.sum()), "n_alone": int(alone.sum())}
    return Finding(
        "found",
        f"{leaned.sum():,} rows are leaned on by more test rows than chance allows, and "
        f"{alone.sum():,} rows that are surely known by heart help only themselves; in all it is as "
        f"if {found.excess} of {n_tests:,} were right because of a single row alone",
        severity="low",
        measured=found.excess,
        action="check the labels of rows that many test rows lean on first, for they teach others; "
        "rows that help only themselves can be left out, if OP103 says that memorizing costs",
        rows=rows[order],
        row_columns={
            "test rows that lean on it": found.weight[order],
            "by chance": found.by_chance.mean(0)[order],
            "memorization": scores.estimate[rows[order]],
            "helps only itself": alone[order],
        },
        details=details,
    )


def _leaning(evidence: Evidence, rows: np.ndarray) -> _Leaning:
    models = evidence.models
    masks = np.array(models.in_subset[:, rows])
    right = np.array(models.ensemble.columns["test_correct"][:, :_MOST_TESTS])
    rng = np.random.default_rng(evidence.seed)
    dealt = [rng.permutation(len(masks)) for _ in range(_N_SHUFFLES)]
    return _Leaning(
        _weight(masks, right), np.stack([_weight(masks[order], right) for order in dealt])
    )


def _weight(masks: np.ndarray, right: np.ndarray) -> np.ndarray:
    influence = np.nan_to_num(influence_matrix(masks, right))
    return np.asarray((np.maximum(influence, 0).astype(float) ** 2).sum(1))


def _applies(subject: Subject) -> str:
    return "" if subject.has_classes else "the targets are numbers: no answer is right or wrong"


CHECK = Check(
    "OP207",
    "Rows that others lean on",
    _run,
    ("models", "test"),
    _applies,
    "memorization/long_tail",
)
