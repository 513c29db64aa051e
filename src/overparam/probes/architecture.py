"""An architecture of the user's as a map from images to images, or a clear refusal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from overparam.errors import OverparamError, UsageError
from overparam.models.targets import blaming, error_text, find_target
from overparam.models.trial import SHAPELESS, copy_on, is_lazy, trial_pass, walk
from overparam.streams import Streams
from overparam.training.initialise import materialise

_MOST_DECODER_WEIGHTS = 50_000_000
_MOST_WEIGHTS = 500_000_000
_TRIAL_IMAGES = 2  # one alone could hide that an output has no axis of examples


def load_image_map(
    target: str,
    arguments: Mapping[str, Any],
    shape: tuple[int, int, int],
    streams: Streams,
    *,
    n_train: int = 1,
) -> nn.Sequential:
    """Return the network that `target` names as a map `[n, c, h, w]` -> `[n, c h w]`.

    Its weights come from the stream ``init``, whether its constructor draws them or its layers do.
    A network that returns images of the same size (or as many numbers) is taken as it is; to a
    feature extractor, one that returns any other numbers, a linear decoder without bias is added.

    It is tried on copies: what is returned has not seen an image, in whatever mode (but for lazy
    layers, which draw their weights at the first one).

    Args:
        target: see `overparam.models.targets.load_target`. arguments: for its factory.
        shape: of one image (c, h, w). streams: of one seed.
        n_train: images in a training step, on which it must run in training mode.

    Raises:
        UsageError: nothing of this name; it is no `nn.Module`, too large, or fails; it cannot take
            such images, or cannot be trained on `n_train` of them; what it returns is no tensor of
            floating-point numbers with one row an image, holds infinite numbers, or is images of
            another size.
    """
    # The same whatever the seed: a module is imported once, and may make its weights then.
    with Streams(0).global_generators("import"):
        make = find_target(target)
    with streams.global_generators("init"):
        model = make(**arguments)
    if not isinstance(model, nn.Module):
        raise UsageError(
            f"{target} is no PyTorch module",
            got=type(model).__name__,
            allowed="an nn.Module, or a class or function that makes one",
        )
    with blaming(target):
        return _as_map(target, model, shape, streams, n_train)


def has_decoder(model: nn.Sequential) -> bool:
    """Whether `load_image_map` added a linear decoder."""
    return isinstance(model[-1], nn.Linear)


def _as_map(
    target: str, model: nn.Module, shape: tuple[int, int, int], streams: Streams, n_train: int
) -> nn.Sequential:
    _check_size(target, model)
    model = materialise(model, streams, torch.float32)
    outputs = _trial(target, model, shape, streams)
    _check_training(target, model, shape, n_train)
    layers: list[nn.Module] = [model, nn.Flatten()]
    if outputs[0].numel() != shape[0] * shape[1] * shape[2]:
        layers.append(_decoder(target, outputs, shape, streams))
    found = nn.Sequential(*layers)
    if not any(p.requires_grad for p in found.parameters()):
        raise UsageError(
            f"{target} has nothing to train", got="no parameter that requires a gradient"
        )
    return found


def _check_size(target: str, model: nn.Module) -> None:
    parameters = {id(p): p for _, part in walk(model) for p in part._parameters.values()}
    known = [p for p in parameters.values() if p is not None and not isinstance(p, SHAPELESS)]
    n_weights = sum(p.numel() for p in known)
    if n_weights > _MOST_WEIGHTS:
        raise UsageError(
            f"{target} is too large to be probed",
            got=f"{n_weights:,} parameters",
            allowed=f"at most {_MOST_WEIGHTS:,}",
            remedy="make it narrower or less deep",
        )


@torch.no_grad()
def _trial(target: str, model: nn.Module, shape: tuple[int, int, int], streams: Streams) -> Tensor:
    """Return what the network makes of two images, checked."""
    images = torch.linspace(0, 1, _TRIAL_IMAGES * shape[0] * shape[1] * shape[2])
    size = "x".join(map(str, shape))
    with blaming(target):
        list(model.parameters())  # one of its own may raise
    modes = {part: part.training for _, part in walk(model)}
    tried = model if is_lazy(model) else copy_on(model, "cpu")
    try:
        for _, part in walk(tried):
            part.training = False
        with streams.global_generators(
            "lazy layers"
        ):  # they draw their weights at the first images
            outputs = tried(images.reshape(_TRIAL_IMAGES, *shape))
    except (OverparamError, KeyboardInterrupt):
        raise
    except BaseException as error:  # the user's forward pass may raise anything
        raise UsageError(
            f"{target} cannot take images of {size} (channels x height x width)",
            got=error_text(error),
            remedy="choose their size with --side and --channels",
        ) from error
    finally:
        for part, mode in modes.items():
            part.training = mode
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


def _check_training(
    target: str, model: nn.Module, shape: tuple[int, int, int], n_train: int
) -> None:
    """Refuse a network that runs in evaluation mode, but not in training mode on so few images."""
    for device in ("meta", "cpu"):
        if trial_pass(model, shape, n_inputs=n_train, devices=(device,)).error is None:
            training = trial_pass(model, shape, n_inputs=n_train, devices=(device,), training=True)
            if training.error is None:
                return
            raise UsageError(
                f"{target} cannot be trained on {n_train} image(s)",
                got=error_text(training.error),
                remedy="batch normalization over features needs two examples or more: give it "
                "--images 2, or another normalization",
            )


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
    with streams.global_generators("decoder"):
        return nn.Linear(n_features, n_pixels, bias=False)
