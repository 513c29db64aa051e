"""`Stepper`: the training loop of one stack: epochs, traces, stop rules, divergence.

How the models of a stack are updated and measured is behind `Models`: side by side as batched
products or mapped modules (`batched.py`), each by itself in compiled code (`native`), or one
module as it is (`alone.py`).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from overparam.data.dataset import Dataset
from overparam.stopping import is_stop
from overparam.streams import Streams
from overparam.training.batches import Orders
from overparam.training.recipe import Recipe
from overparam.training.trace import Status, Trace

Progress = Callable[[int], None]  # told how many updates of one model were just made
Watch = Callable[["Member", dict[str, Tensor], nn.Module | None], Any]


@dataclass
class Member:
    """One model of a stack while it is trained.

    Attributes:
        recipe, train_set, evaluate, streams: as requested.
        rows of the trace gather in `trace`; the trained state in `state` when it ends, and in
        `template` the module where training changed more of it than its tensors.
        watch: is told of the member, its state and its template at traced epochs; what it returns
            gathers in `watched`. failed: what it raised, which ended this member alone.
    """

    recipe: Recipe
    train_set: Dataset
    evaluate: dict[str, Dataset]
    streams: Streams
    trace: list[dict[str, Any]] = field(default_factory=list)
    state: dict[str, Tensor] | None = None
    template: nn.Module | None = None
    status: Status = "done"
    n_steps: int = 0
    watch: Watch | None = None
    watched: list[Any] = field(default_factory=list)
    failed: BaseException | None = None

    @property
    def n(self) -> int:
        """Number of training rows."""
        return len(self.train_set)

    @property
    def n_left(self) -> int:
        """Updates that are still to be made."""
        return self.recipe.n_steps(self.n) - self.n_steps

    def finished_trace(self) -> Trace:
        """Return the gathered trace as arrays."""
        names = ["train", *self.evaluate]
        return Trace(
            np.array([t["epoch"] for t in self.trace]),
            np.array([t["step"] for t in self.trace]),
            {k: np.array([t["loss"][k] for t in self.trace]) for k in names},
            {k: np.array([t["error"][k] for t in self.trace]) for k in names},
            tuple(self.watched),
        )


class Measured(NamedTuple):
    """What is measured of the models of a stack on one set, float64 `[M]` each.

    Attributes:
        loss: mean loss. error: fraction of rows wrong, those that hold NaN among them; NaN for
            floating targets. nan: fraction of rows whose outputs hold NaN.
    """

    loss: Tensor
    error: Tensor
    nan: Tensor


class Models(Protocol):
    """The models of one stack and their optimizers."""

    def update(
        self, orders: Sequence[Tensor], n_updates: Sequence[int], progress: Progress
    ) -> None:
        """Make the first updates of each model's pass over its training rows.

        Args:
            orders: of each model the positions of its rows, `[n]`; one object where they agree.
        """

    def measure(self, name: str, n: int | None = None) -> Measured:
        """Return what is measured on the (first n) rows of a set.

        Args:
            name: ``train``, or the name of an evaluated set.
        """

    def state_of(self, model: int) -> dict[str, Tensor]:
        """Return a copy of one model's parameters and buffers on the CPU."""

    def template_of(self, model: int) -> nn.Module | None:
        """Return the module if training changed more of it than its tensors, else None."""

    def keep(self, models: Tensor) -> None:
        """Drop all models but the given ones (int64 `[m]`)."""


