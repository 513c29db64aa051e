"""Whether a module is the one that was trained: weights, ties, and outputs on a few rows.

Used where a fitted model is kept in a file without code, and the module is brought by whoever loads
it.
"""

from __future__ import annotations

import torch
from torch import Tensor

from overparam.errors import UsageError
from overparam.streams import Streams
from overparam.training.copies import named_tensors
from overparam.training.fitted import Fitted, predict
from overparam.training.marks import Marks
from overparam.training.request import solve

N_PROBES = 4  # rows whose outputs are kept
PROBE_TOLERANCE = 1e-3  # of the largest output; other processors round otherwise


def check_module(fitted: Fitted, probe: Tensor | None, marks: Marks, *, given: bool) -> None:
    """Hold the module against weights and ties, and its outputs against those that were kept.

    Args:
        probe: outputs that were kept, if any. given: whether whoever loads gave the module.

    Raises:
        UsageError: it is not the one that was trained.
    """
    parts = fitted.template.named_modules(remove_duplicate=False)
    unkept = {
        f"{path}.{name}" if path else name
        for path, part in parts
        for name in part._non_persistent_buffers_set
    }
    own = dict(named_tensors(fitted.template))
    for name in sorted({*own, *fitted.state}):
        have, need = own.get(name), fitted.state.get(name)
        if name in unkept:
            continue
        if have is None or need is None or have.shape != need.shape:
            raise UsageError(
                f"the module is not the one that was trained: {name!r} differs",
                got="none" if have is None else list(have.shape),
                allowed="none" if need is None else list(need.shape),
                remedy="give a module of the same architecture",
            )
    tied = Marks.of(fitted.template).ties
    if tied != marks.ties:
        raise UsageError(
            "the module is not the one that was trained: other weights are one",
            got=_ties(tied),
            allowed=_ties(marks.ties),
            remedy="give a module of the same architecture",
        )
    again = None if probe is None else probe_of(fitted)
    if probe is None or again is None:
        return
    if not _is_near(again, probe):
        raise UsageError(
            "the module has the weights of the one that was trained, but gives other outputs",
            remedy="give a module of the same architecture, with its settings and activations"
            if given
            else "give the module: load_fitted(path, model)",
        )


def _is_near(found: Tensor, probe: Tensor) -> bool:
    near = PROBE_TOLERANCE * float(probe.abs().max().clamp(min=1e-6))
    return found.shape == probe.shape and torch.allclose(found, probe, rtol=0, atol=near)


def _ties(ties: list[list[str]]) -> str:
    return ", ".join(f"{a} is {b}" for a, b in ties[:3]) or "none"


def probe_of(fitted: Fitted) -> Tensor | None:
    """Return outputs on a few rows, float64; None where there are none, or never the same."""
    if fitted.task is None or not fitted.state:
        return None
    shape = (N_PROBES, *fitted.task.input_shape)
    rows = torch.zeros(shape, dtype=torch.int64)
    if not fitted.task.takes_integers:
        rows = torch.from_numpy(Streams(0).numpy("probe").standard_normal(shape)).float()
    try:
        outputs = []
        for draws in ("probe once", "probe twice"):  # a module that draws draws other numbers
            outputs.append(solve(predict(fitted, rows, draws=draws)))
        once, twice = outputs
    except Exception:  # a module that takes no such rows is saved all the same
        return None
    same = torch.equal(once, twice) and bool(torch.isfinite(once).all())
    return once.double() if same else None
