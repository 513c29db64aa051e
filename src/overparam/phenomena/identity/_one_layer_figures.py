"""Figures of one linear layer on the identity task: its error, its parts, its settings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from overparam.lab.figure import Axis, Chart, ImageGrid, Panel, Series, Table
from overparam.lab.records import Records
from overparam.lab.series import series_over_seeds
from overparam.lab.verdict import told
from overparam.phenomena.identity._one_layer import LayerProblem
from overparam.phenomena.identity._one_layer_summary import Summary
from overparam.phenomena.identity._summary import mean_present
from overparam.streams import Streams

DARKEST = -0.5  # brightness that is drawn black
OPTIMIZERS = {
    "sgd": "gradient descent",
    "momentum": "gradient descent, momentum 0.9",
    "adam": "Adam",
}


_TOLD = {  # in the title of the table
    *(("fully connected", optimizer) for optimizer in OPTIMIZERS),
    ("convolution", "momentum"),
}


def error_charts(one: Summary, zero: Summary, n_seeds: int) -> list[Chart]:
    """Return the squared error over the correlation with the training image, and the theory.

    None where no layer with a default start fitted.
    """
    if not len(one.cosines):
        return []
    grid = np.linspace(0, 1, 101)
    far, near = (mean_present(one.errors[i]) for i in (0, -1))
    title = "Error by the correlation of the input with the training image"
    if not one.left_out.n_planned > one.left_out.n_judged:
        title = (
            f"The error is {near:.2f} for inputs like the training image and {far:.2f} for inputs "
            f"unlike it, within {one.misprediction:.1%} of the theorem"
        )
    series = [
        series_over_seeds("trained, default start", "test", one.cosines, one.errors, "mean"),
        Series("theorem: 4/3 (1 - corr\u00b2)", "theory", grid, 4 / 3 * (1 - grid**2)),
    ]
    if len(zero.cosines):
        series += [
            series_over_seeds("trained, from zero", "control", zero.cosines, zero.errors, "mean"),
            Series("from zero: 1 - corr\u00b2", "theory", grid, 1 - grid**2, dashed=True),
        ]
    chart = Chart(
        "error_by_correlation",
        title,
        "Squared error of the output against the input, relative to the input's own energy, over "
        "the correlation (cosine) of the input with the training image. Dots are seeds, lines "
        f"their means; the thin lines are the theory. Over {n_seeds} seed"
        f"{'' if n_seeds == 1 else 's'} the means "
        f"lie within {one.misprediction:.1%} of it. A start at zero adds no noise: what is left "
        "is the part of the input that the training image has nothing of.",
        [
            Panel(
                "",
                Axis("Correlation of the input with the training image", "cosine"),
                Axis("Squared error", "relative to the input", zero=True),
                series,
            )
        ],
    )
    return [chart]


def parts_grids(
    records: Records, problem_of: Callable[[Any, Streams], tuple[LayerProblem, list[str]]]
) -> list[ImageGrid]:
    """Return inputs, the formula's two terms and their sum, and what the networks return.

    Of the first seed whose layer with the default start was trained; none where there is none.

    Args:
        records: fully connected layers of all seeds, each start once.
        problem_of: of a condition and a seed's streams, the problem of the default start, its
            inputs those whose outputs the records hold, and their labels.
    """
    default = records.where(start="default")
    if not len(default):
        return []
    descent = default[0]
    records = records.where(lambda r: r.seed == descent.seed)
    problem, labels = problem_of(descent.condition, Streams(descent.seed))
    rows = {
        "input x": problem.inputs,
        "P x, along the 7": problem.projected(),
        "W0 (x - P x), chance": problem.limit() - problem.projected(),
        "their sum": problem.limit(),
    }
    for label, start in (("trained network", "default"), ("trained from zero", "zero")):
        found = records.where(start=start)
        if len(found):
            rows[label] = np.asarray(found[0].outcome.outputs, float)
    side = descent.condition.side
    grid = ImageGrid(
        "parts",
        "Inputs, the two terms of the formula, and what the trained layers return",
        "Columns are inputs that the layer never saw. By the formula its output is the sum of the "
        "second and the third row; for this seed the trained network, the fifth, is within "
        f"{told(descent.value('deviation'), '.0e')} of that sum. From zero, the formula leaves "
        "only the second row. "
        f"Grey values from {DARKEST} (black) to 1 (white). Seed {descent.seed}.",
        np.stack([v.reshape(len(labels), side, side) for v in rows.values()]),
        list(rows),
        labels,
        low=DARKEST,
    )
    return [grid]


def settings_table(records: Records, *, whole: bool) -> Table:
    """Return how near every layer, start and optimizer is to the formula.

    Args:
        whole: whether every planned cell is among the records.
    """
    rows = []
    for c in dict.fromkeys(r.condition for r in records):
        found = [r.outcome for r in records if r.condition == c]
        convolution = c.layer == "convolution"
        d = c.kernel_size**2 if convolution else c.side**2
        rows.append(
            (
                f"{c.kernel_size} x {c.kernel_size} convolution" if convolution else c.layer,
                "W0 = 0" if c.start == "zero" else "W0 random",
                OPTIMIZERS[c.optimizer],
                f"{min(o.rank for o in found)} of {d}",
                int(np.median([o.n_steps for o in found])),
                told(max(o.deviation_now for o in found), ".1g", "none"),
                told(max(o.deviation for o in found), ".1g"),
                told(float(np.mean([o.noise for o in found])), ".3g", "none"),
            )
        )
    descent, adam = (
        told(max((r.outcome.deviation for r in records if keep(r)), default=np.nan), ".1g")
        for keep in (
            lambda r: r.condition.optimizer != "adam",
            lambda r: r.condition.optimizer == "adam",
        )
    )
    headers = (
        *("layer", "start", "optimizer", "span", "updates"),
        *("deviation now", "deviation from the limit", "noise"),
    )
    return Table(
        "settings",
        f"Largest deviation from the formula: {descent} with descent, with momentum and on "
        f"patches too; {adam} with Adam"
        if whole and {(r.condition.layer, r.condition.optimizer) for r in records} >= _TOLD
        else "How near each layer is to the formula",
        "Largest values over all seeds and test inputs, but medians of updates and means of "
        "noise. Deviations are from the formula for as many updates, and from its limit. "
        "Noise is relative to that expected of a default start; it has no value where the span "
        "is the whole space, as that of an image's patches can be: there is nothing random left.",
        dict(zip(headers, zip(*rows, strict=True), strict=True)),
        units={
            "span": "dimensions",
            "deviation now": "brightness",
            "deviation from the limit": "brightness",
        },
    )
