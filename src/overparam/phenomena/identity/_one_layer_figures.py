"""Figures of one linear layer on the identity task: its error, its parts, its settings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from overparam.lab.figure import Axis, Chart, ImageGrid, Panel, Series, Table
from overparam.lab.records import Records
from overparam.lab.series import series_over_seeds
from overparam.phenomena.identity._one_layer import LayerProblem

DARKEST = -0.5  # brightness that is drawn black
OPTIMIZERS = {
    "sgd": "gradient descent",
    "momentum": "gradient descent, momentum 0.9",
    "adam": "Adam",
}


class ErrorByCorrelation(Protocol):
    """What the chart needs of an arm: see the phenomenon's `Summary`."""

    @property
    def cosines(self) -> np.ndarray:
        """Correlation of the inputs of each bin with the training image, `[bins]`."""

    @property
    def errors(self) -> np.ndarray:
        """Squared errors relative to the input, `[bins, seeds]`."""

    @property
    def misprediction(self) -> float:
        """Largest relative difference of a bin's mean error from the theory."""


def error_chart(one: ErrorByCorrelation, zero: ErrorByCorrelation | None, n_seeds: int) -> Chart:
    """Return the squared error over the correlation with the training image, and the theory."""
    grid = np.linspace(0, 1, 101)
    far, near = (float(np.nanmean(one.errors[i])) for i in (0, -1))
    series = [
        series_over_seeds("trained, default start", "test", one.cosines, one.errors, "mean"),
        Series("theorem: 4/3 (1 - corr\u00b2)", "theory", grid, 4 / 3 * (1 - grid**2)),
    ]
    if zero is not None:
        series += [
            series_over_seeds("trained, from zero", "control", zero.cosines, zero.errors, "mean"),
            Series("from zero: 1 - corr\u00b2", "theory", grid, 1 - grid**2, dashed=True),
        ]
    return Chart(
        "error_by_correlation",
        f"The error is {near:.2f} for inputs like the training image and {far:.2f} for inputs "
        f"unlike it, within {one.misprediction:.1%} of the theorem",
        "Squared error of the output against the input, relative to the input's own energy, over "
        "the correlation (cosine) of the input with the training image. Dots are seeds, lines "
        f"their means; the thin lines are the theory. Over {n_seeds} seeds the means "
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


def parts_grid(records: Records, problem: LayerProblem, labels: Sequence[str]) -> ImageGrid:
    """Return inputs, the formula's two terms and their sum, and what the networks return.

    Args:
        records: one seed's fully connected layers, each start once.
        problem: of the default start, its inputs those whose outputs the records hold.
    """
    descent = records.where(start="default")[0]
    rows = {
        "input x": problem.inputs,
        "P x, along the 7": problem.projected(),
        "W0 (x - P x), chance": problem.limit() - problem.projected(),
        "their sum": problem.limit(),
    }
    for label, start in (("trained network", "default"), ("trained from zero", "zero")):
        found = records.where(start=start)
        if len(found) and found[0].outcome is not None:
            rows[label] = np.asarray(found[0].outcome.outputs, float)
    side = descent.condition.side
    return ImageGrid(
        "parts",
        "What the training image has nothing of comes out as noise",
        "Columns are inputs that the layer never saw. Its output is the sum of the second and the "
        "third row, and the trained network, the fifth, equals that sum: for this seed to "
        f"{descent.value('deviation'):.0e}. Trained from zero, only the second row is left. "
        f"Grey values from {DARKEST} (black) to 1 (white). Seed {descent.seed}.",
        np.stack([v.reshape(len(labels), side, side) for v in rows.values()]),
        list(rows),
        labels,
        low=DARKEST,
    )


def settings_table(records: Records) -> Table:
    """Return how near every layer, start and optimizer is to the formula."""
    rows = []
    for c in dict.fromkeys(r.condition for r in records):
        found = [r.outcome for r in records if r.condition == c and r.outcome]
        if not found:
            continue
        convolution = c.layer == "convolution"
        d = c.kernel_size**2 if convolution else c.side**2
        rows.append(
            (
                f"{c.kernel_size} x {c.kernel_size} convolution" if convolution else c.layer,
                "W0 = 0" if c.start == "zero" else "W0 random",
                OPTIMIZERS[c.optimizer],
                f"{min(o.rank for o in found)} of {d}",
                int(np.median([o.n_steps for o in found])),
                max(o.deviation_now for o in found),
                max(o.deviation for o in found),
                float(np.mean([o.noise for o in found])),
            )
        )
    descent, adam = (
        max((r.outcome.deviation for r in records if r.outcome and keep(r)), default=np.nan)
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
        f"Descent, with momentum and on patches too, is within {descent:.0e} of the formula; "
        f"Adam leaves it by up to {adam:.1g}",
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
