"""Whether models that are trained side by side become what they become one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from overparam.training.copies import first_line
from overparam.training.recipe import Schedule
from overparam.training.stacks import PROVED_ROWS, build
from overparam.training.stepper import Member, Stepper
from overparam.training.to_train import ToTrain, batch_of
from overparam.training.undisturbed import undisturbed

# How far two updates of a mapped stack, in float64, may be from the models' own, of their length.
_MAPPED_DISAGREEMENT = 1e-8

State = Mapping[str, Tensor]


def check_agreement(start: State, own: State, other: State, most: float, whose: str) -> None:
    """Hold the update that a way makes against another way's.

    Raises:
        RuntimeError: they differ by more than `most` of the other's length.
    """
    moved = sum(float((other[k] - start[k]).square().sum()) for k in start)
    apart = sum(float((own[k] - other[k]).square().sum()) for k in start)
    if apart > most**2 * moved:  # false where the update diverges in both ways
        off = f"{(apart / moved) ** 0.5:.2g} of its length" if moved else "all: there is none"
        raise RuntimeError(f"{whose} update is off by {off}")


def why_not_mapped(requests: Sequence[ToTrain], device: torch.device) -> str | None:
    """Return what a mapped stack of these models does otherwise than they do one by one, or None.

    All of them are updated twice both ways, on a few rows of their own, in float64.
    """
    try:
        members = [_member_on_few_rows(r) for r in requests]
        models = [r.model for r in requests]
        started = {"precision": "float64", "device": device}
        mapped = build(models, members, way="mapped", **started)  # type: ignore[arg-type]
        together = _two_updates(mapped)
        for m, (model, member) in enumerate(zip(models, members, strict=True)):
            single = build([model], [member], way="alone", as_it_is=True, **started)  # type: ignore[arg-type]
            start = single.models.state_of(0)
            loss = _two_updates(single)
            if single.models.template_of(0) is not None:
                return "more of a model changes in training than its tensors"
            state = mapped.models.state_of(m)
            own = single.models.state_of(0)
            check_agreement(start, state, own, _MAPPED_DISAGREEMENT, "the mapped models'")
            apart = abs(float(together[m]) - float(loss[0]))
            if not apart <= _MAPPED_DISAGREEMENT * (1 + abs(float(loss[0]))):
                return f"a model's loss is off by {apart:.2g}"
    except Exception as error:
        return first_line(error)
    return None


def _member_on_few_rows(request: ToTrain) -> Member:
    few = request.train_set.head(min(len(request.train_set), 2 * PROVED_ROWS))
    size = min(batch_of(request), PROVED_ROWS)
    recipe = replace(
        request.recipe, batch_size=size, steps=2, epochs=None, schedule=Schedule(), trace="last",
        stop_at_error=None, stop_at_loss=None, precision="float64",
    )  # fmt: skip
    return Member(recipe, few, {}, request.streams)


def _two_updates(stepper: Stepper) -> Tensor:
    with undisturbed():
        for _ in range(2):
            stepper.try_epoch(1)
        return stepper.models.measure("train").loss
