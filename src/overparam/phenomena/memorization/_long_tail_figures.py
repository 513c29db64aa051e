"""Figures of a long tail: scores by relatives, errors without rows, and pairs that are alike.

Records are those of cells with the outcomes of `overparam.phenomena.memorization.long_tail`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter

from overparam.lab.figure import Axis, Chart, ImageGrid, Panel, Role, Series, Table
from overparam.lab.phenomenon import TREATMENT
from overparam.lab.records import Records
from overparam.lab.series import series_over_seeds
from overparam.lab.statistics import mean_interval
from overparam.lab.verdict import Clause, Interval, shown, told
from overparam.phenomena.memorization._long_tail_summary import NO_TAIL, Summary
from overparam.phenomena.memorization._removed_rows import SHARES
from overparam.phenomena.memorization._subpopulations import N_CLASSES
from overparam.theory import expected_count, expected_frequency, zipf_frequencies

TITLES = {TREATMENT: "long tail", NO_TAIL: "no tail"}
EDGES = np.array([1, 2, 3, 4, 5, 10, 20, 50])  # rows of a subpopulation, at least
BLUR = 0.8  # pixels: an eye compares blots, not independent pixels
LIMITS = 1.2  # of a blurred pixel, in standard deviations before, black and white


def relatives_chart(records: Records, clauses: Sequence[Clause]) -> list[Chart]:
    """Return memorization and influence over a row's relatives; or no chart."""
    named: list[tuple[str, Role, str, str]] = [
        ("on the row itself", "train", TREATMENT, "memorization"),
        ("on test rows of its kind", "test", TREATMENT, "influence"),
        ("on test rows, no tail", "control", NO_TAIL, "influence"),
    ]
    lines = []
    for label, role, arm, field in named:
        values = _by_relatives(records.where(arm=arm), field)
        levels = np.isfinite(values).any(1)
        if levels.any():
            lines.append(series_over_seeds(label, role, EDGES[levels], values[levels], "mean"))
    if not lines:
        return []
    return [
        Chart(
            "relatives",
            "A row that stands alone decides over test rows of its kind"
            if clauses and shown(*clauses)
            else "What the presence of one row changes, by its relatives",
            "Accuracy of the networks that saw a training row less that of the others: on the row "
            "itself, which is its memorization score, and on test rows of its subpopulation, which "
            "is its influence on them. From left to right it has more relatives in training, from "
            "each mark on up to the next.",
            [
                Panel(
                    "",
                    Axis("Training rows of the subpopulation, at least", "rows", "log"),
                    Axis("Accuracy, row seen less not seen", limits=(-1, 1)),
                    lines,
                )
            ],
        )
    ]


def removal_chart(records: Records, found: Summary | None) -> list[Chart]:
    """Return test errors without some rows, with and without a tail; or no chart.

    Args:
        found: the summary of the treatment, or None.
    """
    panels = [
        Panel(
            title,
            Axis("Training rows removed", "percent"),
            Axis("Test error", "fraction", zero=True),
            lines,
        )
        for arm, title in TITLES.items()
        if (lines := _removal_lines(records.where(arm=arm)))
    ]
    if not panels:
        return []
    title = "Test error without the most memorized rows, and without as many at random"
    if found is not None and found.cost.is_whole and not found.left_out:
        title = (
            f"Without the most memorized {100 * records[0].condition.removed_share:.3g} % of the "
            f"rows the error is {told(found.cost.estimate, '.3f')} above that without as many at "
            "random"
        )
    return [
        Chart(
            "removal",
            title,
            "Networks trained without some rows: the most memorized ones, or as many at random, "
            "for as many updates. Closed form: what it would cost if every row that is removed "
            "were the only one of its subpopulation, of which only a guess were left; a row that "
            "stands alone is worth tau_1, the mean frequency of what was seen once.",
            panels,
        )
    ]


def pairs_grid(records: Records, clauses: Sequence[Clause]) -> list[ImageGrid]:
    """Return the strongest pairs of the first seed that has any; or no figure."""
    for r in records.measured:
        influence = np.asarray(r.outcome.pair_influence, float)
        n = int(np.isfinite(influence).sum())
        if n:
            images = np.asarray(r.outcome.pair_images, float)[:n].swapaxes(0, 1)
            return [
                ImageGrid(
                    "pairs",
                    "Training rows that decide over a test row look like it"
                    if clauses and shown(*clauses)
                    else "Training rows and the test rows over which they decide",
                    f"Seed {r.seed}. Above, training rows that are memorized; in the middle, test "
                    "rows on which networks are right if they saw the row above, and else mostly "
                    "wrong; below, for comparison, other training rows of the test row's class. "
                    "The number is the influence. Images are blurred for the eye, not for the "
                    "networks.",
                    gaussian_filter(images, (0, 0, BLUR, BLUR)),
                    ["memorized row", "test row", "another of its class"],
                    [f"{value:.2f}" for value in influence[:n]],
                    low=-LIMITS,
                    high=LIMITS,
                    notes=[
                        [_likeness(*pair) for pair in zip(row, images[1], strict=True)]
                        for row in images
                    ],
                )
            ]
    return []


