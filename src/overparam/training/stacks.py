"""Planning stacks: which models run side by side, and building the network that runs them."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from overparam.training.alone import OneModule
from overparam.training.batched import BatchedModels, Network
from overparam.training.copies import cast, named_tensors
from overparam.training.counts import Counts, counts_of
from overparam.training.dense import DenseStack, dense_shape
from overparam.training.describe import Undescribable, describe, same_object
from overparam.training.initialise import materialise
from overparam.training.lean import Form, fastest_form
from overparam.training.modules import ModuleStack, can_map, stack_buffers
from overparam.training.native.models import NativeModels
from overparam.training.stepper import Member, Models, Stepper
from overparam.training.weights import WIDTHS, StackedWeights, pads


@dataclass(frozen=True)
class _Costs:
    """Constants of the cost model that cuts widths into buckets.

    They are fixed, not measured, so that the cut is the same on every machine of a kind; being
    off by two costs a few per cent.

    Attributes:
        overhead: seconds of one update, whatever its size. rates: operations per second.
        stack_bytes: what one stack may hold.
    """

    overhead: float
    rates: Mapping[str, float]
    stack_bytes: int


_COSTS = {
    # A stack that outgrows a core's share of the last cache waits for memory: four networks of
    # 784-512-256-10 take 1.6 ms per model and update together, 1.3 ms one after the other.
    "cpu": _Costs(150e-6, {"float64": 50e9, "float32": 100e9, "bfloat16": 200e9}, 16 << 20),
    # A GPU is filled by many models; those of an update are a few kernels, whatever their size.
    "cuda": _Costs(120e-6, {"float64": 10e12, "float32": 15e12, "bfloat16": 60e12}, 8 << 30),
}
_BYTES_PER_WEIGHT = 20  # master, momentum, second moment, working copy, gradient
_BYTES_PER_UNIT = 12  # activation, its gradient, and what is on the way between them
PROVED_ROWS = 8  # of a batch on which fast ways are held against the module as it is


def signature(module: nn.Module) -> Hashable:
    """What must agree between modules of one stack: everything but the numbers in their
    parameters and buffers and, where padding is exact, hidden widths.

    What is not plain, or cannot be described, shares a stack with nothing.
    """
    shape = dense_shape(module)
    if shape is not None:
        return ("dense", shape.signature())
    if not can_map(module):
        return ("alone", same_object(module))
    tensors = {id(t) for _, t in named_tensors(module)}
    padded = pads(module)
    try:
        settings = describe(module, tensors, WIDTHS if padded else ())
    except Undescribable:
        return ("alone", same_object(module))
    return ("padded" if padded else "same", settings)


def dtypes(precision: str) -> tuple[torch.dtype, torch.dtype]:
    """Return the dtypes of the summed weights and of the products."""
    if precision == "float64":
        return torch.float64, torch.float64
    return torch.float32, torch.bfloat16 if precision == "bfloat16" else torch.float32


def step_flops(
    module: nn.Module,
    batch: int,
    input_shape: Sequence[int],
    dtype: torch.dtype = torch.float32,
) -> float:
    """Operations of one update of one model: forward, and twice that backward."""
    shape = dense_shape(module)
    if shape is not None:
        return shape.step_flops(batch)
    return 3.0 * batch * counts_of(module, input_shape, dtype).flops


def cut(
    costs: Sequence[float], sizes: Sequence[int], largest: int, overhead: float = 150e-6
) -> list[list[int]]:
    """Cut models into buckets whose members are padded to the widest, at the least total cost.

    Args:
        costs: seconds of one update of each model at its own width, without overhead.
        sizes: bytes of each model. largest: bound on a bucket's bytes when padded.
        overhead: seconds of one update of a bucket, whatever its size.

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
            cost = best[begin] + overhead + count * costs[order[end - 1]]
            if cost < best[end]:
                best[end], start[end] = cost, begin
    buckets, end = [], len(order)
    while end:
        buckets.append(sorted(order[start[end] : end]))
        end = start[end]
    return buckets


