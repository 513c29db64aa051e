"""Charts with a line for each arm over what is swept."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from overparam.lab.figure import Axis, Chart, Panel, Role, Rule
from overparam.lab.phenomenon import TREATMENT
from overparam.lab.series import How, series_over_seeds

TEST_ERROR = Axis("Test error", "fraction wrong", zero=True)
TRAIN_ERROR = Axis("Training error", "fraction wrong, of the labels trained on", zero=True)

Curves = Mapping[str, tuple[np.ndarray, np.ndarray]]  # by arm: levels `[m]`, values `[m, seeds]`


def chart_of_arms(
    name: str,
    title: str,
    caption: str,
    axes: tuple[Axis, Axis],
    curves: Curves,
    *,
    main: Role,
    how: How = "mean",
    bounds: tuple[float, float] = (0, 1),
    labels: Mapping[str, str] | None = None,
    dashed: Collection[str] = (),
    rules: Sequence[Rule] = (),
) -> Chart:
    """Return a chart with a line for each arm of which anything is known.

    Args:
        axes: of what is swept, and of the values. main: role of the treatment; others are controls.
        how, bounds: as in `series_over_seeds`. labels: of arms that are not called by their names.
        dashed: arms whose lines are.
    """
    series = [
        series_over_seeds(
            (labels or {}).get(arm, arm),
            main if arm == TREATMENT else "control",
            levels,
            values,
            how,
            dashed=arm in dashed,
            bounds=bounds,
        )
        for arm, (levels, values) in curves.items()
        if np.isfinite(values).any()
    ]
    return Chart(name, title, caption, [Panel("", *axes, series, list(rules))])


_OF_FITS: Mapping[str, tuple[Axis, Role, How, tuple[float, float]]] = {
    "test_error": (TEST_ERROR, "test", "geometric", (0, 1)),
    "coefficient_norm": (
        Axis("Norm of the coefficients", "1 / feature unit", "log"),
        "norm",
        "geometric",
        (0, np.inf),
    ),
    # A training error may be 0, and so has no geometric mean.
    "train_error": (
        Axis("Training error", "fraction wrong, of the noisy labels", zero=True),
        "train",
        "mean",
        (0, 1),
    ),
}


def chart_of_fits(
    name: str,
    title: str,
    caption: str,
    x: Axis,
    curves: Curves,
    labels: Mapping[str, str],
    threshold: Rule,
) -> Chart:
    """Return a chart of one field of regression fits on random features, controls dashed.

    Args:
        name: the field: ``test_error``, ``coefficient_norm`` or ``train_error``.
    """
    y, role, how, bounds = _OF_FITS[name]
    return chart_of_arms(
        name,
        title,
        caption,
        (x, y),
        curves,
        main=role,
        how=how,
        bounds=bounds,
        labels=labels,
        dashed=[arm for arm in curves if arm != TREATMENT],
        rules=[threshold],
    )
