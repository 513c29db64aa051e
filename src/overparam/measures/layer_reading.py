"""How much of its input a layer still shows, and how much can still be read off it."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from overparam.checks import check_choice, check_range
from overparam.errors import UsageError
from overparam.measures.image_maps import correlation

PROBES = ("pixel", "layer")
_BLANK = 1e-6  # of images of length 1: below it, what differs between them is rounding


@torch.no_grad()
def visible_shape(images: Tensor, inputs: Tensor) -> Tensor:
    """Return how far images of a layer show what tells one input from another, `[n]`.

    Each image is brought to length 1 and the mean over the n images is taken away, from the
    inputs likewise; then the correlation over pixels. So 1 for a layer that passes its input on,
    0 for one that shows the same image whatever the input, a frame left by padding included.

    Args:
        images, inputs: `[n, h, w]`, n >= 2; images as `layer_images` gives them.

    NaN: an image that is not finite has NaN; a blank one counts as zero.

    Raises:
        UsageError: shapes that differ.

    >>> x = torch.rand(5, 4, 4)
    >>> visible_shape(3 * x, x).round(decimals=4).tolist()
    [1.0, 1.0, 1.0, 1.0, 1.0]
    """
    if images.shape != inputs.shape or len(images) < 2:
        raise UsageError(
            "images and inputs do not fit",
            got=f"{tuple(images.shape)} and {tuple(inputs.shape)}",
            allowed="two of [n, h, w], n >= 2",
        )
    return correlation(_own_part(images), _own_part(inputs))


@torch.no_grad()
def input_dependence(activations: Tensor) -> float:
    """Return the share of the activations that depends on the input, in [0, 1].

    1 - |mean a|^2 / mean |a|^2 over the n inputs: 0 for a layer that is the same for every
    input, near 1 for one whose activations average out.

    Args:
        activations: `[n, ...]`. NaN where all are 0.

    >>> input_dependence(torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
    0.5
    """
    flat = activations.flatten(1).double()
    energy = flat.square().sum(1).mean()
    return float(1 - flat.mean(0).square().sum() / energy) if energy > 0 else float("nan")


@torch.no_grad()
def read_off(
    fit_activations: Tensor,
    fit_inputs: Tensor,
    activations: Tensor,
    inputs: Tensor,
    *,
    probe: Literal["pixel", "layer"] = "layer",
    noise: float = 0.01,
) -> float:
    """Return how much of unseen inputs a linear probe reads off a layer: R^2, at most 1.

    The probe is the linear map (with offset) from activations to inputs that is best on the fit
    images when every activation carries independent noise of `noise` times the layer's root mean
    square, that is ridge regression with penalty n (noise rms)^2. Without noise, float32 numbers
    would let a probe read what no later layer can. R^2 = 1 - sum (x - read x)^2 / sum
    (x - mean x)^2, means over the fit images; 0 reads no more than the mean image, and below 0
    less than that.

    Args:
        fit_activations, activations: `[m, c, h, w]` or `[m, units]`, `[n, ...]` alike.
        fit_inputs, inputs: `[m, ...]`, `[n, ...]`.
        probe: ``layer``: each input pixel from all activations; ``pixel``: from the activations
            at its own place alone, with one map for all places (activations `[., c, h, w]` of
            the input's height and width).
        noise: > 0, relative.

    Raises:
        UsageError: an unknown probe; a pixel probe of activations that are no maps of this size.

    Inner products are taken in the activations' own precision, whose rounding is far below the
    noise; the equations are solved in float64.

    Cost: O(m (m + n) units + m^3), or O(m pixels c^2) for the pixel probe.
    """
    check_choice("probe", probe, PROBES)
    check_range("noise", noise, 0, open_low=True)
    mean = fit_inputs.double().mean(0)
    a, b, targets = fit_activations, activations, fit_inputs.double() - mean
    penalty = (noise**2) * float(a.square().mean(dtype=torch.float64))
    if probe == "pixel":
        read = _read_pixels(a, targets, b, penalty).reshape(inputs.shape)
    else:
        read = _read_layer(a.flatten(1), targets.flatten(1), b.flatten(1), penalty)
    off = inputs.double() - mean
    return float(1 - (off.flatten(1) - read.flatten(1)).square().sum() / off.square().sum())


def _own_part(images: Tensor) -> Tensor:
    flat = images.flatten(1)
    unit = flat / flat.norm(dim=1, keepdim=True).clamp_min(torch.finfo(flat.dtype).tiny)
    own = unit - unit.mean(0)
    return torch.where(own.norm(dim=1, keepdim=True) > _BLANK, own, torch.zeros_like(own))


def _read_layer(a: Tensor, y: Tensor, b: Tensor, penalty: float) -> Tensor:
    center = a.mean(0)
    a, b = a - center, b - center
    gram = (a @ a.T).double()  # of examples, which are fewer than units
    gram.diagonal().add_(len(a) * penalty)
    return (b @ a.T).double() @ torch.linalg.solve(gram, y)


def _read_pixels(a: Tensor, y: Tensor, b: Tensor, penalty: float) -> Tensor:
    if a.ndim != 4 or a.shape[-2:] != y.shape[-2:]:
        raise UsageError(
            "a pixel probe needs maps of the input's size",
            got=tuple(a.shape),
            allowed=f"[n, channels, {', '.join(map(str, y.shape[-2:]))}]",
            remedy="use probe='layer'",
        )
    # The mean image is known at every place; the probe reads what differs from it.
    center = a.mean(0)
    rows, seen = ((v - center).movedim(1, -1).flatten(0, -2) for v in (a, b))
    moments = (rows.T @ rows).double()
    moments.diagonal().add_(len(rows) * penalty)
    products = (rows.T @ y.reshape(len(rows), -1).to(rows.dtype)).double()
    return seen.double() @ torch.linalg.solve(moments, products)
