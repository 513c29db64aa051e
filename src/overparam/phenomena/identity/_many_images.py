"""The identity task with several training images, and what a network makes of what they lack."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from overparam.data.embedded_sets import load_embedded
from overparam.data.probe_images import resize_images
from overparam.phenomena.identity._one_layer import NOTHING
from overparam.streams import Streams
from overparam.theory.identity_map import off_span


def shifted_copies(image: Tensor, n: int) -> Tensor:
    """Return the image `[1, channels, h, w]` and copies of it, shifted sideways, `[n, ...]`.

    By 1, -1, 2, -2, ... pixels; what leaves on one side comes in on the other (of a digit, the
    blank margin).

    >>> shifted_copies(torch.tensor([[[[0.0, 1.0, 0.0, 0.0]]]]), 3).flatten(1).tolist()
    [[0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [1.0, 0.0, 0.0, 0.0]]
    """
    shifts = [(i + 1) // 2 * (1 if i % 2 else -1) for i in range(n)]
    return torch.cat([image.roll(shift, -1) for shift in shifts])


def noisy_images(n_images: int, side: int, pixel_noise: float, streams: Streams) -> Tensor:
    """Return digits and clothes in turns, with Gaussian noise, `[n_images, 1, side, side]`.

    In general position: any `side^2` of them span all images. Those of a smaller n come first.

    Args:
        pixel_noise: its standard deviation, in brightness from 0 to 1.
    """
    n = -(-n_images // 2)
    halves = []
    for name in ("mnist_small", "fashion_mnist_small"):
        train_set = load_embedded(name)[0]
        order = torch.randperm(len(train_set), generator=streams.torch("training images"))
        chosen = order[torch.arange(n) % len(order)]
        halves.append(resize_images(train_set.inputs[chosen].float(), side))
    images = torch.stack(halves, 1).flatten(0, 1)[:n_images]
    noise = torch.randn(images.shape, generator=streams.torch("noise"), dtype=torch.float32)
    return images + pixel_noise * noise


@torch.no_grad()
def response_to_lacking(module: nn.Module, training: Tensor, images: Tensor) -> dict[str, Any]:
    """Return the scores of f by the part u = x - P x of inputs that training lacked.

    Args:
        module: f, in float64. training: images whose span P projects on. images: the inputs x.

    Returns:
        Means over inputs: ``response_energy``, |f(x) - f(P x)|^2 / |u|^2, and
        ``response_cosine``, of f(x) - f(P x) with u, where there is such a part;
        ``relative_error``, |f(x) - x|^2 / |x|^2; ``off_span``, |u|^2 / |x|^2.
    """
    inputs = images.flatten(1).double()
    lacking = torch.from_numpy(off_span(training.flatten(1).numpy(), inputs.numpy()))
    outputs = module(inputs)
    response = outputs - module(inputs - lacking)
    energy, lacking_energy = (v.square().sum(1) for v in (inputs, lacking))
    # Where the span is all there is, rounding is no direction.
    lacks = lacking_energy > NOTHING * energy
    cosine = torch.nn.functional.cosine_similarity(response[lacks], lacking[lacks])
    return {
        "response_energy": float((response.square().sum(1) / lacking_energy)[lacks].mean()),
        "response_cosine": float(cosine.mean()),
        "relative_error": float(((outputs - inputs).square().sum(1) / energy).mean()),
        "off_span": float((lacking_energy / energy).mean()),
    }
