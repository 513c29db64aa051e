"""Giving weights to modules: from a stream where they have none, their own where they do."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from overparam.checks import check_choice
from overparam.errors import UsageError
from overparam.streams import Streams, check_streams
from overparam.training.copies import cast, copy_module, named_tensors, precision_of, with_memory

SMALL_STD = 0.01  # standard deviation of the scheme "small normal"

SCHEMES: dict[str, Callable[[Tensor, torch.Generator], Tensor]] = {
    "xavier uniform": lambda w, g: nn.init.xavier_uniform_(w, generator=g),
    "xavier normal": lambda w, g: nn.init.xavier_normal_(w, generator=g),
    "kaiming uniform": lambda w, g: nn.init.kaiming_uniform_(w, nonlinearity="relu", generator=g),
    "kaiming normal": lambda w, g: nn.init.kaiming_normal_(w, nonlinearity="relu", generator=g),
    "orthogonal": lambda w, g: nn.init.orthogonal_(w, generator=g),
    "small normal": lambda w, g: nn.init.normal_(w, std=SMALL_STD, generator=g),
}
DEFAULT_SCHEME = "default"  # what the layers do by themselves


def materialise(module: nn.Module, streams: Streams, dtype: torch.dtype) -> nn.Module:
    """Return a copy of the module with weights, in `dtype`, on the CPU.

    A module on the meta device (a shape without weights, as the families of `models` build it)
    is initialised by its layers' `reset_parameters`, with random numbers from the stream
    ``init``, in float32 whatever `dtype` and PyTorch's default, so that all start alike. What has
    weights keeps them: any other module, and in one that is partly on the meta device the other
    parameters and buffers (a pretrained part below a new head). The module given is not changed.

    Raises:
        UsageError: a layer on the meta device does not initialise all of its parameters and
            buffers itself, or the module cannot be copied.
    """
    return give_weights(copy_module(module), check_streams(streams), dtype)


def give_weights(module: nn.Module, streams: Streams, dtype: torch.dtype) -> nn.Module:
    """Do what `materialise` does to the module itself, and return it."""
    tensors = list(named_tensors(module))
    if not any(t.is_meta for _, t in tensors):
        return cast(module, dtype, "cpu")
    given = {name: t.detach().clone() for name, t in tensors if not t.is_meta}
    new = [part for part in module.modules() if any(t.is_meta for _, t in named_tensors(part))]
    fresh = with_memory(module._apply(_in_float32))
    versions = {id(t): _spoil(t) for _, t in named_tensors(fresh)}
    with streams.global_generators("init"), torch.no_grad():
        for part in new:
            # nn.MultiheadAttention and nn.Transformer spell it with an underscore.
            reset = getattr(part, "reset_parameters", getattr(part, "_reset_parameters", None))
            if callable(reset):
                reset()
        for path, tensor in named_tensors(fresh):
            if path in given:  # a pretrained part below a new one keeps what it has
                tensor.copy_(given[path])
    for path, tensor in named_tensors(fresh):
        if _is_spoilt(tensor, versions.get(id(tensor))):
            name, _, leaf = path.rpartition(".")
            raise UsageError(
                f"a layer on the meta device has no reset_parameters that initialises its {leaf}",
                got=f"{type(fresh.get_submodule(name)).__name__} ({name or 'the model'})",
                remedy="define reset_parameters, or pass the module with its weights "
                "instead of on the meta device",
            )
    return cast(fresh, dtype)


def _in_float32(tensor: Tensor) -> Tensor:
    """Return what has no values yet in the precision in which they are drawn.

    By default it has PyTorch's default precision, in which other numbers would be drawn.
    """
    return tensor.to(precision_of(tensor.dtype, torch.float32)) if tensor.is_meta else tensor


@torch.no_grad()
def _spoil(tensor: Tensor) -> int:
    """Fill what no initialisation has written yet, so that it is told; return its version."""
    if tensor.dtype.is_floating_point or tensor.is_complex():
        tensor.fill_(torch.nan)
    else:
        tensor.fill_(True if tensor.dtype == torch.bool else torch.iinfo(tensor.dtype).min)
    return tensor._version


def _is_spoilt(tensor: Tensor, version: int | None) -> bool:
    if tensor.dtype.is_floating_point or tensor.is_complex():
        return bool(torch.isnan(tensor).any())
    return version is not None and tensor._version == version


@torch.no_grad()
def draw_weights(module: nn.Module, scheme: str, streams: Streams) -> nn.Module:
    """Return a copy of the module with weights drawn by a named scheme, float32, on the CPU.

    Of a weight `[out, in, *kernel]` with fan_in = in x kernel pixels and fan_out = out x kernel
    pixels, the standard deviation is

    - ``default``: what the layer does by itself; 1 / sqrt(3 fan_in) for PyTorch's linear and
      convolutional layers, uniform;
    - ``xavier uniform``, ``xavier normal``: sqrt(2 / (fan_in + fan_out));
    - ``kaiming uniform``, ``kaiming normal``: sqrt(2 / fan_in), the gain of the ReLU;
    - ``orthogonal``: rows (or columns, where there are fewer) of `[out, in x kernel]`
      orthonormal;
    - ``small normal``: 0.01.

    Biases start at 0, except in ``default``. Parameters of layers with weights of fewer than two
    dimensions, such as normalizations, and all buffers are what ``default`` makes them.

    Args:
        module: on the meta device or with weights of its own, which are not kept. It is not
            changed. scheme: as above. streams: uses ``init``.

    Raises:
        UsageError: an unknown scheme, or a layer that cannot initialise itself.

    Source: Glorot and Bengio 2010; He, Zhang, Ren, Sun 2015; Saxe,
    McClelland, Ganguli 2014, as `torch.nn.init` has them.

    >>> with torch.device("meta"):
    ...     layer = nn.Linear(400, 200)
    >>> drawn = draw_weights(layer, "kaiming normal", Streams(0)).requires_grad_(False)
    >>> round(float(drawn.weight.std() * 200**0.5), 1), float(drawn.bias.abs().max())
    (1.0, 0.0)
    """
    check_choice("scheme", scheme, [DEFAULT_SCHEME, *SCHEMES])
    fresh = materialise(copy_module(module).to("meta"), streams, torch.float32)
    if scheme == DEFAULT_SCHEME:
        return fresh
    generator = streams.torch("init")
    for part in fresh.modules():
        weight = getattr(part, "weight", None)
        if isinstance(weight, Tensor) and weight.ndim >= 2:
            SCHEMES[scheme](weight, generator)
            bias = getattr(part, "bias", None)
            if isinstance(bias, Tensor):
                bias.zero_()
    return fresh
