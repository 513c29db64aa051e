"""A model as it stands: at the end of its training, or at a traced epoch, where it is watched.

Every way of running a stack gives a copy of one model's state (`Models.state_of`), which is what
becomes of it in the end. So whoever watches is told a `Fitted` like any other, and needs to know
nothing of stacks; and what is not watched is not copied.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

from torch import Tensor, nn

from overparam.errors import UsageError
from overparam.training.fitted import Fitted
from overparam.training.stepper import Member, Watch
from overparam.training.task import Task
from overparam.training.to_train import ToTrain
from overparam.training.undisturbed import undisturbed

WatchModel = Callable[[Fitted], Any]


class Watched(ToTrain, Protocol):
    """A model to train that may be watched."""

    @property
    def watch(self) -> WatchModel | None:
        """What is called with it at traced epochs."""


def check_watch(watch: object) -> None:
    """Refuse what cannot be called with a model.

    Raises:
        UsageError: as above.
    """
    if watch is not None and not callable(watch):
        raise UsageError(
            "watch is a function of the model as it stands at a traced epoch",
            got=type(watch).__name__,
            allowed="watch(fitted) -> what is kept",
        )


def watch_of(request: Watched, precision: str) -> Watch | None:
    """Return what a member of a stack calls at traced epochs, if it is watched.

    Whatever is drawn there, training draws as without it.
    """
    if request.watch is None:
        return None
    return partial(_watch, request.watch, request, precision)


def _watch(watch: WatchModel, request: Watched, precision: str, *of: Any) -> Any:
    with undisturbed():
        return watch(fitted_of(request, precision, *of))


def fitted_of(
    request: Watched,
    precision: str,
    member: Member,
    state: Mapping[str, Tensor],
    template: nn.Module | None,
) -> Fitted:
    """Return a member as it stands, with this state.

    Args:
        template: the module, where training has changed more of it than its tensors.
    """
    return Fitted(
        request.model if template is None else template,
        state,
        replace(request.recipe, precision=precision),
        member.finished_trace(),
        member.status,
        member.n_steps,
        Task.of(request.train_set),
        request.train_set.notes,
        None if template is None else request.model,
    )
