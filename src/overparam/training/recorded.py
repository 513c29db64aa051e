"""`RecordedUpdates`: updates of a batched stack on a GPU, recorded once and replayed.

An update of small networks is some twenty kernels of a few microseconds each, and a GPU would
wait for the processor between any two of them. CUDA records them as one graph, and a batch then
costs two small copies and one launch. What is recorded reads its rows and the schedule's factor
from tensors that are filled anew for every batch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

_MOST_APART = {torch.float64: 1e-9, torch.float32: 1e-3}  # of an update's length, by masters


@dataclass(frozen=True)
class _Recording:
    graph: torch.cuda.CUDAGraph
    positions: Tensor
    factor: Tensor


class RecordedUpdates:
    """Makes an update from positions of rows and the schedule's factor.

    The first batch of each size is made twice, as written and by its recording, from the same
    state; where the two differ, or the kernels cannot be recorded, all are made as written.

    Args:
        update: makes one update from positions and a factor (0-dimensional, on the GPU).
        state: returns the tensors that an update changes; they stay where they are.

    Attributes:
        refused: why nothing is recorded; empty where it is.
    """

    def __init__(
        self, update: Callable[[Tensor, Tensor], None], state: Callable[[], list[Tensor]]
    ) -> None:
        self._update, self._state = update, state
        self._recordings: dict[int, _Recording] = {}
        self.refused = ""

    def __call__(self, positions: Tensor, factor: float) -> None:
        """Make the update of one batch."""
        size = positions.shape[-1]
        if self.refused:
            self._update(positions, _on(positions.device, factor))
        elif size not in self._recordings:
            self._first(positions, factor)
        else:
            made = self._recordings[size]
            made.positions.copy_(positions)
            made.factor.fill_(factor)
            made.graph.replay()

    def _first(self, positions: Tensor, factor: float) -> None:
        """Make the update as written, record it, and hold the recording against it."""
        state = self._state()
        before = [t.clone() for t in state]
        made = _Recording(
            torch.cuda.CUDAGraph(), positions.clone(), _on(positions.device, factor).clone()
        )
        aside = torch.cuda.Stream(positions.device)  # libraries make their workspaces in it
        aside.wait_stream(torch.cuda.current_stream(positions.device))
        with torch.cuda.stream(aside):
            self._update(made.positions, made.factor)
        torch.cuda.current_stream(positions.device).wait_stream(aside)
        written = [t.clone() for t in state]
        torch.cuda.synchronize(positions.device)
        try:
            with torch.cuda.stream(aside):  # `torch.cuda.graph` would collect garbage first
                made.graph.capture_begin(capture_error_mode="thread_local")
                try:
                    self._update(made.positions, made.factor)
                finally:
                    made.graph.capture_end()
            for tensor, start in zip(state, before, strict=True):
                tensor.copy_(start)
            made.graph.replay()
            torch.cuda.synchronize(positions.device)
            self._check(before, written, state)
        except RuntimeError as error:
            self.refused = str(error).strip().splitlines()[0][:200]
            for tensor, right in zip(state, written, strict=True):
                tensor.copy_(right)
        else:
            self._recordings[positions.shape[-1]] = made

    def _check(self, before: list[Tensor], written: list[Tensor], replayed: list[Tensor]) -> None:
        """Raise where a replayed update differs from the written one by more than rounding."""
        for start, right, found in zip(before, written, replayed, strict=True):
            moved = float((right - start).double().norm())
            apart = float((found - right).double().norm())
            if apart > _MOST_APART.get(found.dtype, 1e-2) * moved:  # false where both diverge
                raise RuntimeError(f"the recorded update is off by {apart:.2g} of {moved:.2g}")


def _on(device: torch.device, factor: float) -> Tensor:
    return torch.full((), factor, dtype=torch.float64, device=device)
