"""Figures of private training over epsilon: what is memorized, what leaks, what is paid.

Summaries are those of `overparam.phenomena.memorization.differential_privacy`.
"""

from __future__ import annotations

import numpy as np

from overparam.lab.figure import Axis, Chart, Panel, Role, Rule, Series, Table
from overparam.lab.series import series_over_seeds
from overparam.lab.statistics import mean_interval
from overparam.phenomena.memorization._private_summary import Summary
from overparam.theory import PrivacyBound

EPSILON = Axis("Epsilon", "nats", "log")
N_POINTS = 40  # of the line of the bound
BESIDE = 1.2  # factor by which it goes on beyond the first and the last epsilon


def epsilon_chart(private: Summary, plain: Summary | None, seen: bool) -> list[Chart]:
    """Return memorization, advantage and accuracy over epsilon; none where nothing is known.

    Args:
        plain: the same training without noise. seen: whether the claim is.
    """
    bound = _bound(private)
    panels = []
    for title, y, values, before in (
        (
            "rows of rare classes",
            Axis("Memorization score", limits=(-1, 1), zero=True),
            private.memorization,
            None if plain is None else plain.memorization[0],
        ),
        (
            "all rows",
            Axis("Advantage of the attacker", "TPR - FPR", limits=(-1, 1), zero=True),
            private.advantage,
            None if plain is None else plain.advantage[0],
        ),
    ):
        if np.isfinite(values).any():
            line = series_over_seeds("with noise", "test", private.epsilons, values, "mean")
            rules = _rules({"no noise": before})
            panels.append(Panel(title, EPSILON, y, [line, bound], rules))
    kinds: tuple[tuple[str, Role, np.ndarray], ...] = (
        ("frequent", "other", private.frequent),
        ("rare", "test", private.rare),
    )
    lines = [
        series_over_seeds(f"{kind} classes", role, private.epsilons, values, "mean", bounds=(0, 1))
        for kind, role, values in kinds
        if np.isfinite(values).any()
    ]
    if lines:
        rules = _rules(
            {"frequent, no noise": private.frequent_before, "rare, no noise": private.rare_before}
        )
        accuracy = Axis("Test accuracy", "fraction right", zero=True)
        panels.append(Panel("new images", EPSILON, accuracy, lines, rules))
    title = "Memorization, leakage and accuracy over epsilon"
    if seen:
        title = "Noise keeps memorization below what epsilon allows, and rare classes pay for it"
    caption = (
        "Left and middle: by the claim what is measured lies below the line of what epsilon allows "
        "at every epsilon. The dotted rule is the same training, clipped and without noise: where "
        "it lies above the line, it is the noise that holds memorization down. Right: from right "
        "to left noise grows, and rare classes are to fall first."
    )
    return [Chart("epsilon", title, caption, panels, share_y=False)] if panels else []


def epsilon_table(private: Summary, plain: Summary | None) -> Table:
    """Return a row of numbers for each epsilon, and one for no noise."""
    rows = [
        (
            f"{private.epsilons[at]:g}",
            f"{private.noise[at]:.3g}",
            f"{private.bounds[at]:.3g}",
            *_measured(private, at),
        )
        for at in range(len(private.epsilons))
    ]
    if plain is not None:
        rows.append(("no noise", "0", "1", *_measured(plain, 0)))
    headers = (
        *("epsilon", "noise multiplier", "allowed", "memorization of rare classes", "advantage"),
        *("accuracy, frequent classes", "accuracy, rare classes"),
    )
    return Table(
        "epsilons",
        "What is allowed, what is measured and what is paid, by epsilon",
        "Means over seeds with 95 % intervals. What is allowed holds for both memorization and "
        "advantage: an attacker may look at no more than whether the model is right.",
        dict(zip(headers, zip(*rows, strict=True), strict=True)),
        {"noise multiplier": "clipping lengths", "advantage": "TPR - FPR"},
    )


def _measured(summary: Summary, at: int) -> list[str]:
    step = summary.steps[2]
    accuracies = (summary.frequent[at], summary.rare[at])
    return [
        str(summary.score(at)),
        str(summary.gain(at)),
        *(str(mean_interval(values, step=step, bounds=(0, 1))) for values in accuracies),
    ]


def _bound(private: Summary) -> Series:
    ends = private.epsilons[0] / BESIDE, private.epsilons[-1] * BESIDE
    epsilons = np.geomspace(*ends, N_POINTS)
    # Delta is left out: it moves the line by less than its own width.
    allowed = [PrivacyBound(float(epsilon)).advantage for epsilon in epsilons]
    return Series("allowed", "theory", epsilons, np.array(allowed))


def _rules(values: dict[str, np.ndarray | None]) -> list[Rule]:
    means = {label: float(np.mean(v)) for label, v in values.items() if v is not None}
    return [Rule(at, label, axis="y") for label, at in means.items() if np.isfinite(at)]
