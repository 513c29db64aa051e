"""Preprocessing of inputs: standardised by the training set, whitened per image, cropped.

Each returns data sets with inputs of their own. Preprocess first and draw subsets from the
result, then all subsets share one copy.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from overparam.checks import check_choice, check_count
from overparam.data.dataset import Dataset
from overparam.errors import DataError


def standardise(train: Dataset, test: Dataset, over: str = "all") -> tuple[Dataset, Dataset]:
    """Subtract the training set's mean and divide by its standard deviation, in both sets.

    x -> (x - m) / s, with m and s (divisor n) of the training inputs alone.

    Args:
        train: training set, inputs `[n, *shape]`. test: test set, `[m, *shape]`.
        over: what m and s are computed over: ``"all"`` entries together, each ``"channel"`` of
            images `[channels, height, width]`, or each ``"feature"`` (entry) alone. A channel
            or feature that never varies becomes 0 in the training set and is not divided.

    Raises:
        DataError: shapes that differ, inputs that do not vary at all, or channels of inputs that
            are not images. UsageError: unknown `over`.

    >>> from overparam.data.dataset import make_dataset
    >>> points = make_dataset([[0.0], [2.0]], [0, 1])
    >>> standardise(points, points)[0].inputs.flatten()
    tensor([-1.,  1.], dtype=torch.float64)
    """
    check_choice("over", over, ("all", "channel", "feature"))
    if train.input_shape != test.input_shape:
        raise DataError(
            "training and test inputs differ in shape",
            got=f"{train.input_shape} and {test.input_shape}",
        )
    if over == "channel" and len(train.input_shape) != 3:
        raise DataError(
            "inputs have no channels",
            got=train.input_shape,
            allowed="(channels, height, width)",
            remedy="use over='all' or over='feature'",
        )
    fitted = train.inputs.double()
    axes = {"all": tuple(range(fitted.ndim)), "channel": (0, 2, 3), "feature": (0,)}[over]
    mean = fitted.mean(axes, keepdim=True)
    std = fitted.std(axes, correction=0, keepdim=True)
    if not bool((std > 0).any()):
        raise DataError(f"the inputs of {train.name!r} do not vary", got=f"all {mean.max():g}")
    scale = torch.where(std > 0, std, 1.0)
    note = "+standardised" if over == "all" else f"+standardised by {over}"
    return tuple(  # type: ignore[return-value]
        part.with_inputs(_affine(part.inputs, mean, scale), note) for part in (train, test)
    )


def whiten_images(dataset: Dataset) -> Dataset:
    """Whiten every input by itself: (x - mean) / max(std, 1 / sqrt(d)), d entries per input.

    The floor keeps a constant image at 0. Mean and standard deviation (divisor d) are over all
    entries of the one input, channels together.

    Source: TensorFlow's ``per_image_standardization``, which Zhang et al. 2017
    (arXiv:1611.03530) use on CIFAR-10.

    >>> from overparam.data.dataset import make_dataset
    >>> images = make_dataset([[0.0, 4.0], [3.0, 3.0]], [0, 1])
    >>> whiten_images(images).inputs
    tensor([[-1.,  1.],
            [ 0.,  0.]], dtype=torch.float64)
    """
    inputs = _floating(dataset.inputs)
    axes = tuple(range(1, inputs.ndim))
    mean = inputs.mean(axes, keepdim=True)
    std = inputs.std(axes, correction=0, keepdim=True)
    floor = 1 / math.sqrt(dataset.input_dim)
    return dataset.with_inputs((inputs - mean) / std.clamp(min=floor), "+whitened")


def crop_centre(dataset: Dataset, side: int) -> Dataset:
    """Return the central `side` x `side` pixels of images `[channels, height, width]`.

    Where the margin is odd, the smaller part is cut at the top and left.

    Raises:
        DataError: inputs are not images. UsageError: side out of range.
    """
    if len(dataset.input_shape) != 3:
        raise DataError(
            "inputs are not images", got=dataset.input_shape, allowed="(channels, height, width)"
        )
    _, height, width = dataset.input_shape
    check_count("side", side, 1, min(height, width))
    top, left = (height - side) // 2, (width - side) // 2
    cropped = dataset.inputs[:, :, top : top + side, left : left + side]
    return dataset.with_inputs(cropped.contiguous(), f"+crop {side}")


def _affine(inputs: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
    inputs = _floating(inputs)
    return (inputs - mean.to(inputs.dtype)) / scale.to(inputs.dtype)


def _floating(inputs: Tensor) -> Tensor:
    return inputs if inputs.is_floating_point() else inputs.to(torch.float32)