def dense_buckets(
    modules: Sequence[nn.Module],
    batch: int,
    memory_bytes: int,
    precision: str,
    device: str = "cpu",
) -> list[list[int]]:
    """Cut fully connected networks of one signature into buckets of like widths.

    Args:
        device: type of the device; what is not a CPU is taken for a GPU.
    """
    known = _COSTS["cpu" if device == "cpu" else "cuda"]
    shapes = [dense_shape(m) for m in modules]
    costs = [s.step_flops(batch) / known.rates[precision] for s in shapes if s is not None]
    sizes = [model_bytes(m, batch) for m in modules]
    return cut(costs, sizes, min(memory_bytes, known.stack_bytes), known.overhead)


def model_bytes(
    module: nn.Module,
    batch: int,
    input_shape: Sequence[int] = (),
    dtype: torch.dtype = torch.float32,
) -> int:
    """Bytes that one model needs while it is trained: weights, optimizer state, activations."""
    weights = sum(p.numel() for p in module.parameters()) * _BYTES_PER_WEIGHT
    shape = dense_shape(module)
    units = sum(shape.dims) if shape is not None else counts_of(module, input_shape, dtype).units
    return int(weights + _BYTES_PER_UNIT * batch * units)


def build(
    modules: Sequence[nn.Module],
    members: Sequence[Member],
    device: torch.device,
    *,
    precision: str,
    way: str,
    as_it_is: bool = False,
) -> Stepper:
    """Return a stepper for modules of one signature, with weights drawn from their streams.

    Args:
        way: ``native`` (compiled code), ``batched`` (products with a model axis), ``mapped``
            (any modules, executed by one of them) or ``alone`` (one module).
        as_it_is: run a module that is alone in no form but its own.

    Raises:
        NativeUnavailable: the way is native, and there is no compiled code here.
    """
    master, working = dtypes(precision)
    fresh = [materialise(m, w.streams, master) for m, w in zip(modules, members, strict=True)]
    models: Models
    if way == "alone":
        models = _alone(fresh[0], members[0], working, device, as_it_is)
        return Stepper(members, models, device)
    states = [dict(f.named_parameters()) for f in fresh]
    if way == "native":
        shapes = [s for m in modules if (s := dense_shape(m)) is not None]
        models = NativeModels(members, shapes, states, precision)
        return Stepper(members, models, device)
    network: Network
    loss = members[0].recipe.loss
    if way == "batched":
        shape = dense_shape(modules[0])
        assert shape is not None
        with torch.no_grad():
            weights = StackedWeights(states, master, working, device)
        network = DenseStack(shape, weights, loss)
    else:
        with torch.no_grad():
            weights = StackedWeights(states, master, master, device)
        widest = max(range(len(modules)), key=lambda i: sum(p.numel() for p in states[i].values()))
        buffers = {k: b.to(device) for k, b in stack_buffers(fresh, working).items()}
        own = [{k: tuple(b.shape) for k, b in f.named_buffers()} for f in fresh]
        units = _counts(modules[widest], members[0]).units
        network = ModuleStack(modules[widest], weights, buffers, own, loss, working, units)
    return Stepper(members, BatchedModels(members, network, device), device)


def _alone(
    module: nn.Module, member: Member, working: torch.dtype, device: torch.device, as_it_is: bool
) -> OneModule:
    data = member.train_set
    few = data.head(min(len(data), member.recipe.batch_size or len(data), PROVED_ROWS))
    form = Form()
    if not as_it_is:
        form = fastest_form(module, member.recipe.loss, few.inputs, few.labels)
    units = _counts(module, member).units
    module = cast(module, torch.promote_types(working, torch.float32), device)
    return OneModule(member, module, working, form, units, device)


def _counts(module: nn.Module, member: Member) -> Counts:
    return counts_of(module, member.train_set.input_shape, member.train_set.base.dtype)
