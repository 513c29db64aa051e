"""Figures of what the layers of a network show, hold and return."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from overparam.lab.figure import Axis, Chart, Panel, Role
from overparam.lab.series import series_over_seeds
from overparam.lab.verdict import Interval, told
from overparam.phenomena.identity._summary import mean_present

Lines = Mapping[str, tuple[Role, np.ndarray]]
Scores = Mapping[str, np.ndarray]  # by name, `[layers, seeds]`
LAYER = Axis("Layer", "of the deepest network; the last is the output")


def layer_charts(
    trained: Scores, random: Scores, difference: Interval, shuffled: Interval, left_out: str
) -> list[Chart]:
    """Return the scores of the deepest network over its layers, trained and as it starts.

    Args:
        difference, shuffled: of the visible shape in the middle layers, less that of the start:
            trained, and with the trained weights shuffled. left_out: a sentence.
    """
    ends = [told(mean_present(trained["constant"][i]), ".2f") for i in (-2, -1)]
    read = [told(mean_present(s["read_by_layer"][-2]), ".0%") for s in (random, trained)]
    whole = all(np.isfinite(s["read_by_layer"][-2:]).all() for s in (random, trained))
    visible: Lines = {
        "trained": ("test", trained["visible"]),
        "random": ("control", random["visible"]),
        "shuffled weights": ("other", trained["visible_shuffled"]),
    }

    def both(score: str) -> Lines:
        return {"trained": ("test", trained[score]), "random": ("control", random[score])}

    return [
        _chart(
            "visible_shape",
            f"Visible shape in the middle layers, less that of random networks: {difference}"
            if difference.is_whole
            else "What each layer shows of its input",
            "Visible shape: correlation of a layer's leading component with the input, both "
            "without what all inputs have in common (their mean). With the trained weights "
            f"shuffled the difference is {shuffled}. {left_out}",
            Axis("Visible shape", "correlation", zero=True, limits=(-1, 1)),
            visible,
        ),
        _chart(
            "constant",
            f"Correlation with the training image: {ends[0]} in the trained network's last hidden "
            f"layer, {ends[1]} in its output"
            if whole
            else "Correlation of each layer with the training image",
            "Correlation of a layer's leading component with the training image. Unseen inputs "
            "and the training image are alike to some degree anyway.",
            Axis("Correlation with the training image", zero=True, limits=(-1, 1)),
            both("constant"),
        ),
        _chart(
            "read_off",
            f"A linear probe reads {read[0]} of the input off the random network's last hidden "
            f"layer, {read[1]} off the trained one's"
            if whole
            else "How much of the input a linear probe reads off each layer",
            "Share of the variance of unseen inputs that a linear probe of the whole layer "
            "explains, when every activation is known to one part in a hundred: what cannot be "
            "seen can still be read.",
            Axis("Read off the layer", "R²", zero=True),
            both("read_by_layer"),
        ),
        _chart(
            "dependence",
            "The share of the activations that depends on the input, by layer",
            "1 - |mean activations|² / mean |activations|², over the test inputs. 0 would be a "
            "layer that is the same for every input.",
            Axis("Share that depends on the input", zero=True),
            both("dependence"),
        ),
    ]


def _chart(name: str, title: str, caption: str, axis: Axis, lines: Lines) -> Chart:
    series = [
        series_over_seeds(text, role, np.arange(1, len(y) + 1), y, "mean")
        for text, (role, y) in lines.items()
    ]
    return Chart(name, title, caption, [Panel("", LAYER, axis, series)])
