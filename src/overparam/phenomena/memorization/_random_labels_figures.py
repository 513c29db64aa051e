"""Figures of networks that fit random labels: errors, training curves, times, and the table.

Records are those of cells with the outcomes of `overparam.phenomena.memorization.random_labels`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from overparam.data.entries import entry_of
from overparam.lab.figure import Axis, Chart, Panel, Role, Rule, Series, Table
from overparam.lab.records import Records
from overparam.lab.series import series_over_seeds
from overparam.lab.statistics import geometric_mean_interval, mean_interval
from overparam.lab.verdict import Interval
from overparam.phenomena.memorization._label_fitting_networks import (
    CONSTRUCTION,
    NETWORKS,
    TOO_SMALL,
)
from overparam.phenomena.memorization._randomised_images import INPUTS, RANDOM, TRUE
from overparam.phenomena.memorization._time_to_fit import FITTED, time_factor

CORRUPTION = Axis("Label corruption", "fraction redrawn")
TRUE_DECAY = f"{TRUE}, weight decay"
# Zhang et al. 2017, Table 1, without augmentation
PUBLISHED = {
    ("small_inception", TRUE): "100.0 / 85.75",
    ("small_inception", TRUE_DECAY): "100.0 / 86.03",
    ("small_inception", RANDOM): "100.0 / 9.78",
    ("alexnet_small", TRUE): "100.0 / 76.07",
    ("alexnet_small", TRUE_DECAY): "100.0 / 77.36",
    ("alexnet_small", RANDOM): "99.82 / 9.86",
    ("mlp_3x512", TRUE): "100.0 / 52.39",
    ("mlp_3x512", TRUE_DECAY): "100.0 / 53.35",
    ("mlp_3x512", RANDOM): "100.0 / 10.48",
    ("mlp_1x512", TRUE): "100.0 / 50.51",
    ("mlp_1x512", TRUE_DECAY): "99.80 / 50.39",
    ("mlp_1x512", RANDOM): "99.34 / 10.61",
}


def error_charts(records: Records, chance: float, finding: str) -> list[Chart]:
    """Return both errors over label corruption; none where nothing is known.

    Args:
        chance: test error of a guess. finding: title where the clauses behind it are shown, or "".
    """
    small = _over_corruption(
        f"training error, {TOO_SMALL}", "control", _swept(records.where(model=TOO_SMALL))
    )

    def lines(own: Records) -> list[Series]:
        swept = _swept(own)
        return [
            *_over_corruption("test error", "test", swept, "test_error"),
            *_over_corruption("training error", "train", swept),
            *small,
        ]

    y = Axis("Error", "fraction wrong", zero=True)
    return _chart_of_networks(
        "error",
        finding or "Training and test error over the share of random labels",
        "From left to right more training labels are redrawn at random, up to all of them. By "
        "the claim the network fits them all, by one recipe, and what it then knows about new "
        "images falls smoothly to nothing. A network with three tenths as many parameters as "
        "there are numbers to fit is not to fit random labels. Labels of the test images are "
        "true.",
        records,
        lines,
        (CORRUPTION, y),
        [Rule(chance, "chance", axis="y")],
    )


def training_curves(records: Records) -> list[Chart]:
    """Return the training loss of labels and of images of noise; none where nothing is known."""

    def lines(own: Records) -> list[Series]:
        settings = (TRUE, RANDOM, *INPUTS[1:])
        return [line for s in settings for line in _training_curve(own.where(setting=s), s)]

    return _chart_of_networks(
        "training_curves",
        "Training loss of true labels, random labels and images of noise",
        "Each line ends where the first of the seeds reaches a training error of 0 and stops. "
        "Images of noise lie far apart, so that their labels are easy to tell from each other.",
        records,
        lines,
        (Axis("Epoch", scale="log"), Axis("Training loss", "nats", "log")),
    )


def time_charts(records: Records, finding: str) -> list[Chart]:
    """Return the time to fit over label corruption; none where nothing is known."""

    def lines(own: Records) -> list[Series]:
        return _over_corruption("time to fit", "train", _swept(own), "epochs_to_fit", relative=True)

    return _chart_of_networks(
        "time_to_fit",
        finding or "Epochs to fit over the share of random labels",
        f"Epochs to a training error of {FITTED:.0%} over those for true labels, by seed.",
        records,
        lines,
        (CORRUPTION, Axis("Time to fit", "true labels = 1")),
    )


def _chart_of_networks(
    name: str,
    title: str,
    caption: str,
    records: Records,
    lines: Callable[[Records], list[Series]],
    axes: tuple[Axis, Axis],
    rules: list[Rule] | None = None,
) -> list[Chart]:
    """Return a chart with a panel for each network that has lines, or no chart at all."""
    own = {model: records.where(model=model) for model in NETWORKS}
    drawn = {model: lines(found) for model, found in own.items() if len(found)}
    panels = [Panel(model, *axes, found, rules or []) for model, found in drawn.items() if found]
    return [Chart(name, title, caption, panels)] if panels else []


def _swept(records: Records) -> Records:
    return records.where(inputs="images", regularizer="none")


def _over_corruption(
    label: str,
    role: Role,
    swept: Records,
    name: str = "train_error",
    *,
    relative: bool = False,
) -> list[Series]:
    """Return the line of a field, relative to true labels if asked; none where nothing is known."""
    if not len(swept):
        return []
    rates, values = swept.matrix(name, by="corruption_rate")
    if relative:
        if rates[0] != 0:
            return []
        values = values / values[:1]
    if not np.isfinite(values).any():
        return []
    bounds = (0, np.inf) if relative else (0, 1)
    return [series_over_seeds(label, role, rates, values, "mean", bounds=bounds)]


def _training_curve(records: Records, setting: str) -> list[Series]:
    if not len(records):
        return []
    losses = np.stack([r.outcome.train_loss for r in records], axis=1)
    common = ~np.isnan(losses).any(1)
    if not common.any():
        return []
    role: Role = "test" if setting == TRUE else "other"
    return [series_over_seeds(setting, role, 1 + np.flatnonzero(common), losses[common])]


def settings_table(records: Records, finding: str, *, countable: bool) -> Table:
    """Return every model and setting, with the published accuracies at the paper's data.

    Args:
        finding: title where the clauses behind it are shown, or "". countable: whether no network
            of the treatment is missing, so that those that are fitted may be counted.
    """
    columns: dict[str, list[str]] = {}
    n_train, fitted = records[0].condition.n_train, []
    for model, setting in dict.fromkeys((r.condition.model, r.condition.setting) for r in records):
        rows, true = (records.where(model=model, setting=s) for s in (setting, TRUE))
        n_test = entry_of(rows[0].condition.dataset).n_test
        errors = _column(rows, "train_error")
        fitted += [np.mean(errors) <= FITTED] if model in NETWORKS else []
        seeds = rows.seeds
        cells_of_row = {
            "model": model,
            "setting": setting,
            "parameters": f"{rows[0].value('n_params'):,}",
            "training error": str(mean_interval(errors, step=1 / n_train, bounds=(0, 1))),
            "test error": str(
                mean_interval(_column(rows, "test_error"), step=1 / n_test, bounds=(0, 1))
            ),
            "epochs to fit": _times(
                geometric_mean_interval(_column(rows, "epochs_to_fit"), step=1), rows
            ),
            "over true labels": _times(time_factor(rows, true, seeds), rows) if len(true) else "",
        }
        if records[0].condition.dataset == "cifar10":
            cells_of_row["published accuracies"] = PUBLISHED.get((model, setting), "")
        for header, text in cells_of_row.items():
            columns.setdefault(header, []).append(text)
    counted = f"{sum(fitted)} of {len(fitted)} settings of the networks are fitted"
    return Table(
        "settings",
        finding or (counted if countable and len(fitted) > 1 else "Which settings are fitted"),
        f"Fitted: a mean training error of at most {FITTED:.0%}. "
        "Mean over seeds (geometric for epochs, of the seeds that were fitted) with 95 % interval. "
        "The construction of Theorem 1 "
        "fits random labels with 2n+d weights, without training: to represent them takes fewer "
        "weights than to find them by gradient descent.",
        columns,
        {
            "training error": "fraction wrong",
            "test error": "fraction wrong",
            "over true labels": "ratio",
            "published accuracies": "training / test, %",
        },
    )


def _times(times: Interval, records: Records) -> str:
    n_fitted = int(np.isfinite(_column(records, "epochs_to_fit")).sum())
    if n_fitted == 0:
        return "not fitted" if records[0].condition.model != CONSTRUCTION else ""
    if n_fitted < len(records):
        return f"fitted in {n_fitted} of {len(records)} cells"
    return str(times)


def _column(records: Records, name: str) -> np.ndarray:
    return np.array([float(r.value(name)) for r in records])
