"""`fuse`: batch normalization, and the pooling and ReLU behind it, in compiled code.

In a small convolutional network these take longer than the convolutions. A fused layer has the
parameters and buffers of the normalization under the same names; what it does not know (other
layouts, numbers of channels, devices) it leaves to PyTorch, call by call.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any, TypeGuard

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from overparam.training.native.build import (
    POINTER,
    WHOLE,
    Kernels,
    NativeUnavailable,
    load_library,
)
from overparam.training.plain import why_not_plain_layer

NORMALISE = Kernels(
    "normalise.c",
    ("precision.h", "window.h"),
    (
        ("moments", None, (POINTER,) * 5),
        ("forward", None, (POINTER,) * 9),
        ("backward", None, (POINTER,) * 12),
    ),
)

_PRECISIONS = {
    torch.float32: "float32",
    torch.float64: "float64",
    torch.bfloat16: "bfloat16",
}
_CHANNELS_AT_A_TIME = 4  # the smallest block of window.h
_LARGEST_WINDOW = 15  # entries are counted in one byte, of which 255 says none
_DISAGREEMENT = {"float64": 1e-10, "float32": 1e-4, "bfloat16": 0.05}


class _Maps(ctypes.Structure):
    _fields_ = (
        *[(k, WHOLE) for k in ("n_images", "height", "width", "channels", "window", "relu")],
        ("epsilon", ctypes.c_double),
    )


class FusedNorm(nn.Module):
    """Batch normalization, max-pooling of square windows, ReLU.

    Args:
        norm: has affine parameters, running statistics and a momentum.
        window: side of the pooled windows; 1 is no pooling. relu: whether it follows.
    """

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def __init__(self, norm: nn.BatchNorm2d, window: int, relu: bool) -> None:
        super().__init__()
        self.weight, self.bias = norm.weight, norm.bias
        for name, buffer in norm.named_buffers():
            self.register_buffer(name, buffer)
        self.momentum, self.eps = float(norm.momentum or 0), norm.eps
        self.window, self.relu = window, relu

    def forward(self, inputs: Tensor) -> Tensor:
        """Return `[n, C, H // window, W // window]`; in training, running statistics move."""
        library = self._library(inputs)
        if library is None or (not self.training and torch.is_grad_enabled()):
            return self._by_pytorch(inputs)
        if not self.training:
            moments = self.running_mean.double(), self.running_var.double()
            maps = self._maps(inputs)
            return _normalise(library, maps, inputs, self.weight, self.bias, moments)[0]
        outputs, mean, variance = _Normalise.apply(
            inputs, self.weight, self.bias, library, self._maps(inputs)
        )
        count = inputs.numel() // inputs.shape[1]
        with torch.no_grad():
            self.running_mean.lerp_(mean.to(self.running_mean.dtype), self.momentum)
            unbiased = variance * (count / (count - 1))
            self.running_var.lerp_(unbiased.to(self.running_var.dtype), self.momentum)
            self.num_batches_tracked.add_(1)
        return outputs

    def _library(self, inputs: Tensor) -> ctypes.CDLL | None:
        """Return what can do this call, or None."""
        known = inputs.device.type == "cpu" and inputs.dtype in _PRECISIONS
        if not known or inputs.ndim != 4 or inputs.shape[1] % _CHANNELS_AT_A_TIME:
            return None
        n, _, height, width = inputs.shape
        few = n * height * width < 2 or min(height, width) < self.window
        if few or not inputs.permute(0, 2, 3, 1).is_contiguous():
            return None
        sums = torch.float64 if inputs.dtype == torch.float64 else torch.float32
        if self.weight.dtype != sums:
            return None
        return _checked_library(_PRECISIONS[inputs.dtype])

    def _by_pytorch(self, inputs: Tensor) -> Tensor:
        if self.training:
            self.num_batches_tracked.add_(1)
        outputs = F.batch_norm(
            inputs, self.running_mean, self.running_var, self.weight, self.bias, self.training,
            self.momentum, self.eps,
        )  # fmt: skip
        if self.window > 1:
            outputs = F.max_pool2d(outputs, self.window)
        return F.relu(outputs) if self.relu else outputs

    def _maps(self, inputs: Tensor) -> _Maps:
        n, channels, height, width = inputs.shape
        return _Maps(n, height, width, channels, self.window, self.relu, self.eps)


class _Normalise(torch.autograd.Function):
    """The layer with the statistics of the batch; also returns these, in float64."""

    @staticmethod
    def forward(
        ctx: Any, inputs: Tensor, weight: Tensor, bias: Tensor, library: ctypes.CDLL, maps: _Maps
    ) -> tuple[Tensor, Tensor, Tensor]:
        channels = maps.channels
        mean, variance = torch.empty(2, channels, dtype=torch.float64)
        rows = torch.empty(2 * maps.width * channels, dtype=weight.dtype)
        library.moments(ctypes.byref(maps), *_addresses(inputs, mean, variance, rows))
        moments = mean, variance
        outputs, which = _normalise(library, maps, inputs, weight, bias, moments)
        ctx.save_for_backward(inputs, weight, mean, variance, which)
        ctx.library, ctx.maps = library, maps
        ctx.mark_non_differentiable(mean, variance)
        return outputs, mean, variance

    @staticmethod
    def backward(ctx: Any, *signals: Tensor) -> tuple[Tensor | None, ...]:
        inputs, weight, mean, variance, which = ctx.saved_tensors
        maps, channels = ctx.maps, ctx.maps.channels
        signal = signals[0].permute(0, 2, 3, 1).contiguous()
        gradient = torch.empty_like(inputs)
        of_weight, of_bias = torch.empty(2, channels, dtype=weight.dtype)
        sums = torch.empty(2 * channels, dtype=torch.float64)
        rows = torch.empty(3 * maps.width * channels, dtype=weight.dtype)
        ctx.library.backward(
            ctypes.byref(maps),
            *_addresses(inputs, signal, which, weight, mean, variance),
            *_addresses(gradient, of_weight, of_bias, sums, rows),
        )
        return gradient, of_weight, of_bias, None, None


def _normalise(
    library: ctypes.CDLL,
    maps: _Maps,
    inputs: Tensor,
    weight: Tensor,
    bias: Tensor,
    moments: tuple[Tensor, Tensor],
) -> tuple[Tensor, Tensor]:
    """Return outputs `[n, C, h, w]`, channels last, and which entry of its window each is."""
    n, channels = inputs.shape[:2]
    shape = (n, maps.height // maps.window, maps.width // maps.window, channels)
    outputs = torch.empty(shape, dtype=inputs.dtype)
    which = torch.empty(shape, dtype=torch.uint8)
    rows = torch.empty(2 * maps.width * channels, dtype=weight.dtype)
    library.forward(
        ctypes.byref(maps), *_addresses(inputs, weight, bias, *moments, outputs, which, rows)
    )
    return outputs.permute(0, 3, 1, 2), which


def _addresses(*tensors: Tensor) -> list[int]:
    return [t.data_ptr() for t in tensors]


@cache
def _checked_library(precision: str) -> ctypes.CDLL | None:
    """Return the kernels if there are any and they agree with PyTorch on a small example."""
    try:
        library = load_library(NORMALISE, precision)
    except NativeUnavailable:
        return None
    (dtype,) = (d for d, name in _PRECISIONS.items() if name == precision)
    sums = torch.float64 if precision == "float64" else torch.float32
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(6, 5, 5, 12, generator=generator).to(dtype).permute(0, 3, 1, 2)
    weight = torch.rand(12, generator=generator).to(sums)
    maps = _Maps(6, 5, 5, 12, 2, True, 1e-5)
    found = []
    for compiled in (True, False):
        x, w, b = (t.detach().clone().requires_grad_() for t in (inputs, weight, weight - 0.5))
        with torch.enable_grad():
            if compiled:
                outputs = _Normalise.apply(x, w, b, library, maps)[0]
            else:
                mapped = F.batch_norm(x, None, None, w, b, True, 0.1, 1e-5)
                outputs = F.relu(F.max_pool2d(mapped, 2))
            outputs.float().square().sum().backward()
        found.append([outputs.detach(), *(t.grad for t in (x, w, b))])
    most = _DISAGREEMENT[precision]
    for one, other in zip(*found, strict=True):
        one, other = one.double(), other.double()
        if not float((one - other).norm()) <= most * float(other.norm()):
            return None
    return library


def fuse(container: nn.Sequential) -> nn.Sequential:
    """Make one layer of normalization, pooling and ReLU, wherever they follow each other.

    >>> fused = fuse(nn.Sequential(nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2)))
    >>> [type(layer).__name__ for layer in fused], fused[0].window, fused[0].relu
    (['FusedNorm', 'Identity', 'Identity'], 2, True)
    """
    for i, layer in enumerate(container):
        if not _can_fuse(layer) or layer.training != container.training:
            continue
        window, relu, end = 1, False, i + 1
        while end < len(container):
            follower = container[end]
            if why_not_plain_layer(follower):
                break
            if type(follower) is nn.ReLU and not relu:
                relu = True
            elif isinstance(follower, nn.MaxPool2d) and _pools(follower) and window == 1:
                window = _side(follower)
            elif type(follower) is not nn.Identity:
                break
            end += 1
        container[i] = FusedNorm(layer, window, relu)
        for swallowed in range(i + 1, end):
            container[swallowed] = nn.Identity()
    return container


def _can_fuse(layer: nn.Module) -> TypeGuard[nn.BatchNorm2d]:
    return (
        type(layer) is nn.BatchNorm2d
        and not why_not_plain_layer(layer)
        and layer.affine
        and layer.track_running_stats
        and layer.momentum is not None
    )


def _pools(layer: nn.MaxPool2d) -> bool:
    if type(layer) is not nn.MaxPool2d or layer.ceil_mode or layer.return_indices:
        return False
    side = _side(layer)
    same = layer.stride in (side, (side, side))
    return 0 < side <= _LARGEST_WINDOW and same and (layer.padding, layer.dilation) == (0, 1)


def _side(layer: nn.MaxPool2d) -> int:
    """Side of the pooling's window; 0 where it is not a square."""
    size = layer.kernel_size
    high, wide = size if isinstance(size, tuple) else (size, size)
    return int(high) if high == wide else 0
