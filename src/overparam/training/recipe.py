"""`Recipe`: how a model is trained, as one frozen value; learning-rate schedules and stop rules."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

from torch import Tensor

from overparam.checks import check_choice, check_count, check_range
from overparam.errors import UsageError
from overparam.training.describe import Undescribable, describe, same_object

LossFunction = Callable[[Tensor, Tensor], Tensor]  # (outputs [n, K], labels [n]) -> losses [n]
Precision = Literal["auto", "float32", "bfloat16", "float64"]

LOSSES = ("cross_entropy", "squared_error")
OPTIMIZERS = ("sgd", "adam", "adamw")
PRECISIONS = ("auto", "float32", "bfloat16", "float64")
# Which settings have an effect with which kind; a setting without effect is refused.
_OF_SCHEDULE: dict[str, tuple[str, ...]] = {
    "constant": (),
    "exponential": ("rate", "period"),
    "inverse_sqrt": ("period",),
    "cosine": (),
    "milestones": ("rate", "milestones"),
}
_OF_OPTIMIZER = {"sgd": ("momentum",), "adam": ("betas", "eps"), "adamw": ("betas", "eps")}


@dataclass(frozen=True)
class Schedule:
    """Learning-rate factor as a function of the step; `at(0) = 1` except while warming up.

    Attributes:
        kind: ``constant``; ``exponential`` (factor ``rate`` per ``period`` steps, stepwise);
            ``inverse_sqrt`` (1 / sqrt(1 + floor(step / period)), Nakkiran et al. 2019);
            ``cosine`` (to 0 at the last step); ``milestones`` (factor ``rate`` at each fraction
            of all steps in ``milestones``).
        rate: factor in (0, 1]. period: steps. milestones: fractions in (0, 1), increasing.
        warmup: number of steps over which the factor grows linearly from 0.

    Raises:
        UsageError: a value out of range, milestones that do not rise or are none, or a setting
            that has no effect with this kind.

    >>> Schedule("inverse_sqrt", period=512).at(512 * 3, n_steps=9999)
    0.5
    """

    kind: str = "constant"
    rate: float = 1.0
    period: int = 1
    milestones: tuple[float, ...] = ()
    warmup: int = 0

    def __post_init__(self) -> None:
        check_choice("schedule", self.kind, _OF_SCHEDULE)
        check_range("rate", self.rate, 0, 1, open_low=True)
        check_count("period", self.period)
        check_count("warmup", self.warmup, low=0)
        object.__setattr__(self, "milestones", _rising(self.milestones))
        _check_used(self, self.kind, _OF_SCHEDULE)
        if self.kind == "milestones" and not self.milestones:
            raise UsageError(
                "a schedule of milestones has none",
                got=self.milestones,
                allowed="fractions of all steps, such as (0.5, 0.75)",
            )

    def at(self, step: int, n_steps: int) -> float:
        """Return the factor at `step` (from 0) of `n_steps`."""
        if step < self.warmup:
            return (step + 1) / (self.warmup + 1)
        if self.kind == "exponential":
            return self.rate ** (step // self.period)
        if self.kind == "inverse_sqrt":
            return 1.0 / math.sqrt(1 + step // self.period)
        if self.kind == "cosine":
            return 0.5 * (1 + math.cos(math.pi * step / max(1, n_steps)))
        if self.kind == "milestones":
            return self.rate ** sum(step >= m * n_steps for m in self.milestones)
        return 1.0


@dataclass(frozen=True)
class Recipe:
    """How a model is trained.

    Attributes:
        loss: ``cross_entropy`` (mean over rows, nats), ``squared_error`` (sum over outputs of
            (f - y)^2, mean over rows; integer labels become one-hot targets), or a function
            (outputs `[n, K]`, labels) -> losses `[n]`. One that draws at random draws from a
            stream of its own where it is measured: see `train`.
        optimizer: ``sgd`` (v <- mu v + g, w <- w - eta v), ``adam`` (weight decay added to the
            gradient), ``adamw`` (decoupled weight decay).
        learning_rate: eta > 0. momentum: mu in [0, 1), for sgd.
        betas, eps: Adam's. weight_decay: lambda >= 0, g <- g + lambda w.
        schedule: learning-rate factor per step.
        epochs: number of passes; or steps: number of updates; exactly one of the two.
        batch_size: rows per update; None is the whole set. The last batch of an epoch may be
            smaller and is used.
        stop_at_error: stop a model at the first traced epoch whose training error is at most
            this; None never stops (0.0 stops at interpolation).
        stop_at_loss: the same for the mean training loss.
        trace: at which epochs errors are measured: ``"last"``, ``"every"``, ``"log"`` (about
            eight per doubling), or a whole number k (every k epochs). The last
            epoch always is.
        precision: ``float32``, ``float64``, ``bfloat16`` or ``auto`` (bfloat16 where this
            processor multiplies it much faster). In bfloat16 what is multiplied has 8 bits: copies
            of the weights, hidden units, and the signal that is carried back (so that a tanh unit
            beyond 0.998 passes none). Weights, biases and outputs have 24, and gradients where the
            code is compiled; elsewhere gradients of weights are rounded to 8 as well.

    >>> Recipe(epochs=2, learning_rate=0.1).optimizer
    'sgd'
    """

    loss: str | LossFunction = "cross_entropy"
    optimizer: str = "sgd"
    learning_rate: float = 0.1
    momentum: float = 0.0
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.0
    schedule: Schedule = field(default_factory=Schedule)
    epochs: int | None = None
    steps: int | None = None
    batch_size: int | None = 128
    stop_at_error: float | None = None
    stop_at_loss: float | None = None
    trace: str | int = "last"
    precision: str = "float32"

    def __post_init__(self) -> None:
        if isinstance(self.loss, str):
            check_choice("loss", self.loss, LOSSES)
        check_choice("optimizer", self.optimizer, OPTIMIZERS)
        check_choice("precision", self.precision, PRECISIONS)
        check_range("learning_rate", self.learning_rate, 0, open_low=True)
        check_range("momentum", self.momentum, 0, 1, open_high=True)
        check_range("weight_decay", self.weight_decay, 0)
        check_range("eps", self.eps, 0, open_low=True)
        object.__setattr__(self, "betas", _pair(self.betas))
        _check_used(self, self.optimizer, _OF_OPTIMIZER)
        if not isinstance(self.schedule, Schedule):
            raise UsageError(
                "schedule must be a Schedule",
                got=self.schedule,
                allowed="op.Schedule(...)",
                remedy=f"write schedule=op.Schedule({self.schedule!r}, ...)"
                if isinstance(self.schedule, str)
                else "",
            )
        if (self.epochs is None) == (self.steps is None):
            raise UsageError(
                "a recipe has either epochs or steps",
                got=f"epochs={self.epochs}, steps={self.steps}",
                allowed="exactly one of them",
            )
        check_count("epochs" if self.steps is None else "steps", self.epochs or self.steps or 0)
        if self.batch_size is not None:
            check_count("batch_size", self.batch_size)
        if self.stop_at_error is not None:
            check_range("stop_at_error", self.stop_at_error, 0, 1)
        if self.stop_at_loss is not None:
            check_range("stop_at_loss", self.stop_at_loss, 0)
        if isinstance(self.trace, str):
            check_choice("trace", self.trace, ("last", "every", "log"))
        else:
            check_count("trace", self.trace)
        if self.trace == "last" and (self.stop_at_error, self.stop_at_loss) != (None, None):
            raise UsageError(
                "a stop rule is asked at traced epochs, of which there is only the last",
                got=f"trace='last', stop_at_error={self.stop_at_error}, "
                f"stop_at_loss={self.stop_at_loss}",
                allowed="'every', 'log' or a number of epochs",
                remedy="add trace='every'",
            )

    def stack_key(self) -> tuple[Any, ...]:
        """What must agree between models of one stack; rates and decay may differ."""
        shared = replace(
            self, loss="cross_entropy", learning_rate=1.0, momentum=0.0, weight_decay=0.0
        )
        return (shared, self.loss if isinstance(self.loss, str) else _described(self.loss))

    def n_steps(self, n_train: int) -> int:
        """Number of updates on a training set of `n_train` rows."""
        if self.steps is not None:
            return self.steps
        return (self.epochs or 0) * self.steps_per_epoch(n_train)

    def steps_per_epoch(self, n_train: int) -> int:
        """Number of batches in one pass, the last one possibly smaller."""
        return -(-n_train // min(self.batch_size or n_train, n_train))

    def n_epochs(self, n_train: int) -> int:
        """Number of passes, the last one possibly cut short by `steps`."""
        return -(-self.n_steps(n_train) // self.steps_per_epoch(n_train))

    def traced_epochs(self, n_train: int) -> tuple[int, ...]:
        """The epochs (counted from 1) after which errors are measured.

        >>> Recipe(epochs=20, trace=8).traced_epochs(100)
        (8, 16, 20)
        """
        last = self.n_epochs(n_train)
        if self.trace == "last":
            return (last,)
        if self.trace == "log":
            grid = {round(2 ** (i / 8)) for i in range(8 * last.bit_length() + 1)}
            return tuple(sorted({e for e in grid if e < last} | {last}))
        stride = 1 if self.trace == "every" else int(self.trace)
        return (*range(stride, last, stride), last)


def _described(loss: LossFunction) -> Hashable:
    """What a loss of the user's own computes; two that agree in it are one."""
    try:
        return describe(loss)
    except Undescribable:
        return same_object(loss)


