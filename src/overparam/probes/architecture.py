"""An architecture of the user's as a map from images to images, or a clear refusal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from overparam.errors import OverparamError, UsageError
from overparam.models.targets import find_target
from overparam.streams import Streams
from overparam.training.initialise import materialise

_MOST_DECODER_WEIGHTS = 50_000_000
_TRIAL_IMAGES = 2  # one alone could hide that an output has no axis of examples


def load_image_map(
    target: str, arguments: Mapping[str, Any], shape: tuple[int, int, int], streams: Streams
) -> nn.Sequential:
    """Return the network that `target` names as a map `[n, c, h, w]` -> `[n, c h w]`.

    Its weights come from the stream ``init``, whether its constructor draws them or its layers do.
    A network that returns images of the same size (or as many numbers) is taken as it is; to a
    feature extractor, one that returns any other numbers, a linear decoder without bias is added.

    Args:
        target: see `overparam.models.targets.load_target`. arguments: for its factory.
        shape: of one image (c, h, w). streams: of one seed.

    Raises:
        UsageError: nothing of this name; it is no `nn.Module`; it cannot take such images; what
            it returns is no tensor of floating-point numbers with one row an image, holds
            infinite numbers, or is images of another size.
    """
    # The same whatever the seed: a module is imported once, and may make its weights then.
    with Streams(0).torch_default("import"):
        make = find_target(target)
    with streams.torch_default("init"):
        model = make(**arguments)
    if not isinstance(model, nn.Module):
        raise UsageError(
            f"{target} is no PyTorch module",
            got=type(model).__name__,
            allowed="an nn.Module, or a class or function that makes one",
        )
    model = materialise(model, streams, torch.float32)
    with streams.torch_default("lazy layers"):  # they draw their weights at the first images
        outputs = _trial(target, model, shape)
    n_pixels = shape[0] * shape[1] * shape[2]
    layers: list[nn.Module] = [model, nn.Flatten()]
    if outputs[0].numel() != n_pixels:
        layers.append(_decoder(target, outputs, shape, streams))
    found = nn.Sequential(*layers)
    if not any(p.requires_grad for p in found.parameters()):
        raise UsageError(
            f"{target} has nothing to train", got="no parameter that requires a gradient"
        )
    return found


def has_decoder(model: nn.Sequential) -> bool:
    """Whether `load_image_map` added a linear decoder."""
    return isinstance(model[-1], nn.Linear)


@torch.no_grad()
def _trial(target: str, model: nn.Module, shape: tuple[int, int, int]) -> Tensor:
    """Return what the network makes of two images, checked."""
    images = torch.linspace(0, 1, _TRIAL_IMAGES * shape[0] * shape[1] * shape[2])
    size = "x".join(map(str, shape))
    try:
        outputs = model.eval()(images.reshape(_TRIAL_IMAGES, *shape))
    except OverparamError:
        raise
    except Exception as error:
        raise UsageError(
            f"{target} cannot take images of {size} (channels x height x width)",
            got=f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}",
            remedy="choose their size with --side and --channels",
        ) from error
    finally:
        model.train()
    if not isinstance(outputs, Tensor) or not outputs.is_floating_point():
        got = str(outputs.dtype) if isinstance(outputs, Tensor) else type(outputs).__name__
        raise UsageError(
            f"{target} must return one tensor of floating-point numbers",
            got=got,
            allowed=f"images [n, {size.replace('x', ', ')}] or features [n, ...]",
            remedy="wrap it in a module that returns the tensor to look at",
        )
    if outputs.ndim < 2 or len(outputs) != _TRIAL_IMAGES:
        raise UsageError(
            f"{target} must return one row for each image",
            got=f"shape {tuple(outputs.shape)} for {_TRIAL_IMAGES} images",
            allowed=f"[{_TRIAL_IMAGES}, ...]",
        )
    if not outputs.isfinite().all():
        raise UsageError(
            f"{target} returns numbers that are not finite before any training",
            got="NaN or infinity",
            remedy="check how its weights start",
        )
    return outputs


def _decoder(
    target: str, outputs: Tensor, shape: tuple[int, int, int], streams: Streams
) -> nn.Linear:
    if outputs.ndim == 4 and outputs.shape[1] == shape[0]:
        raise UsageError(
            f"{target} returns images of another size",
            got=f"{tuple(outputs.shape[1:])} for images of {shape}",
            allowed=f"{shape}, or features [n, ...] with another number of channels",
            remedy="pad the convolutions to the same size, or choose another --side",
        )
    n_features, n_pixels = outputs[0].numel(), shape[0] * shape[1] * shape[2]
    if n_features * n_pixels > _MOST_DECODER_WEIGHTS:
        raise UsageError(
            f"{target} returns too many features for a linear decoder",
            got=f"{n_features:,} features to {n_pixels:,} pixels",
            allowed=f"at most {_MOST_DECODER_WEIGHTS:,} weights",
            remedy="pool the features, or choose a smaller --side",
        )
    with streams.torch_default("decoder"):
        return nn.Linear(n_features, n_pixels, bias=False)
