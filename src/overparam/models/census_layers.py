"""Counting the parameters of an `nn.Module`, layer by layer."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from overparam.models.census_unregistered import own_attributes, unregistered
from overparam.models.trial import SHAPELESS, is_script, walk

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
Counted = tuple[list["LayerCount"], list[str], bool]  # layers, notes, whether that is all of it

_BIAS = re.compile(r"(^|_)bias(es)?(_|\d|$)")
# `torch.nn.utils.parametrize` keeps the parameter `bias` as `parametrizations.bias.original`, and
# lists of parameters number theirs: the name that says what it is stands before these.
_UNTELLING = re.compile(r"original\d*|\d+")


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


def count_module(module: nn.Module) -> Counted:
    """Count every layer of `module` that holds parameters or buffers of its own.

    A parameter is a bias if its name says so ("bias" between underscores or digits); the scales of
    normalization layers are weights. A complex number counts as two. Numbers count once, in the
    layer that is met first, whether layers share a parameter or only its memory.

    Returns:
        layers, notes on what is not known, and whether the count is complete. It is not where a
        lazy layer has no shape yet, where numbers are packed away as in quantized layers, and where
        layers or parameters lie in plain lists, objects or functions, where PyTorch does not
        register them.
    """
    parts = list(walk(module))
    counting = _Counting()
    layers = []
    for path, part in parts:
        layer = counting.of(path, part)
        if layer.n_params or layer.n_buffers or layer.n_shared:
            layers.append(layer)
    unknown = [*_lazy(parts), *_packed(parts), *unregistered(parts)]
    return layers, [*unknown, *counting.notes(layers)], not unknown


class _Counting:
    """Which numbers were counted already: parameters by identity, memory by its bytes."""

    def __init__(self) -> None:
        self._taken: dict[Any, list[tuple[int, int]]] = {}
        self._tensors: dict[int, Tensor] = {}  # kept, so that no other gets its identity
        self._has_complex = self._has_shared_memory = False

    def of(self, path: str, part: nn.Module) -> LayerCount:
        """Count what a part holds of its own, and was not counted."""
        n_weights = n_biases = n_frozen = n_shared = n_buffers = 0
        for leaf, parameter in part._parameters.items():
            if parameter is None or isinstance(parameter, SHAPELESS):
                continue
            size = self._new_numbers(parameter)
            n_shared += _size(parameter) - size
            is_bias = _is_bias(path, leaf)
            n_biases += size if is_bias else 0
            n_weights += 0 if is_bias else size
            n_frozen += 0 if parameter.requires_grad else size
        for buffer in part._buffers.values():
            if buffer is not None and not isinstance(buffer, SHAPELESS):
                n_buffers += self._new_numbers(buffer)
        return LayerCount(
            path or "(root)",
            type(part).__name__,
            n_weights,
            n_biases,
            n_frozen,
            n_buffers,
            n_shared,
            isinstance(part, EMBEDDINGS),
        )

    def notes(self, layers: list[LayerCount]) -> list[str]:
        """Say how things were counted that can be counted in another way."""
        notes = []
        if any(layer.n_shared for layer in layers):
            notes.append("shared parameters are counted once, in the layer that comes first")
        if self._has_shared_memory:
            notes.append(
                "some parameters lie in the same memory: its numbers are counted once, although an "
                "optimizer would move them once for each parameter"
            )
        if self._has_complex:
            notes.append("a complex number is counted as two")
        return notes

    def _new_numbers(self, tensor: Tensor) -> int:
        if id(tensor) in self._tensors:
            return 0
        self._tensors[id(tensor)] = tensor
        self._has_complex |= tensor.is_complex()
        size = _size(tensor)
        try:
            storage = tensor.untyped_storage()._cdata
        except Exception:  # sparse tensors, and tensors of a kind of their own
            return size
        spans = _spans(tensor)
        if spans is None:  # scattered over its memory: known only if it is met again
            key = (storage, tensor.storage_offset(), tensor.shape, tensor.stride())
            new = 0 if key in self._taken else 1
            self._taken[key] = []
            self._has_shared_memory |= not new
            return new * _size(tensor, repeated=False)
        taken = self._taken.setdefault(storage, [])
        new_spans = _without(spans, taken)
        taken += new_spans
        n_bytes = sum(stop - start for start, stop in new_spans)
        n_new = n_bytes // tensor.element_size() * (2 if tensor.is_complex() else 1)
        self._has_shared_memory |= n_new < size
        return n_new


def _size(tensor: Tensor, repeated: bool = True) -> int:
    """Return the numbers in a tensor; those of an expanded one only once unless `repeated`."""
    n = tensor.numel()
    if not repeated:
        for size, stride in zip(tensor.shape, tensor.stride(), strict=True):
            n = n // size if stride == 0 and size else n
    return n * (2 if tensor.is_complex() else 1)


def _spans(tensor: Tensor) -> list[tuple[int, int]] | None:
    """Return the bytes of its memory that a tensor fills, or None where it has gaps or repeats."""
    expected = 1
    axes = sorted(
        (stride, size) for size, stride in zip(tensor.shape, tensor.stride(), strict=True)
    )
    for stride, size in axes:
        if size > 1 and stride != expected:
            return None
        expected *= size
    width = tensor.element_size()
    start = int(tensor.storage_offset()) * width
    return [(start, start + tensor.numel() * width)]


def _without(spans: list[tuple[int, int]], taken: list[tuple[int, int]]) -> list[tuple[int, int]]:
    for low, high in taken:
        left = [(a, min(b, low)) for a, b in spans if a < low]
        spans = left + [(max(a, high), b) for a, b in spans if b > high]
    return [(a, b) for a, b in spans if a < b]


def _is_bias(path: str, leaf: str) -> bool:
    names = [*path.split("."), leaf]
    telling = [name for name in names if not _UNTELLING.fullmatch(name)]
    return bool(telling) and _BIAS.search(telling[-1]) is not None


def _lazy(parts: list[tuple[str, nn.Module]]) -> list[str]:
    lazy = [
        f"{path}.{name}" if path else name
        for path, part in parts
        for name, value in (*part._parameters.items(), *part._buffers.items())
        if isinstance(value, SHAPELESS)
    ]
    if not lazy:
        return []
    return [
        f"{len(lazy)} lazy parameter(s) have no shape before the first forward pass "
        f"({', '.join(lazy[:3])}); give input_shape, or call the model once"
    ]


def _packed(parts: list[tuple[str, nn.Module]]) -> list[str]:
    """Say which layers hold their weights as something else than parameters."""
    packed = [
        path or "(root)"
        for path, part in parts
        if any(isinstance(value, torch.ScriptObject) for _, value in own_attributes(part))
        or (is_script(part) and isinstance(getattr(part, "_packed_params", 0), torch.ScriptObject))
        or any("weight" in name and _is_integer(b) for name, b in part._buffers.items())
    ]
    if not packed:
        return []
    return [
        f"{len(packed)} layer(s) are quantized and hold packed numbers that are no parameters "
        f"({', '.join(packed[:3])}); take the census of the network before it was quantized"
    ]


def _is_integer(tensor: Tensor | None) -> bool:
    kinds = (torch.int8, torch.uint8, torch.int16, torch.int32, torch.int64)
    return tensor is not None and tensor.dtype in kinds
