"""`Chart` as data: panels with axes, series and rules."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from overparam.lab.figure_checks import Worded, as_numbers, refuse

Role = Literal["train", "test", "control", "theory", "ensemble", "other", "norm"]
Scale = Literal["linear", "log"]
FEW_SEEDS = 3  # an interval from no more than these says little: their dots say more


@dataclass(frozen=True)
class Axis(Worded):
    """One axis: what is measured, in which unit, on which scale.

    Attributes:
        quantity: such as "Random features p". unit: such as "features"; "" for pure numbers.
        scale: linear or log. zero: whether a linear axis must include zero.
        limits: the values that the quantity can take, such as (-1, 1) for a correlation; None for
            all numbers, or [0, 1] where the quantity or its unit is called a fraction.
    """

    quantity: str
    unit: str = ""
    scale: Scale = "linear"
    zero: bool = False
    limits: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.scale not in get_args(Scale):
            refuse(self.quantity, "scale of an axis", self.scale, get_args(Scale))
        first_word = (self.unit or self.quantity).lower().split()[:1]
        if self.limits is None and first_word == ["fraction"]:
            object.__setattr__(self, "limits", (0.0, 1.0))

    @property
    def title(self) -> str:
        """Axis title: quantity, unit and whether it is logarithmic."""
        notes = [n for n in (self.unit, "log scale" if self.scale == "log" else "") if n]
        return f"{self.quantity} ({', '.join(notes)})" if notes else self.quantity


@dataclass(frozen=True)
class Series(Worded):
    """One line with its band and its seeds.

    Where no more than three seeds stand behind a point, there are their dots and no band.

    Attributes:
        label: drawn at the line's end. role: decides colour and dash.
        x: `[m]`. y: `[m]` central values. low, high: `[m]` band, or None.
        dots: `[m, seeds]` single values (NaN where missing), or None.
        statistic: what y is, such as "geometric mean over 5 seeds"; band says what low/high are.
        dashed: tells a second series of one role apart in greyscale.

    Raises:
        DataError: shapes that do not match, values that are no numbers, an unknown role.
    """

    label: str
    role: Role
    x: np.ndarray
    y: np.ndarray
    low: np.ndarray | None = None
    high: np.ndarray | None = None
    dots: np.ndarray | None = None
    statistic: str = ""
    band: str = ""
    dashed: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.role not in get_args(Role):
            refuse(self.label, "role of a series", self.role, get_args(Role))
        self._set(x=as_numbers(self.label, "x", self.x))
        self._set(y=as_numbers(self.label, "y", self.y, self.x.shape))
        if (self.low is None) != (self.high is None):
            refuse(self.label, "a band", "one end", "low and high, or neither")
        for name in ("low", "high"):
            if getattr(self, name) is not None:
                ends = as_numbers(self.label, name, getattr(self, name), self.x.shape)
                self._set(**{name: ends})
        if self.dots is not None:
            dots = np.asarray(self.dots, float)
            if dots.ndim == 0 or len(dots) != len(self.x):
                refuse(self.label, "shape of dots", dots.shape, f"({len(self.x)}, seeds)")
            self._set(dots=dots)
            if self.low is not None:
                self._drop_bands_of_few(np.isfinite(dots.reshape(len(dots), -1)).sum(1))

    def _drop_bands_of_few(self, n_seeds: np.ndarray) -> None:
        few = n_seeds <= FEW_SEEDS
        if few.all():
            self._set(low=None, high=None, band="")
        else:
            ends = {"low": self.low, "high": self.high}
            self._set(**{k: np.where(few, math.nan, v) for k, v in ends.items()})  # type: ignore[arg-type]

    def _set(self, **values: object) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)


@dataclass(frozen=True)
class Rule(Worded):
    """A labelled dotted line at a known place, such as the interpolation threshold.

    Attributes:
        at: place on the axis. label: drawn beside it. axis: "x" (vertical rule) or "y".
    """

    at: float
    label: str
    axis: Literal["x", "y"] = "x"


@dataclass(frozen=True)
class Panel(Worded):
    """One coordinate system with its series, whose bands end where the quantity does."""

    title: str
    x: Axis
    y: Axis
    series: Sequence[Series]
    rules: Sequence[Rule] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.y.limits is not None:
            series = tuple(_within(s, *self.y.limits) for s in self.series)
            object.__setattr__(self, "series", series)


@dataclass(frozen=True)
class Chart(Worded):
    """One or several panels side by side; y ranges are shared where `share_y`.

    Attributes:
        name: file stem, such as "test_error". title: the finding as a sentence.
        caption: what to see and how to read it.
    """

    name: str
    title: str
    caption: str
    panels: Sequence[Panel]
    share_y: bool = True


def _within(series: Series, least: float, most: float) -> Series:
    """Return `series` with its band cut at the quantity's ends, unless its line leaves them too."""
    if series.low is None or series.high is None:
        return series
    line = series.y[np.isfinite(series.y)]
    if ((line < least) | (line > most)).any():  # a difference of such quantities, say
        return series
    low, high = (np.clip(ends, least, most) for ends in (series.low, series.high))
    return dataclasses.replace(series, low=low, high=high)