def _likeness(image: np.ndarray, test_row: np.ndarray) -> str:
    if not image.std() > 0:  # none, or one of no contrast
        return ""
    r = np.corrcoef(image.ravel(), test_row.ravel())[0, 1]
    return f"correlation to the test row {told(r, '.2f')}"


def tail_table(records: Records, summaries: Mapping[str, Any]) -> Table:
    """Return all that was measured with and without a tail, and what theory says of it."""
    columns: dict[str, list[str]] = {"what": list(ROWS)}
    for arm, title in TITLES.items():
        own = records.where(arm=arm)
        columns[title] = [_told(summaries.get(arm), own, read) for read in ROWS.values()]
    return Table(
        "numbers",
        "What rows that stand alone are worth",
        "Mean over seeds with 95 % interval. Costs are test errors without the most memorized "
        "rows less those without as many at random.",
        columns,
    )


def _mean_of(
    read: Callable[[Any], float], step: float, low: float = 0.0
) -> Callable[[Any, Records], Interval]:
    def mean(_: Any, own: Records) -> Interval:
        values = [read(r.outcome) if r.is_measured else np.nan for r in own]
        return mean_interval(values, step=step, bounds=(low, np.inf))

    return mean


def _theory(_: Any, own: Records) -> float:
    c = own[0].condition
    if c.arm != TREATMENT:
        return float("nan")
    a = zipf_frequencies(c.n_subpopulations)
    return expected_count(a, c.n_train, 1) * expected_frequency(a, c.n_train, 1)


ROWS: dict[str, Callable[[Any, Records], Any]] = {
    "rows that stand alone": _mean_of(lambda o: float((o.n_alike == 1).sum()), 1),
    "test mass of their subpopulations": _mean_of(lambda o: o.mass_alone, 0.001),
    "the same in closed form, tau_1 for each": _theory,
    "their memorization score": lambda found, _: found.memorized,
    "their influence on test rows of their kind": lambda found, _: found.influence,
    "influence of one row of many on its kind": lambda found, _: found.frequent,
    "pairs of high influence": _mean_of(lambda o: float(o.n_pairs), 1),
    "such pairs if no row had influence": _mean_of(lambda o: o.n_pairs_by_chance, 0.1),
    "share of pairs that are of one subpopulation": lambda found, _: found.likeness,
    "test error of networks trained on all rows": _mean_of(lambda o: float(o.errors[0, 0]), 0.001),
    "cost of removing memorized rows": lambda found, _: found.cost,
    "of that, on subpopulations that lost all rows": _mean_of(
        lambda o: o.cost_of_lost, 0.001, -1.0
    ),
    "the cost after longer training": lambda found, _: found.cost_longer,
    "largest training error": lambda found, _: found.train_error,
}


def _told(found: Any, own: Records, read: Callable[[Any, Records], Any]) -> str:
    if found is None or not len(own.measured):
        return "not measured"
    value = read(found, own)
    if isinstance(value, Interval):
        return str(value) if np.isfinite(value.estimate) else "none"
    return told(value, ".3g", "none")


def _by_relatives(records: Records, field: str) -> np.ndarray:
    values = np.full((len(EDGES), len(records)), np.nan)
    for column, r in enumerate(records):
        if r.is_measured:
            level = np.searchsorted(EDGES, r.outcome.n_alike, side="right") - 1
            for row in range(len(EDGES)):
                if (own := r.value(field)[level == row]).size:
                    values[row, column] = own.mean()
    return values


def _removal_lines(records: Records) -> list[Series]:
    if not len(records.measured):
        return []
    c = records[0].condition
    n_removed = np.array([0, *(max(1, round(share * c.n_removed)) for share in SHARES)])
    levels = 100 * n_removed / c.n_train
    unknown = np.full((2, len(levels)), np.nan)
    errors = np.array([r.outcome.errors if r.is_measured else unknown for r in records])
    named: list[tuple[str, Role]] = [("most memorized", "test"), ("at random", "control")]
    lines = [
        series_over_seeds(label, role, levels, errors[:, kind].T, "mean", bounds=(0, 1))
        for kind, (label, role) in enumerate(named)
    ]
    if c.arm == TREATMENT:
        tau = expected_frequency(zipf_frequencies(c.n_subpopulations), c.n_train, 1)
        rise = n_removed * tau * (1 - 1 / N_CLASSES)
        lines.append(Series("closed form", "theory", levels, lines[0].y[0] + rise))
    return lines
