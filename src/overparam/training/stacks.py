"""Planning stacks: which models run side by side, and building the network that runs them."""

from __future__ import annotations

import copy
import math
from collections.abc import Hashable, Sequence

import torch
from torch import nn

from overparam.training.batched import BatchedModels, Network
from overparam.training.dense import DenseStack, dense_shape
from overparam.training.initialise import materialise
from overparam.training.modules import ModuleStack, count_units, stack_buffers
from overparam.training.native.models import NativeModels
from overparam.training.stepper import Member, Stepper
from overparam.training.weights import StackedWeights, pads

# Constants of the cost model that cuts widths into buckets. They are fixed, not measured, so
# that the cut is the same on every machine; being off by two costs a few per cent.
_STEP_OVERHEAD = 150e-6  # seconds of one update, whatever its size
_FLOP_RATE = {"float64": 50e9, "float32": 100e9, "bfloat16": 200e9}  # operations per second
# A stack that outgrows a core's share of the last cache waits for memory: four networks of
# 784-512-256-10 take 1.6 ms per model and update together, 1.3 ms one after the other.
_CACHE_BYTES = 16 << 20
_BYTES_PER_WEIGHT = 20  # master, momentum, second moment, working copy, gradient
_BYTES_PER_UNIT = 12  # activation, its gradient, and what is on the way between them


def signature(module: nn.Module) -> Hashable:
    """What must agree between modules of one stack; hidden widths may differ where padding is
    exact, everything else is in it."""
    shape = dense_shape(module)
    if shape is not None:
        return ("dense", shape.signature())
    if pads(module):
        kinds = tuple(
            (name, type(part).__name__, _constants(part)) for name, part in module.named_modules()
        )
        return ("padded", kinds)
    shapes = tuple((k, tuple(p.shape)) for k, p in module.named_parameters())
    return ("exact", type(module).__qualname__, repr(module), shapes)


def dtypes(precision: str) -> tuple[torch.dtype, torch.dtype]:
    """Return the dtypes of the summed weights and of the products."""
    if precision == "float64":
        return torch.float64, torch.float64
    return torch.float32, torch.bfloat16 if precision == "bfloat16" else torch.float32


def step_flops(module: nn.Module, batch: int, input_shape: Sequence[int]) -> float:
    """Operations of one update of one model: forward, and twice that backward."""
    shape = dense_shape(module)
    if shape is not None:
        return shape.step_flops(batch)
    return 3.0 * _forward_flops(module, batch, input_shape)


def cut(costs: Sequence[float], sizes: Sequence[int], largest: int) -> list[list[int]]:
    """Cut models into buckets whose members are padded to the widest, at the least total cost.

    Args:
        costs: seconds of one update of each model at its own width, without overhead.
        sizes: bytes of each model. largest: bound on a bucket's bytes when padded.

    Returns:
        Positions of the models of each bucket; widest bucket first. Optimal among cuts of the
        cost-sorted list (dynamic programming, O(n^2)).

    >>> cut([1e-6, 1e-6, 1.0], [1, 1, 1], 100)
    [[2], [0, 1]]
    """
    order = sorted(range(len(costs)), key=lambda i: (costs[i], i))
    best = [0.0] + [math.inf] * len(order)
    start = [0] * (len(order) + 1)
    for end in range(1, len(order) + 1):
        for begin in range(end - 1, -1, -1):
            count = end - begin
            widest = max(sizes[i] for i in order[begin:end])
            if count > 1 and count * widest > largest:
                break
            cost = best[begin] + _STEP_OVERHEAD + count * costs[order[end - 1]]
            if cost < best[end]:
                best[end], start[end] = cost, begin
    buckets, end = [], len(order)
    while end:
        buckets.append(sorted(order[start[end] : end]))
        end = start[end]
    return buckets


def dense_buckets(
    modules: Sequence[nn.Module], batch: int, memory_bytes: int, precision: str
) -> list[list[int]]:
    """Cut fully connected networks of one signature into buckets of like widths."""
    shapes = [dense_shape(m) for m in modules]
    costs = [s.step_flops(batch) / _FLOP_RATE[precision] for s in shapes if s is not None]
    sizes = [model_bytes(m, batch) for m in modules]
    return cut(costs, sizes, min(memory_bytes, _CACHE_BYTES))


def model_bytes(module: nn.Module, batch: int, input_shape: Sequence[int] = ()) -> int:
    """Bytes that one model needs while it is trained: weights, optimizer state, activations."""
    weights = sum(p.numel() for p in module.parameters()) * _BYTES_PER_WEIGHT
    shape = dense_shape(module)
    units = sum(shape.dims) if shape is not None else count_units(module, input_shape)
    return int(weights + _BYTES_PER_UNIT * batch * units)


def build(
    modules: Sequence[nn.Module],
    members: Sequence[Member],
    device: torch.device,
    *,
    precision: str,
    way: str,
) -> Stepper:
    """Return a stepper for modules of one signature, with weights drawn from their streams.

    Args:
        way: ``native`` for compiled code, else batched (as many models as are given).

    Raises:
        NativeUnavailable: the way is native, and there is no compiled code here.
    """
    master, working = dtypes(precision)
    fresh = [materialise(m, w.streams, master) for m, w in zip(modules, members, strict=True)]
    states = [dict(f.named_parameters()) for f in fresh]
    shapes = [dense_shape(m) for m in modules]
    dense = [s for s in shapes if s is not None]
    if way == "native":
        return Stepper(members, NativeModels(members, dense, states, precision), device)
    with torch.no_grad():
        weights = StackedWeights(states, master, working if dense else master, device)
    recipe = members[0].recipe
    network: Network
    if dense:
        network = DenseStack(dense[0], weights, recipe.loss)
    else:
        widest = max(range(len(modules)), key=lambda i: sum(p.numel() for p in states[i].values()))
        buffers = {k: b.to(device) for k, b in stack_buffers(fresh, working).items()}
        own = [{k: tuple(b.shape) for k, b in f.named_buffers()} for f in fresh]
        units = count_units(modules[widest], members[0].train_set.input_shape)
        network = ModuleStack(modules[widest], weights, buffers, own, recipe.loss, working, units)
    return Stepper(members, BatchedModels(members, network, device), device)


def _forward_flops(module: nn.Module, batch: int, input_shape: Sequence[int]) -> float:
    from torch.utils.flop_counter import FlopCounterMode

    template = copy.deepcopy(module).to("meta").eval()
    counter = FlopCounterMode(display=False)
    try:
        with torch.no_grad(), counter:
            template(torch.empty(batch, *input_shape, device="meta"))
    except (RuntimeError, NotImplementedError):
        # What cannot be traced on the meta device: two operations per weight and row.
        return 2.0 * batch * sum(p.numel() for p in module.parameters())
    return float(counter.get_total_flops())


def _constants(part: nn.Module) -> tuple:
    """Settings of a layer other than its widths."""
    names = ("kernel_size", "stride", "padding", "dilation", "output_size", "eps", "momentum")
    has_bias = getattr(part, "bias", None) is not None
    return (has_bias, *(str(getattr(part, n, "")) for n in names))
