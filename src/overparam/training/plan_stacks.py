"""Which requests run as one stack, and which way: planned from the design and short trials.

What must be equal for two models to be planned together is `TrainRequest.group_key`. Fully
connected networks are cut into buckets of like widths; each bucket runs as batched products or,
where there is a compiler, in compiled code, whichever a trial measures to be faster. Other modules
run mapped or one by one, by a trial as well. Choices are made once and kept (see `choices.py`). A
mapped stack is held against its own models one by one before it is used, whatever the trial said.

Compiled code trains each network by itself, so that a stack may have models of any numbers of rows.
Models that are updated by one product, or one call, need batches of one size at each update: there,
those of equal numbers of rows are a stack.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from overparam.streams import own_generators
from overparam.training.agreement import State, check_agreement, why_not_mapped
from overparam.training.dense import dense_shape
from overparam.training.modules import can_map
from overparam.training.native.build import NativeUnavailable, load_library
from overparam.training.native.models import DENSE, can_run
from overparam.training.request import Context
from overparam.training.stacks import build, dense_buckets, model_bytes
from overparam.training.stepper import Member, Stepper
from overparam.training.to_train import ToTrain, batch_of, n_rows
from overparam.training.ways import choose, key_of

_TRIAL_MODELS = 4  # models in the trial that compares the ways of running a stack
_TRIAL_UPDATES = 8  # of small networks in one call, so that what a call costs counts as in a run

# How far one update of the compiled code may be from the batched products', of its length. They
# round differently, and Adam's first update is a gradient's sign, which rounding can turn.
_DISAGREEMENT = {"float64": 1e-6, "float32": 0.05, "bfloat16": 0.5}


@dataclass(frozen=True)
class Stack:
    """Models that are trained side by side.

    Attributes:
        positions: of their requests.
        way: ``native`` or ``batched`` (fully connected networks), ``mapped`` or ``alone``.
    """

    positions: list[int]
    way: str


def plan_stacks(requests: Sequence[ToTrain], precision: str, context: Context) -> list[Stack]:
    """Cut requests of one group into stacks and choose the way of each."""
    modules = [r.model for r in requests]
    if dense_shape(modules[0]) is None:
        parts = _of_equal_rows(requests, range(len(requests)))
        return [s for part in parts for s in _plan_modules(requests, part, precision, context)]
    stacks = []
    batch = max(map(batch_of, requests))
    for bucket in dense_buckets(
        modules, batch, context.memory_bytes, precision, context.device.type
    ):
        parts = _of_equal_rows(requests, bucket)
        way = _dense_way([[requests[i] for i in part] for part in parts], precision, context)
        stacks += [Stack(part, way) for part in ([bucket] if way == "native" else parts)]
    return stacks


def _of_equal_rows(requests: Sequence[ToTrain], positions: Iterable[int]) -> list[list[int]]:
    """Part positions by the numbers of rows of their sets, in the order in which these come up."""
    parts: dict[tuple[int, ...], list[int]] = {}
    for i in positions:
        parts.setdefault(n_rows(requests[i]), []).append(i)
    return list(parts.values())


def _plan_modules(
    requests: Sequence[ToTrain], positions: list[int], precision: str, context: Context
) -> list[Stack]:
    """Plan some of the requests, which have equal numbers of rows and are not fully connected."""
    some = [requests[i] for i in positions]
    modules = [r.model for r in some]
    alone = [Stack([i], "alone") for i in positions]
    if len(some) == 1 or not all(map(can_map, modules)):
        return alone
    kind = repr(some[0].group_key()), batch_of(some[0])
    key = key_of("module", kind, len(some), precision, context.device.type)
    trial = some[:_TRIAL_MODELS]
    ways = {
        "one by one": _trial([[r] for r in trial], precision, context, "alone"),
        "mapped": _trial([trial], precision, context, "mapped"),
    }
    if choose(context, key, ways) != "mapped":
        return alone
    data, batch = some[0].train_set, batch_of(some[0])
    each = max(model_bytes(m, batch, data.input_shape, data.base.dtype) for m in modules)
    largest = max(1, context.memory_bytes // each)
    stacks = [positions[i : i + largest] for i in range(0, len(positions), largest)]
    for stack in stacks:
        reason = why_not_mapped([requests[i] for i in stack], context.device)
        if reason is not None:
            context.notes.append(f"models are trained one by one, not mapped: {reason}")
            return alone
    return [Stack(stack, "mapped") for stack in stacks]


def _dense_way(parts: Sequence[Sequence[ToTrain]], precision: str, context: Context) -> str:
    """Choose the way of fully connected networks, in parts of equal numbers of rows."""
    requests = [r for part in parts for r in part]
    shapes = [dense_shape(r.model) for r in requests]
    runs = all(s is not None and can_run(s, requests[0].recipe) for s in shapes)
    if not runs or context.device.type != "cpu":
        return "batched"
    kinds = sorted(s.dims for s in shapes if s is not None)
    recipe = repr(requests[0].recipe.stack_key())
    batches = (max(map(batch_of, requests)), *(["in parts"] if len(parts) > 1 else []))
    key = key_of("dense", recipe, kinds, *batches, precision)
    try:
        load_library(DENSE, precision)
    except NativeUnavailable as error:
        # The study is to repeat this, also when there is a compiler one day; the machine is not.
        if key is not None and context.choices.made.setdefault(key, "batched") == "native":
            context.notes.append(
                "compiled code, which other records of this study used, is not to be had: "
                f"{error}; records agree with it to rounding"
            )
        return "batched"
    name = key or str(kinds)
    checked = _checked_trial(parts, precision, context, name)
    ways = {
        "batched": _trial(parts, precision, context, "batched", _TRIAL_UPDATES),
        "native": checked,
    }
    way = choose(context, key, ways)
    if way == "native" and name not in _held:  # chosen by another process, with its own code
        try:
            with own_generators():
                checked()
        except Exception as error:
            context.notes.append(f"native is not possible here: {error}")
            return "batched"
    return way


_held: set[str] = set()  # kinds of stacks whose compiled code this process has held against PyTorch


def _checked_trial(
    parts: Sequence[Sequence[ToTrain]], precision: str, context: Context, name: str
) -> Callable[[], None]:
    """Return the trial of the compiled code; its first call holds it against the batched way.

    Nothing else would tell that a compiler of this machine makes wrong code.
    """
    steppers: list[Stepper] = []

    def update() -> None:
        if not steppers:
            requests = [r for part in parts for r in part]
            steppers.append(make_stepper(requests, precision, context, "native"))
            batched = [make_stepper(part, precision, context, "batched") for part in parts]
            start, own, other = [], [], []
            for stepper in batched:
                start += _states(stepper)
                stepper.try_epoch(1)
                other += _states(stepper)
            steppers[0].try_epoch(1)
            own = _states(steppers[0])
            for states in zip(start, own, other, strict=True):
                check_agreement(*states, _DISAGREEMENT[precision], "the compiled code's")
            _held.add(name)
            return
        steppers[0].try_epoch(_TRIAL_UPDATES)

    return update


def _states(stepper: Stepper) -> list[State]:
    return [stepper.models.state_of(m) for m in range(len(stepper.members))]


def make_stepper(
    requests: Sequence[ToTrain], precision: str, context: Context, way: str
) -> Stepper:
    """Return what trains the requests as one stack."""
    members = [Member(r.recipe, r.train_set, dict(r.evaluate), r.streams) for r in requests]
    models = [r.model for r in requests]
    return build(models, members, context.device, precision=precision, way=way)


def _trial(
    stacks: Sequence[Sequence[ToTrain]],
    precision: str,
    context: Context,
    way: str,
    n_updates: int = 1,
) -> Callable[[], None]:
    """Return a function that updates each stack; its first call builds them."""
    steppers: list[Stepper] = []

    def update() -> None:
        if not steppers:
            steppers.extend(make_stepper(stack, precision, context, way) for stack in stacks)
        for stepper in steppers:
            stepper.try_epoch(n_updates)

    return update