def _check_used(given: Schedule | Recipe, kind: str, uses: Mapping[str, Sequence[str]]) -> None:
    """Refuse a setting that is not at its default and has no effect with this kind."""
    for setting in fields(given):
        name, value = setting.name, getattr(given, setting.name)
        kinds = [k for k, used in uses.items() if name in used]
        if kinds and kind not in kinds and value != setting.default:
            raise UsageError(
                f"{name} has no effect with {kind!r}",
                got=value,
                allowed=f"{name} with {', '.join(kinds)}",
                remedy=f"leave {name} out",
            )


def _rising(milestones: Sequence[float]) -> tuple[float, ...]:
    try:
        values = None if isinstance(milestones, str) else tuple(milestones)
    except TypeError:
        values = None
    if values is None:
        raise UsageError("milestones are numbers", got=milestones, allowed="such as (0.5, 0.75)")
    for value in values:
        check_range("milestones", value, 0, 1, open_low=True, open_high=True)
    if list(values) != sorted(set(values)):
        raise UsageError("milestones must rise", got=values, remedy="sort them")
    return tuple(float(value) for value in values)


def _pair(betas: Sequence[float]) -> tuple[float, float]:
    try:
        first, second = betas
    except (TypeError, ValueError):
        raise UsageError(
            "betas are two numbers", got=betas, allowed="such as (0.9, 0.999)"
        ) from None
    check_range("betas", first, 0, 1, open_high=True)
    check_range("betas", second, 0, 1, open_high=True)
    return float(first), float(second)
