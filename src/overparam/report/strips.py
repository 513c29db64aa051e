"""An interval as a strip beside its number: where it lies on a scale that several share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from overparam.report.formatting import format_measured


def interval_strip(
    ends: tuple[float, float, float], bounds: Sequence[float], scale: Sequence[float]
) -> dict[str, Any] | None:
    """Return an interval and bounds as percents of a common scale; None where one is unknown.

    Args:
        ends: low end, estimate and high end. bounds: places that are marked.
        scale: values that the scale holds.
    """
    known = [v for v in scale if math.isfinite(v)]
    if not all(map(math.isfinite, ends)):
        return None
    low, high = min(known), max(known)
    span = high - low
    if not 0 < span < math.inf:
        return None

    def percent(value: float) -> float:
        return round(100 * ((value - low) / span), 2)

    return {
        "left": percent(ends[0]),
        "width": round(percent(ends[2]) - percent(ends[0]), 2),
        "at": percent(ends[1]),
        "bounds": [percent(b) for b in bounds],
        "low": format_measured(low, low, high),
        "high": format_measured(high, low, high),
    }
