"""Losses of stacks of models: values for measuring, and gradients with respect to the outputs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from types import FunctionType

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from overparam.errors import UsageError
from overparam.models.held import held
from overparam.training.recipe import LossFunction


def loss_values(loss: str | LossFunction, outputs: Tensor, labels: Tensor) -> Tensor:
    """Return the loss of every row, `[..., n]`.

    Args:
        loss: ``cross_entropy`` (-log softmax(f)_y, nats), ``squared_error``
            (sum_k (f_k - y_k)^2, integer labels taken as one-hot) or the user's own.
        outputs: `[..., n, K]`. labels: int64 `[..., n]` or floating `[..., n, K]`.

    >>> loss_values("squared_error", torch.tensor([[1.0, 2.0]]), torch.tensor([0]))
    tensor([4.])
    """
    if loss == "cross_entropy":
        if labels.is_floating_point():
            return -(labels * outputs.log_softmax(-1)).sum(-1)
        return -outputs.log_softmax(-1).gather(-1, labels.unsqueeze(-1)).squeeze(-1)
    if loss == "squared_error":
        if not labels.is_floating_point():
            labels = F.one_hot(labels, outputs.shape[-1]).to(outputs.dtype)
        return (outputs - labels).square().sum(-1)
    assert callable(loss)
    # Copies, as a loop gives them: into which a loss may write, and of which `randn_like` draws in
    # the order of rows, whatever the layout of a stack.
    with _not_trained(loss):
        if outputs.ndim == 2:
            return loss(outputs.clone(), labels.clone())
        rows_first = torch.contiguous_format
        return torch.stack(
            [
                loss(outputs[m].clone(memory_format=rows_first), labels[m].clone())
                for m in range(len(outputs))
            ]
        )


def judge(loss: str | LossFunction, outputs: Tensor, labels: Tensor) -> Tensor:
    """Return three sums over the rows, float64 `[3, ...]`: losses, wrong rows, rows that hold NaN.

    A row that holds NaN is wrong, as in `measures.error_rate`: NaN would be the largest, and be
    taken for a class. Of floating targets none is right or wrong, so their number is NaN.

    Args:
        outputs: `[..., n, K]`. labels: as of `loss_values`.

    >>> judge("squared_error", torch.tensor([[torch.nan, 0.0], [1.0, 0.0]]), torch.tensor([0, 0]))
    tensor([nan, 1., 1.], dtype=torch.float64)
    """
    is_nan = outputs.isnan().any(-1)
    n_nan = is_nan.sum(-1).double()
    if labels.is_floating_point():
        wrong = torch.full_like(n_nan, torch.nan)
    else:
        wrong = (is_nan | (outputs.argmax(-1) != labels)).sum(-1).double()
    losses = loss_values(loss, outputs, labels).sum(-1, dtype=torch.float64)
    return torch.stack([losses, wrong, n_nan])


def check_rows(outputs: Tensor, n_rows: int) -> None:
    """Refuse outputs of another number of rows than the inputs had.

    Raises:
        UsageError: as above.
    """
    if outputs.ndim == 0 or len(outputs) != n_rows:
        raise UsageError(
            "the model's outputs have another number of rows than its inputs",
            got=len(outputs) if outputs.ndim else "none",
            allowed=n_rows,
        )


def output_gradient(loss: str | LossFunction, outputs: Tensor, labels: Tensor) -> Tensor:
    """Return d(mean loss)/d(outputs) in the transposed layout of the dense network.

    Args:
        outputs: `[M, K, B]`; overwritten where that saves a pass.
        labels: int64 `[M, B]` or `[B]` (shared), or floating `[M, B, K]` or `[B, K]`.
    """
    n_models, _, batch = outputs.shape
    if callable(loss):
        return _own_gradient(loss, outputs, labels)
    scale = 1.0 / batch
    gradient = torch.softmax(outputs, 1) if loss == "cross_entropy" else outputs
    if loss == "squared_error":
        scale *= 2
    if labels.is_floating_point():
        if loss == "cross_entropy":
            # d/df of -sum_k y_k log softmax(f)_k is (sum_k y_k) softmax(f) - y.
            gradient = gradient * labels.sum(-1, keepdim=True).transpose(-1, -2)
        gradient = gradient - labels.transpose(-1, -2)
    else:
        index = (labels if labels.ndim == 2 else labels.expand(n_models, batch)).unsqueeze(1)
        minus_one = gradient.new_full((), -1.0).expand(n_models, 1, batch)
        gradient.scatter_add_(1, index, minus_one)
    return gradient.mul_(scale)


@contextlib.contextmanager
def _not_trained(loss: object) -> Iterator[None]:
    """Take trainable tensors that a loss holds, itself or in modules, as the constants they are."""
    trained = {id(t): t for t in _tensors_of(loss) if t.requires_grad and t.is_leaf}
    try:
        for tensor in trained.values():
            tensor.requires_grad_(False)
        yield
    finally:
        for tensor in trained.values():
            tensor.requires_grad_(True)


def _tensors_of(loss: object) -> Iterator[Tensor]:
    """Yield the tensors that a loss holds, or names as globals."""
    named: list[object] = []
    if isinstance(loss, FunctionType):
        values = (loss.__globals__.get(name) for name in loss.__code__.co_names)
        named += [value for value in values if isinstance(value, nn.Module | Tensor)]
    for part in held([loss, *named]):
        yield from part.parameters() if isinstance(part, nn.Module) else (part,)


def _own_gradient(loss: LossFunction, outputs: Tensor, labels: Tensor) -> Tensor:
    rows_first = outputs.transpose(1, 2).detach().requires_grad_(True)
    shared = labels.ndim == 1 or (labels.is_floating_point() and labels.ndim == 2)
    per_model = labels.expand(len(rows_first), *labels.shape) if shared else labels
    with torch.enable_grad():
        mean = loss_values(loss, rows_first, per_model).mean(-1).sum()
        (gradient,) = torch.autograd.grad(mean, rows_first)
    return gradient.transpose(1, 2).contiguous()
