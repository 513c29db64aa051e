"""The request for outputs of fitted models: one by one, or networks of one shape side by side."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from overparam.data.finite import check_range
from overparam.errors import DataError
from overparam.streams import Streams
from overparam.training.batches import rows_at_once
from overparam.training.copies import first_line, precision_of
from overparam.training.counts import counts_of
from overparam.training.request import Context, Cost, Request
from overparam.training.side_by_side import outputs_side_by_side, shape_of

if TYPE_CHECKING:
    from overparam.training.fitted import Fitted


@dataclass(frozen=True, eq=False)
class PredictRequest(Request):
    """Outputs of one fitted model; see `fitted.predict`."""

    fitted: Fitted
    inputs: Tensor
    draws: str = "outputs"

    def group_key(self) -> Hashable:
        """What must agree between requests that are executed together."""
        return shape_of(self.fitted, self.inputs) or id(self)

    @staticmethod
    def execute(requests: Sequence[Any], context: Context) -> list[Any]:
        """Return one result per request."""
        if len(requests) == 1:
            return [requests[0]._outputs(context.device)]
        fitted, inputs = [r.fitted for r in requests], [r.inputs for r in requests]
        return outputs_side_by_side(fitted, inputs, context)

    @staticmethod
    def estimate(requests: Sequence[Any], context: Context) -> tuple[list[Any], Cost]:
        """Return stand-ins of the right shapes and what `execute` would cost."""
        # A forward pass on a test set is small beside the training that came before it.
        on_cpu = replace(context, device=torch.device("cpu"))
        return PredictRequest.execute(requests, on_cpu), Cost()

    def _units(self) -> int:
        """Numbers that a pass makes for a row: as many rows are passed at a time as in training."""
        return counts_of(self.fitted.template, self.inputs.shape[1:], self.inputs.dtype).units

    @torch.no_grad()
    def _outputs(self, device: torch.device) -> Tensor:
        module = self.fitted.module()._apply(lambda tensor: tensor.to(device))
        numbers = [p.dtype for p in module.parameters() if p.is_floating_point()]
        wanted = precision_of(self.inputs.dtype, numbers[0] if numbers else torch.float32)
        check_range("inputs", self.inputs, wanted, "the model knows no such numbers: scale them")
        parts = self.inputs.split(rows_at_once(self._units()))
        try:
            with Streams(0).global_generators(self.draws):
                return torch.cat([module(p.to(device, wanted, copy=True)).cpu() for p in parts])
        except (IndexError, RuntimeError) as error:
            if self.inputs.is_floating_point():
                raise
            raise DataError(
                f"the model fails on these whole numbers: {first_line(error)}",
                got=f"{int(self.inputs.min())}..{int(self.inputs.max())}",
                allowed="what its tables have a row for, as in training",
            ) from error
