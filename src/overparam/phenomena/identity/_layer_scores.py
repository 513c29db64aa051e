"""What every layer of a network shows and holds of its input, as trained or with weights shuffled.

The output counts as the last layer.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from overparam.measures.image_maps import correlation
from overparam.measures.layer_images import layer_activations, leading_component
from overparam.measures.layer_reading import input_dependence, read_off, visible_shape
from overparam.phenomena.identity._task import IdentityTask
from overparam.streams import Streams

SCORES = ("visible", "constant", "dependence", "read_by_pixel", "read_by_layer")


@torch.no_grad()
def shuffle_weights(
    network: torch.nn.Module, means: Sequence[float], streams: Streams
) -> torch.nn.Module:
    """Return a copy whose weights have been shuffled within every layer, and have its given mean.

    A mean that has become positive makes a layer blur its input and go on showing it; that is
    something that training does, and no size of weights.
    """
    shuffled, generator = copy.deepcopy(network), streams.torch("shuffled weights")
    for weight, mean in zip(shuffled.parameters(), means, strict=True):
        order = torch.randperm(weight.numel(), generator=generator)
        centred = weight - weight.mean() + mean
        weight.copy_(centred.flatten()[order].reshape(weight.shape))
    return shuffled


@torch.no_grad()
def visible_of(network: torch.nn.Module, inputs: torch.Tensor, layers: slice) -> np.ndarray:
    """Return the visible shape of some layers, mean over the inputs."""
    side = inputs.shape[-1]
    shown = [leading_component(a, side) for a in layers_of(network, inputs)[layers]]
    return np.array([float(visible_shape(s, inputs[:, 0]).mean()) for s in shown])


@torch.no_grad()
def layer_scores(
    network: torch.nn.Module, task: IdentityTask, fit: torch.Tensor, noise: float
) -> dict[str, Any]:
    """Return the layer-wise fields of `Outcome`, the output being the last layer."""
    inputs, side = task.probe.images, task.probe.images.shape[-1]
    pairs = zip(layers_of(network, fit), layers_of(network, inputs), strict=True)
    rows = []
    for at_fit, at_inputs in pairs:
        shown = leading_component(at_inputs, side)
        likeness = correlation(shown, task.training[0].expand_as(shown))
        rows.append(
            (
                float(visible_shape(shown, inputs[:, 0]).mean()),
                float(likeness.mean()),
                input_dependence(at_inputs),
                read_off(at_fit, fit, at_inputs, inputs, probe="pixel", noise=noise),
                read_off(at_fit, fit, at_inputs, inputs, probe="layer", noise=noise),
            )
        )
    return {
        name: np.array(column) for name, column in zip(SCORES, zip(*rows, strict=True), strict=True)
    }


def layers_of(network: torch.nn.Module, images: torch.Tensor) -> list[torch.Tensor]:
    """Return the activations of all layers, the output included."""
    return [*layer_activations(network, images), network(images).reshape(images.shape)]
