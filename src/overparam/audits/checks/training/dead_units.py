"""OP605: units of a network that are 0 on every row, and so say nothing and learn nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from overparam.audits.check import Check
from overparam.audits.course import MOST_ROWS, evenly
from overparam.audits.evidence import Evidence, Missing
from overparam.audits.finding import Finding, Measured, Severity
from overparam.audits.subject import Subject
from overparam.data.rows import take_rows
from overparam.lab.figure import Table
from overparam.streams import Streams
from overparam.training.copies import precision_of
from overparam.training.fitted import Fitted, rows_for

_RECTIFIERS = (
    functional.relu,
    functional.relu_,
    functional.relu6,
    torch.relu,
    torch.relu_,
    Tensor.relu,
    Tensor.relu_,
)
_FEW = 0.1  # of all units, dead, that are nothing to speak of
_HALF = 0.5  # of a layer's units
_CHUNK = 1024  # rows at once


def _run(evidence: Evidence) -> Finding:
    fitted = evidence.one.fitted
    if not isinstance(fitted, Fitted) or fitted.status == "diverged":
        raise Missing("not applicable", "there is no trained network to look into")
    some = evenly(evidence.subject.n_rows, MOST_ROWS)
    rows = rows_for(fitted, take_rows(evidence.subject.train.inputs, some))
    alive = units_alive(fitted, rows)
    if not alive:
        raise Missing("not applicable", "the network has no rectified units (ReLU)")
    names = list(alive)
    dead = np.array([int((~alive[name]).sum()) for name in names])
    units = np.array([len(alive[name]) for name in names])
    share, worst = float(dead.sum() / units.sum()), int(np.argmax(dead / units))
    measured = Measured(share, share, share, "of the rectified units", 0.0, "all are alive")
    told = (
        f"{dead.sum():,} of {units.sum():,} rectified units are 0 on all {len(some):,} training "
        f"rows looked at; most in {names[worst]}, {dead[worst]:,} of {units[worst]:,}"
    )
    details = {"layers": {n: [int(d), int(u)] for n, d, u in zip(names, dead, units, strict=True)}}
    if share <= _FEW and (dead < units).all() and (dead <= _HALF * units).all():
        return Finding("passed", told, measured=measured, details=details)
    severity: Severity = "low"
    if (dead == units).any():
        severity = "high"  # nothing of the rows passes such a layer
    elif (dead > _HALF * units).any():
        severity = "medium"
    return Finding(
        "found",
        told,
        severity=severity,
        measured=measured,
        action="train with a smaller learning rate or a warm-up, scale the inputs, or use a leaky "
        "rectifier; or take a smaller network: dead units cost time and say nothing",
        figures=(
            Table(
                "dead_units",
                "Units that are 0 on every row",
                "Of each layer of rectified units, in the order in which they are computed; of "
                "images a unit is a channel, and dead where it is 0 at every place.",
                {"layer": names, "units": units.tolist(), "dead": dead.tolist()},
            ),
        ),
        details=details,
    )


def units_alive(fitted: Fitted, rows: Tensor) -> dict[str, np.ndarray]:
    """Return layer to which of its rectified units are above 0 on some row, bool `[units]`.

    Layers are named by the module that computes them, whether by a module of its own or by a
    function. The trained model is left as it is: a copy is asked.
    """
    module = fitted.module()
    numbers = [p.dtype for p in module.parameters() if p.is_floating_point()]
    wanted = numbers[0] if numbers else torch.float32
    inputs = rows.to(precision_of(rows.dtype, wanted))
    alive: dict[str, Any] = {}
    with torch.no_grad(), Streams(0).global_generators("units"):
        for part in inputs.split(_CHUNK):
            with _names_of_callers(module) as stack, _Rectified(stack) as seen:
                module(part)
            for name, above in seen.alive.items():
                alive[name] = alive.get(name, False) | above
    return alive


class _Rectified(TorchFunctionMode):
    """Notes, of each rectification in a forward pass, which units are above 0 on some row."""

    def __init__(self, stack: list[str]) -> None:
        super().__init__()
        self._stack = stack
        self.alive: dict[str, np.ndarray] = {}

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        if func in _RECTIFIERS and isinstance(made, Tensor) and made.ndim > 1:
            self._note(made)
        return made

    def _note(self, made: Tensor) -> None:
        # Channels come second where there are places behind them; of sequences units come last.
        axis = 1 if made.ndim > 3 else made.ndim - 1
        others = [i for i in range(made.ndim) if i != axis]
        above = (made > 0).sum(others) > 0
        place, name = 2, self._stack[-1] or "the network"
        told = name
        while told in self.alive:  # one module may rectify more than once
            told, place = f"{name} ({place})", place + 1
        self.alive[told] = above.cpu().numpy()


@contextmanager
def _names_of_callers(module: nn.Module) -> Iterator[list[str]]:
    """Keep the name of the module that is being computed on top of a list."""
    stack, hooks = [""], []
    for name, part in module.named_modules():
        if part is module:
            continue
        hooks.append(part.register_forward_pre_hook(lambda *_, name=name: stack.append(name)))
        hooks.append(part.register_forward_hook(lambda *_: _pop(stack)))
    try:
        yield stack
    finally:
        for hook in hooks:
            hook.remove()


def _pop(stack: list[str]) -> None:
    stack.pop()


def _applies(subject: Subject) -> str:
    return "" if subject.kind == "network" else "the model is no network of this package's training"


CHECK = Check("OP605", "Dead units", _run, ("one",), _applies)
