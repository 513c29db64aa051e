"""Figures of the proxies' league: memorization in the order of a score, and the table."""

from __future__ import annotations

import numpy as np

from overparam.lab.figure import Axis, Chart, Panel, Role, Table
from overparam.lab.series import series_over_seeds
from overparam.lab.statistics import mean_interval
from overparam.lab.verdict import told
from overparam.phenomena.memorization._league import BASELINES, DRAWN, SCORES, TENTHS, League

ROLES: tuple[Role, ...] = ("test", "other", "ensemble")  # of the scores that are drawn


def order_chart(title: str, trained: League, untrained: League) -> list[Chart]:
    """Return how memorization rises in the order of scores; or no chart."""
    lines = [
        (name.replace("_", " "), role, matrix)
        for name, role, matrix in zip(DRAWN, ROLES, trained.by_tenth, strict=True)
    ]
    place = DRAWN.index("cumulative_loss")
    lines.append(("of an untrained network", "control", untrained.by_tenth[place]))
    tenths = np.arange(1, TENTHS + 1)
    series = [
        series_over_seeds(label, role, tenths, matrix, "mean", bounds=(-1, 1))
        for label, role, matrix in lines
        if np.isfinite(matrix).any()
    ]
    if not series:
        return []
    return [
        Chart(
            "order",
            title,
            "All rows in the order of a score, cut into tenths: the mean memorization score that "
            "retrained models give the rows of each tenth. A score that ranks rows as they do "
            "stays near 0 and rises steeply at the right; one that knows nothing is level.",
            [
                Panel(
                    "",
                    Axis("Tenth of the rows, in the order of the score", "least to most"),
                    Axis("Memorization score of retrained models"),
                    series,
                )
            ],
        )
    ]


def league_table(trained: League, untrained: League, n_flipped: float) -> Table:
    """Return all scores, best first."""
    order = np.argsort(-np.nan_to_num(_means(trained.correlation), nan=-2), kind="stable")
    step = 1 / max(n_flipped, 1)

    def cells(values: np.ndarray, step: float = 0.0, low: float = -1) -> list[str]:
        return [_cell(values[i], step, low) for i in order]

    return Table(
        "league",
        "Proxies and baselines against retrained models",
        "Rank correlation with the memorization score of retrained models, on the rows where that "
        "lies beyond 0.05; the same without the flipped rows; and the share of the flipped labels "
        "among as many top rows. Means over seeds with 95 % intervals. Baselines look at the rows "
        "alone and are the same for both networks. Not defined: a score that is the same for all "
        "rows.",
        {
            "score": [SCORES[i] for i in order],
            "kind": ["baseline" if SCORES[i] in BASELINES else "proxy" for i in order],
            "rank correlation": cells(trained.correlation),
            "of right rows": cells(trained.of_right_rows),
            "errors found": cells(trained.recall, step, 0),
            "untrained: rank correlation": cells(untrained.correlation),
            "untrained: errors found": cells(untrained.recall, step, 0),
        },
    )


def _means(values: np.ndarray) -> np.ndarray:
    known = ~np.isnan(values)
    total = np.where(known, values, 0).sum(1)
    return np.where(known.any(1), total / np.maximum(known.sum(1), 1), np.nan)


def _cell(values: np.ndarray, step: float, low: float) -> str:
    found = mean_interval(values, step=step, bounds=(low, 1))
    return str(found) if np.isfinite(found.low) else told(found.estimate, ".2f", "not defined")
