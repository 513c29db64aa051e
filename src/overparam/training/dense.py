"""Stacks of fully connected networks as batched matrix products, with the backward pass by hand.

Activations are kept transposed, `[M, units, rows]`: the long axis of a batch is then contiguous,
the output layer (often ten units) is a product of a flat matrix rather than of a thin one, and
a batch that all models share needs a single product `[M * units, d] @ [d, rows]` for the first
layers of all models. Decision 0001 has the measurements against `torch.func` and the compiler.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from overparam.training.batches import Batch
from overparam.training.losses import output_gradient
from overparam.training.plain import why_not_plain
from overparam.training.recipe import LossFunction
from overparam.training.weights import StackedWeights

ACTIVATIONS: dict[type[nn.Module], str] = {
    nn.ReLU: "relu", nn.Tanh: "tanh", nn.Identity: "identity",
}  # fmt: skip
_LAYERS = (nn.Flatten, nn.Linear, *ACTIVATIONS)


@dataclass(frozen=True)
class DenseShape:
    """Layer sizes and activations of a fully connected network.

    Attributes:
        dims: input size, hidden widths, output size.
        activations: one per hidden layer.
        weight_names, bias_names: parameter names per layer; bias "" where there is none.
    """

    dims: tuple[int, ...]
    activations: tuple[str, ...]
    weight_names: tuple[str, ...]
    bias_names: tuple[str, ...]

    def signature(self) -> tuple:
        """What must agree between networks of one stack: all but the hidden widths."""
        return (self.dims[0], self.dims[-1], self.activations, self.weight_names, self.bias_names)

    def forward_flops(self, rows: int) -> float:
        """Floating-point operations of one forward pass."""
        return 2.0 * rows * sum(i * o for i, o in zip(self.dims, self.dims[1:], strict=False))

    def step_flops(self, rows: int) -> float:
        """Operations of one update: forward, gradient of weights, gradient of hidden units."""
        return 3 * self.forward_flops(rows) - 2.0 * rows * self.dims[0] * self.dims[1]


def dense_shape(module: nn.Module) -> DenseShape | None:
    """Return the layer sizes if the module is a plain fully connected network, else None.

    Plain is an `nn.Sequential` of an optional leading `nn.Flatten`, then `nn.Linear` layers with
    one elementwise activation (ReLU, tanh or none) between them, and nothing besides (see
    `plain.py`).
    """
    if type(module) is not nn.Sequential or any(type(p) not in _LAYERS for p in module):
        return None
    if why_not_plain(module) is not None or _called() != _CALLED:
        return None
    named = list(module._modules.items())
    flatten = named[0][1] if named else None
    if isinstance(flatten, nn.Flatten):
        if (flatten.start_dim, flatten.end_dim) != (1, -1):
            return None
        named = named[1:]
    dims: list[int] = []
    activations: list[str] = []
    weights: list[str] = []
    biases: list[str] = []
    pending = "identity"
    for name, layer in named:
        if type(layer) is nn.Linear:
            sizes = (layer.out_features, layer.in_features)
            if tuple(layer.weight.shape) != sizes or 0 in sizes:
                return None
            if dims and dims[-1] != layer.in_features:
                return None
            activations += [pending] if dims else []
            dims = dims or [layer.in_features]
            dims.append(layer.out_features)
            weights.append(f"{name}.weight")
            biases.append(f"{name}.bias" if layer.bias is not None else "")
            pending = "identity"
        elif layer is not None and type(layer) in ACTIVATIONS and dims and pending == "identity":
            pending = ACTIVATIONS[type(layer)]
        else:
            return None
    known = {*weights, *biases} - {""}
    held = [*module.named_parameters(), *module.named_buffers()]
    if len(dims) < 2 or pending != "identity" or {name for name, _ in held} != known:
        return None
    return DenseShape(tuple(dims), tuple(activations), tuple(weights), tuple(biases))


def _called() -> tuple:
    """Return the functions that the layers call, which somebody may have replaced."""
    return (F.linear, F.relu, torch.tanh, torch.relu, torch.relu_)


_CALLED = _called()


class DenseStack:
    """M fully connected networks of one signature; see the module's docstring for the layout.

    Attributes:
        dtype: of the products. n_units: numbers per row and model that a forward pass makes.
    """

    def __init__(
        self, shape: DenseShape, weights: StackedWeights, loss: str | LossFunction
    ) -> None:
        self.shape, self.weights, self.loss = shape, weights, loss
        self.dtype = weights.working.dtype
        self.kept()
        self.n_units = shape.dims[0] + sum(w.shape[1] for w in self._w)

    def kept(self) -> None:
        """Look up the views anew after the weights were laid out anew."""
        working = self.weights.views(self.weights.working)
        master = self.weights.views(self.weights.master)
        gradient = self.weights.views(self.weights.gradient)
        s = self.shape
        self._w = [working[k] for k in s.weight_names]
        self._b = [master[k].unsqueeze(-1) if k else None for k in s.bias_names]
        self._dw = [gradient[k] for k in s.weight_names]
        self._db = [gradient[k].unsqueeze(-1) if k else None for k in s.bias_names]

    @torch.no_grad()
    def loss_gradient(self, batch: Batch) -> None:
        """Fill the gradient of each model's mean loss over its batch."""
        inputs = batch.inputs.flatten(1 if batch.shared else 2)
        shared, labels = batch.shared, batch.labels
        outputs, hidden = self._forward(inputs, shared)
        signal = output_gradient(self.loss, outputs.to(self.weights.master.dtype), labels)
        signal = signal.to(self.weights.working.dtype)
        for layer in reversed(range(len(self._w))):
            bias = self._db[layer]
            if bias is not None:
                torch.sum(signal, 2, keepdim=True, out=bias)
            if layer > 0:
                below = hidden[layer - 1]
                torch.bmm(signal, below.transpose(1, 2), out=self._dw[layer])
                signal = torch.bmm(self._w[layer].transpose(1, 2), signal)
                signal = _through(self.shape.activations[layer - 1], signal, below)
            elif shared:
                torch.mm(signal.flatten(0, 1), inputs, out=self._dw[0].flatten(0, 1))
            else:
                torch.bmm(signal, inputs, out=self._dw[0])

    @torch.no_grad()
    def outputs(self, inputs: Tensor, shared: bool) -> Tensor:
        """Return the outputs `[M, B, K]` in the master's dtype; inputs as in `Batch`."""
        unit, _ = self._forward(inputs.flatten(1 if shared else 2), shared)
        return unit.transpose(1, 2).to(self.weights.master.dtype)

    def _forward(self, inputs: Tensor, shared: bool) -> tuple[Tensor, list[Tensor]]:
        weight = self._w[0]
        if shared:
            first = weight.flatten(0, 1)[None], inputs.t()[None]
        else:
            first = weight, inputs.transpose(1, 2)
        unit = self._affine(0, *first).reshape(*weight.shape[:2], -1)
        hidden = []
        for layer in range(1, len(self._w)):
            unit = _activate(self.shape.activations[layer - 1], unit).to(self.dtype)
            hidden.append(unit)
            unit = self._affine(layer, self._w[layer], unit)
        return unit, hidden

    def _affine(self, layer: int, weight: Tensor, units: Tensor) -> Tensor:
        """Return weight x units + bias.

        Where products are rounded, biases are not, which are no factors; and the outputs are
        summed in the master's precision, or what is left to learn of large targets would be lost.
        """
        bias, sums = self._b[layer], self.weights.master.dtype
        if bias is not None and len(weight) == 1:
            bias = bias.reshape(1, -1, 1)
        if self.dtype == sums:
            return torch.bmm(weight, units) if bias is None else torch.baddbmm(bias, weight, units)
        if layer + 1 == len(self._w):
            weight, units = weight.to(sums), units.to(sums)
        product = torch.bmm(weight, units).to(sums)
        return product if bias is None else product.add_(bias)


def _activate(kind: str, unit: Tensor) -> Tensor:
    if kind == "relu":
        return unit.relu_()
    return unit.tanh_() if kind == "tanh" else unit


def _through(kind: str, signal: Tensor, unit: Tensor) -> Tensor:
    """Multiply the signal by the activation's derivative, written in the activation's value."""
    if kind == "relu":
        return torch.ops.aten.threshold_backward(signal, unit, 0)
    return signal * (1 - unit.square()) if kind == "tanh" else signal
