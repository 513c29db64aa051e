"""Counting the parameters of an `nn.Module`, layer by layer."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter

EMBEDDINGS = (nn.Embedding, nn.EmbeddingBag)
COUNTS = (
    "n_weights",
    "n_biases",
    "n_frozen",
    "n_buffers",
    "n_shared",
    "n_nodes",
    "n_leaves",
)
SHAPELESS = (UninitializedParameter, UninitializedBuffer)  # what lazy layers hold before use


@dataclass(frozen=True)
class LayerCount:
    """The numbers that one layer, or one part of an estimator, holds.

    Attributes:
        name: path within the model, such as ``"blocks.0.conv1"``.
        kind: type of the layer, such as ``"Linear"``.
        n_weights: learned numbers other than biases.
        n_biases: learned offsets.
        n_frozen: how many of the two do not follow gradients.
        n_buffers: numbers that are kept but not learned by gradients (running means, stored
            training rows, support vectors).
        n_shared: entries that this layer uses but that an earlier layer counts.
        is_embedding: whether it is a look-up table of token vectors.
        n_nodes: nodes of decision trees. n_leaves: leaves of decision trees.
    """

    name: str
    kind: str
    n_weights: int = 0
    n_biases: int = 0
    n_frozen: int = 0
    n_buffers: int = 0
    n_shared: int = 0
    is_embedding: bool = False
    n_nodes: int = 0
    n_leaves: int = 0

    @property
    def n_params(self) -> int:
        """Weights and biases."""
        return self.n_weights + self.n_biases

    @property
    def n_trainable(self) -> int:
        """Weights and biases that are learned."""
        return self.n_params - self.n_frozen

    def plus(self, other: LayerCount) -> LayerCount:
        """Return the sums of the counts of two rows, under this row's name and kind."""
        sums = {field: getattr(self, field) + getattr(other, field) for field in COUNTS}
        return replace(self, **sums)


def count_module(
    module: nn.Module, input_shape: tuple[int, ...] | None = None
) -> tuple[list[LayerCount], list[str], bool]:
    """Count every layer of `module` that holds parameters or buffers of its own.

    A shared parameter counts once, where it is met first. A parameter is a bias if the last part of
    its name contains "bias"; the scales of normalization layers are weights. A complex number
    counts as two.

    Args:
        input_shape: shape of one input; with it, lazy layers are filled in on a copy.

    Returns:
        layers, notes on what is not known, and whether the count is complete.
    """
    notes: list[str] = []
    if _lazy_names(module) and input_shape is not None:
        module, problem = _materialized(module, input_shape)
        notes += problem
    lazy = _lazy_names(module)
    if lazy:
        notes.append(
            f"{len(lazy)} lazy parameter(s) have no shape before the first forward pass "
            f"({', '.join(lazy[:3])}); give input_shape, or call the model once"
        )
    seen: set[int] = set()
    layers = [
        layer
        for name, part in module.named_modules()
        if (layer := _count_layer(name or "(root)", part, seen)).n_params
        or layer.n_buffers
        or layer.n_shared
    ]
    if any(layer.n_shared for layer in layers):
        notes.append("shared parameters are counted once, in the layer that comes first")
    return layers, notes, not lazy


def last_linear_width(module: nn.Module) -> int | None:
    """Return the outputs of the last `nn.Linear` of a module, or None where there is none."""
    widths = [part.out_features for part in module.modules() if isinstance(part, nn.Linear)]
    return widths[-1] if widths else None


def _count_layer(name: str, part: nn.Module, seen: set[int]) -> LayerCount:
    n_weights = n_biases = n_frozen = n_shared = 0
    for leaf, parameter in part.named_parameters(recurse=False, remove_duplicate=False):
        if isinstance(parameter, SHAPELESS):
            continue
        size = _size(parameter)
        if id(parameter) in seen:
            n_shared += size
            continue
        seen.add(id(parameter))
        n_biases += size if "bias" in leaf else 0
        n_weights += 0 if "bias" in leaf else size
        n_frozen += 0 if parameter.requires_grad else size
    n_buffers = 0
    for _, buffer in part.named_buffers(recurse=False):
        if not isinstance(buffer, SHAPELESS) and id(buffer) not in seen:
            seen.add(id(buffer))
            n_buffers += _size(buffer)
    return LayerCount(
        name,
        type(part).__name__,
        n_weights,
        n_biases,
        n_frozen,
        n_buffers,
        n_shared,
        isinstance(part, EMBEDDINGS),
    )


def _size(tensor: Tensor) -> int:
    return tensor.numel() * (2 if tensor.is_complex() else 1)


def _lazy_names(module: nn.Module) -> list[str]:
    return [name for name, value in _tensors(module) if isinstance(value, SHAPELESS)]


def _tensors(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    yield from module.named_parameters()
    yield from module.named_buffers()


def _materialized(module: nn.Module, input_shape: tuple[int, ...]) -> tuple[nn.Module, list[str]]:
    filled = copy.deepcopy(module).eval()
    try:
        # Lazy layers draw their weights here; the caller's random numbers must not move.
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            filled(torch.zeros(1, *input_shape))
    except Exception as error:  # a user's forward pass may raise anything
        return module, [f"a trial forward pass on shape {list(input_shape)} failed: {error}"]
    return filled, []
