"""The three scales of the chapter, in what its phenomena share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from overparam.lab.phenomenon import Scale, ScaleName

# Small images and a larger step, so that a design takes seconds.
SMOKE = {"side": 10, "learning_rate": 1e-3, "max_steps": 2000}
# The size of the paper's images, and training until nothing changes any more.
FULL = {"side": 28, "target_loss": 1e-6, "max_steps": 100_000}
PAPER = "Zhang et al. 2020: 28 x 28 pixels"


def three_scales(
    condition: Any,
    *,
    smoke: Mapping[str, Any],
    full: Mapping[str, Any],
    n_seeds: tuple[int, int, int],
    note: str = "",
) -> dict[ScaleName, Scale]:
    """Return the scales: standard is the condition as it is, the others differ in what is given.

    Args:
        condition: with its defaults; of `SMOKE` and `FULL` it gets the factors that it has.
        smoke, full: beside those.
        n_seeds: at smoke, standard and full. note: of the full scale, beside `PAPER`.
    """
    own = {f.name for f in fields(condition)}
    small, large = ({k: v for k, v in of.items() if k in own} for of in (SMOKE, FULL))
    return {
        "smoke": Scale(condition(**{**small, **smoke}), n_seeds[0]),
        "standard": Scale(condition(), n_seeds[1]),
        "full": Scale(condition(**{**large, **full}), n_seeds[2], f"{PAPER}, {note}".rstrip(", ")),
    }
