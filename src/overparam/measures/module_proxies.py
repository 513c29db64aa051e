"""Proxies of memorization that differentiate a PyTorch module: GraNd and input-loss curvature.

Every score is float64 `[n]` and points one way: **higher = more memorized**. The module is asked in
evaluation mode, row by row of what it is given, and left as it was: parameters, their gradients,
modes, buffers and the global random generators.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from overparam.checks import check_choice, check_count, check_range
from overparam.errors import DataError, UsageError
from overparam.measures.checked_arrays import checked_labels
from overparam.streams import Streams, check_streams
from overparam.training.losses import loss_values
from overparam.training.recipe import LossFunction
from overparam.training.undisturbed import undisturbed

REDUCTIONS = ("sum", "mean")


def gradient_norm(
    model: nn.Module,
    inputs: Tensor,
    labels: ArrayLike,
    *,
    loss: str | LossFunction = "cross_entropy",
) -> np.ndarray:
    """Return GraNd of every row, |grad_w l(w, z_i)|_2 over all parameters that are trained.

    Args:
        model: maps `[n, ...]` to outputs `[n, K]`; parameters that do not require gradients are
            left out. For the mean over runs that the source takes, average over models.
        inputs: `[n, ...]`, floating. labels: classes `[n]`.
        loss: ``cross_entropy``, ``squared_error``, or a function of outputs and labels that
            returns the loss of every row.

    Returns:
        float64 `[n]`, in [0, inf), units of the loss (nats) per unit of the weights; higher = more
        memorized. NaN where a gradient is not finite.

    Raises:
        DataError: inputs, labels or outputs that do not fit.
        UsageError: an unknown loss, or a model without parameters to be trained.

    Cost: n forward and backward passes of one row each.
    Source: Paul, Ganguli, Dziugaite 2021 (arXiv:2107.07075).

    >>> model = nn.Linear(2, 2, bias=False)
    >>> _ = nn.init.zeros_(model.weight)  # p - y = (-1/2, 1/2), times |x| = 2
    >>> gradient_norm(model, torch.tensor([[2.0, 0.0]]), [0]).round(6).tolist()
    [1.414214]
    """
    y = _checked(inputs, labels, loss)
    parameters = [p for p in model.parameters() if p.requires_grad]
    if not parameters:
        raise UsageError(
            "the model has no parameters to be trained",
            remedy="call requires_grad_(True) on those that count",
        )
    found = np.empty(len(y))
    with _asked(model):
        for i in range(len(y)):
            value = _row_losses(model, inputs[i : i + 1].detach(), y[i : i + 1], loss).sum()
            gradients = torch.autograd.grad(value, parameters, allow_unused=True)
            found[i] = sum(float(g.double().square().sum()) for g in gradients if g is not None)
    return np.where(np.isfinite(found), np.sqrt(found), np.nan)


def input_curvature(
    model: nn.Module,
    inputs: Tensor,
    labels: ArrayLike,
    streams: Streams,
    *,
    step: float = 1e-3,
    n_probes: int = 10,
    batch_size: int = 256,
    reduction: str = "sum",
    loss: str | LossFunction = "cross_entropy",
) -> np.ndarray:
    """Return the input-loss curvature of every row, by finite differences along random signs.

    (1/n_probes) sum_j |grad_x l(x + step v_j) - grad_x l(x)|_2, the v_j of signs +-1. Divided by
    `step` it estimates E|H v|, H the Hessian with respect to the input: at most sqrt(tr H^2).

    Args:
        model: maps `[n, ...]` to outputs `[n, K]`, each row by itself.
        inputs: `[n, ...]`, floating; differences are in their dtype: float32 resolves some 1e-7 /
            step of the gradient. labels: classes `[n]`.
        streams: the signs come from the stream ``curvature``; row i has the same ones whatever
            the size of the batches.
        step: h, > 0, in units of the inputs. n_probes: >= 1. batch_size: rows at once.
        reduction: ``sum`` of the losses of a batch, so that a row's score is its own; or
            ``mean``, as in the first repository of the authors: the score divided by the number
            of rows in its batch.
        loss: ``cross_entropy``, ``squared_error``, or a function of outputs and labels that
            returns the loss of every row.

    Returns:
        float64 `[n]`, in [0, inf), units of the loss (nats) per unit of the inputs; higher = more
        memorized. The sources average it over epochs: at the end of training alone it is weak.
        NaN where a gradient is not finite.

    Raises:
        DataError: inputs, labels or outputs that do not fit.
        UsageError: an unknown loss or reduction, or a number out of range.

    Cost: n (1 + n_probes) forward and backward passes, by batches.
    Source: Garg, Roy 2023 (CVPR, Samples with low loss curvature improve data efficiency); Garg,
    Ravikumar, Roy 2024 (arXiv:2307.05831).

    >>> model = nn.Linear(1, 1, bias=False).double()
    >>> _ = nn.init.constant_(model.weight, 3.0)  # l = (3x - 1)^2, H = 18
    >>> x = torch.tensor([[2.0]], dtype=torch.float64)
    >>> half = lambda f, y: (f[:, 0] - 1).square()
    >>> input_curvature(model, x, [0], Streams(0), step=0.5, loss=half).round(9).tolist()
    [9.0]
    """
    y = _checked(inputs, labels, loss)
    check_range("step", step, 0, open_low=True)
    check_count("n_probes", n_probes)
    check_count("batch_size", batch_size)
    check_choice("reduction", reduction, REDUCTIONS)
    generator = check_streams(streams).numpy("curvature")
    found = np.empty(len(y))
    with _asked(model):
        for start in range(0, len(y), batch_size):
            rows = slice(start, min(start + batch_size, len(y)))
            x = inputs[rows].detach()
            # Row after row from one stream, so that the cut into batches moves no sign.
            signs = 2 * generator.integers(2, size=(len(x), n_probes, x[0].numel())) - 1
            directions = torch.from_numpy(signs).to(x)
            here = _input_gradients(model, x, y[rows], loss)
            total = torch.zeros(len(x), dtype=torch.float64)
            for j in range(n_probes):
                there = x + step * directions[:, j].reshape(x.shape)
                moved = _input_gradients(model, there, y[rows], loss) - here
                total += moved.double().flatten(1).norm(dim=1).cpu()
            found[rows] = total.numpy() / n_probes / (len(x) if reduction == "mean" else 1)
    return np.where(np.isfinite(found), found, np.nan)


def _checked(inputs: Tensor, labels: ArrayLike, loss: str | LossFunction) -> Tensor:
    if not callable(loss):
        check_choice("loss", loss, ("cross_entropy", "squared_error"))
    if (
        not isinstance(inputs, Tensor)
        or not inputs.is_floating_point()
        or inputs.ndim < 2
        or not inputs.numel()
    ):
        raise DataError(
            "inputs must be a floating tensor",
            got=f"{inputs.dtype} {list(inputs.shape)}"
            if isinstance(inputs, Tensor)
            else type(inputs).__name__,
            allowed="[n, ...], none 0",
        )
    # How many classes there are is known once the model is asked.
    y = checked_labels(labels, len(inputs), np.iinfo(np.int64).max)
    return torch.from_numpy(y).to(inputs.device)


def _row_losses(model: nn.Module, x: Tensor, labels: Tensor, loss: str | LossFunction) -> Tensor:
    outputs = model(x)
    if not isinstance(outputs, Tensor) or outputs.ndim != 2 or len(outputs) != len(x):
        raise DataError(
            "the model does not return outputs of every row",
            got=list(outputs.shape) if isinstance(outputs, Tensor) else type(outputs).__name__,
            allowed=f"[{len(x)}, K]",
        )
    if not callable(loss) and int(labels.max()) >= outputs.shape[1]:
        raise DataError(
            "labels must index the model's outputs",
            got=int(labels.max()),
            allowed=f"0..{outputs.shape[1] - 1}",
        )
    values = loss_values(loss, outputs, labels)
    if values.shape != (len(x),):
        raise DataError(
            "the loss must be that of every row, not their mean",
            got=list(values.shape),
            allowed=[len(x)],
            remedy="use reduction='none'",
        )
    return values


def _input_gradients(
    model: nn.Module, x: Tensor, labels: Tensor, loss: str | LossFunction
) -> Tensor:
    x = x.detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(_row_losses(model, x, labels, loss).sum(), x)
    return gradient


@contextlib.contextmanager
def _asked(model: nn.Module) -> Iterator[None]:
    """Have the model in evaluation mode inside, and put back the mode of each of its parts."""
    modes = [(part, part.training) for part in model.modules()]
    try:
        model.eval()
        with undisturbed(), torch.enable_grad():
            yield
    finally:
        for part, training in modes:
            part.training = training