class Stepper:
    """Trains the members of one stack side by side.

    Members that meet a stop rule, diverge or are at their end are taken out; when half are out, the
    stack is packed anew, so that a long tail does not pay for the models that are done. Members
    that are trained each by itself may have training sets of different lengths, and so other
    numbers of updates and of epochs.
    """

    def __init__(self, members: Sequence[Member], models: Models, device: torch.device) -> None:
        self.members, self.models = list(members), models
        sizes = [len(m.train_set) for m in members]
        self.orders = Orders([m.streams for m in members], sizes, device)
        self.active = list(range(len(members)))
        self.progress: Progress = lambda n_updates: None
        self.draws = False  # whether its one member, or that one's loss, draws at random

    def run(self) -> None:
        """Train every member to the end of its recipe or until it has stopped."""
        traced = {m.n: set(m.recipe.traced_epochs(m.n)) for m in self.members}
        epoch = 0
        while self.active:
            epoch += 1
            self.run_epoch()
            due = [m for m in self.active if epoch in traced[self.members[m].n]]
            if due:  # as each is at its last epoch
                self._measure(epoch, due)

    def run_epoch(self) -> None:
        """One pass over the training rows of each member, cut short where `steps` says so."""
        active = set(self.active)
        n_updates = [
            min(m.recipe.steps_per_epoch(m.n), m.n_left) if i in active else 0
            for i, m in enumerate(self.members)
        ]
        self.models.update(self.orders.epoch(), n_updates, self.progress)
        for member, n in zip(self.members, n_updates, strict=True):
            member.n_steps += n

    def try_epoch(self, n_updates: int) -> None:
        """Make so many updates of a pass, or all of a shorter one, that are not counted."""
        most = [min(m.recipe.steps_per_epoch(m.n), n_updates) for m in self.members]
        self.models.update(self.orders.epoch(), most, self.progress)

    def _measure(self, epoch: int, due: Sequence[int]) -> None:
        found = {k: self._measured(k) for k in ("train", *self.members[0].evaluate)}
        out: list[tuple[int, Status]] = []
        for m in due:
            member = self.members[m]
            loss = {k: float(v.loss[m]) for k, v in found.items()}
            error = {k: float(v.error[m]) for k, v in found.items()}
            step = member.n_steps
            member.trace.append({"epoch": epoch, "step": step, "loss": loss, "error": error})
            self._watch(m)
            # A loss of the user's own may be finite where outputs are NaN.
            if not np.isfinite(loss["train"]) or found["train"].nan[m] > 0:
                out.append((m, "diverged"))
            elif member.failed or _met(member.recipe, loss["train"], error["train"]):
                out.append((m, "stopped"))
            elif not member.n_left:
                out.append((m, "done"))
        for m, status in out:
            self._retire(m, status)
        self.active = [m for m in self.active if m not in {m for m, _ in out}]
        if self.active and 2 * len(self.active) <= len(self.members):
            self._pack()

    def _watch(self, m: int) -> None:
        member = self.members[m]
        if member.watch is None:
            return
        state, template = self.models.state_of(m), self.models.template_of(m)
        try:
            member.watched.append(member.watch(member, state, template))
        except BaseException as error:
            if is_stop(error) or out_of_memory(error):
                raise
            member.failed = error

    def _measured(self, name: str) -> Measured:
        """Measure one set; what is drawn at random meanwhile is a stream of its own, begun anew.

        So training draws the same whatever is measured, and epochs meet the same draws.
        """
        streams = self.members[0].streams
        own = streams.global_generators("measure") if self.draws else contextlib.nullcontext()
        with own:
            return self.models.measure(name)

    def _retire(self, m: int, status: Status) -> None:
        member = self.members[m]
        member.state, member.template = self.models.state_of(m), self.models.template_of(m)
        member.status = status

    def _pack(self) -> None:
        models = torch.tensor(self.active)
        self.models.keep(models)
        self.orders.keep(models)
        self.members = [self.members[m] for m in self.active]
        self.active = list(range(len(self.members)))


def out_of_memory(error: BaseException) -> bool:
    """Whether less at one time might do."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and "memory" in str(error) and "alloc" in str(error)


def _met(recipe: Recipe, loss: float, error: float) -> bool:
    by_error = recipe.stop_at_error is not None and error <= recipe.stop_at_error
    by_loss = recipe.stop_at_loss is not None and loss <= recipe.stop_at_loss
    return by_error or by_loss
