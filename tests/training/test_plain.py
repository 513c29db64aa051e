"""What is plain, what a copy keeps, and that fast ways are proved before they are taken."""

from __future__ import annotations

import copy
import functools

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.testing import assert_close

from overparam.data.dataset import Dataset
from overparam.errors import UsageError
from overparam.streams import Streams
from overparam.training import alone, plan_stacks
from overparam.training.copies import copy_module, put_state, state_of
from overparam.training.dense import dense_shape
from overparam.training.initialise import materialise
from overparam.training.lean import Form, fastest_form
from overparam.training.modules import ModuleStack
from overparam.training.native.normalise import FusedNorm
from overparam.training.plain import why_not_plain
from overparam.training.recipe import Recipe
from overparam.training.request import Context, drive, solve
from overparam.training.stacks import signature
from overparam.training.train import train
from tests.training.plain_loop import train_in_place
from tests.training.zoo.data import data
from tests.training.zoo.modules import images, points
from tests.training.zoo.modules_changing import Counts
from tests.training.zoo.modules_holding import Tied, twice
from tests.training.zoo.modules_of_images import Reads

RECIPE = Recipe(epochs=2, batch_size=8, learning_rate=0.1, precision="float64")


def changed(change) -> nn.Module:
    net = points(nn.ReLU())
    change(net)
    return net


def own_parameter(net: nn.Module) -> None:
    class Weight(nn.Parameter):
        pass

    net[0].weight = Weight(net[0].weight.data)


CHANGES = {
    "hooks": lambda net: net[1].register_forward_hook(lambda *a: None),
    "has a forward of its own": lambda net: setattr(net[1], "forward", torch.tanh),
    "is frozen": lambda net: net[0].weight.requires_grad_(False),
    "torch.float16": lambda net: net[0].half(),
    "is of the type Weight": own_parameter,
    "not contiguous": lambda net: setattr(net[0].weight, "data", torch.randn(6, 8).t()),
    "share memory": lambda net: setattr(net[2].bias, "data", net[2].weight.data[:, 0]),
    "another mode": lambda net: net[1].eval(),
    "is parametrized": lambda net: nn.utils.parametrizations.weight_norm(net[0]),
    "computes its weight": lambda net: nn.utils.weight_norm(net[0]),
    "buffer mask of its own kind": lambda net: net.register_buffer(
        "mask", nn.Parameter(torch.ones(1))
    ),
    "buffer mask that is not real": lambda net: net.register_buffer("mask", torch.ones(1) * 1j),
    "a weight that has hooks": lambda net: net[0].weight.register_hook(lambda g: g),
}  # fmt: skip


@pytest.mark.parametrize("reason", CHANGES)
@pytest.mark.filterwarnings("ignore")
def test_what_is_not_plain(reason):
    assert why_not_plain(points(nn.ReLU())) is None
    net = changed(CHANGES[reason])
    assert reason in str([*plain_reasons(net)])
    assert dense_shape(net) is None
    assert signature(net)[0] == "alone"


def plain_reasons(net: nn.Module):
    from overparam.training.plain import _reasons

    return _reasons(net)


def test_repeats_and_ties_are_not_plain():
    assert why_not_plain(twice(nn.ReLU())) == "3 is the same object as 1"
    assert why_not_plain(Tied("parameter")) == "back.weight is enter.weight"


def test_hooks_for_all_modules_are_seen():
    handle = nn.modules.module.register_module_forward_hook(lambda m, i, o: None)
    try:
        assert why_not_plain(points()) == "hooks for all modules are registered"
        assert dense_shape(points()) is None
    finally:
        handle.remove()
    assert dense_shape(points()) is not None


def test_a_state_is_put_back_under_all_names():
    net = Counts("late")
    net.train()(torch.zeros(2, 6))
    fresh = put_state(Counts("late"), state_of(net))
    assert_close(state_of(fresh), state_of(net), rtol=0, atol=0)
    tied = Tied("parameter")
    state = state_of(tied)
    assert state["enter.weight"] is state["back.weight"]
    again = put_state(copy_module(tied), state)
    assert again.enter.weight is again.back.weight


class Recorder:
    def __init__(self) -> None:
        self.seen: list = []

    def record(self, module, inputs, outputs):
        self.seen.append(len(outputs))

    def __call__(self, *call):
        self.record(*call)


def closed_over(seen):
    return lambda module, inputs, outputs: seen.append(len(outputs))


def by_its_method(seen, append=None):
    append = seen.append
    return lambda module, inputs, outputs: append(len(outputs))


def held_by(seen, hook):
    recorder = Recorder()
    recorder.seen = seen
    return hook(recorder)


RECORDERS = {
    "closure": closed_over,
    "method of the list": by_its_method,
    "default": lambda seen: lambda module, inputs, outputs, to=seen: to.append(len(outputs)),
    "partial": lambda seen: functools.partial(lambda to, m, i, o: to.append(len(o)), seen),
    "partial in a closure": lambda seen: (lambda inner: lambda *call: inner(*call))(
        RECORDERS["partial"](seen)
    ),
    "object": lambda seen: held_by(seen, lambda recorder: recorder),
    "object in a closure": lambda seen: held_by(seen, lambda r: lambda *call: r(*call)),
    "method of an object": lambda seen: held_by(seen, lambda r: r.record),
    "method in a closure": lambda seen: held_by(
        seen, lambda r: (lambda record: lambda *call: record(*call))(r.record)
    ),
}


@pytest.mark.parametrize("how", RECORDERS)
def test_what_a_hook_gathers_is_the_copys_own(how):
    """As what the module gathers itself: it is found in the fitted module."""

    class Gathers(nn.Linear):
        def __init__(self) -> None:
            super().__init__(6, 6)
            self.seen: list = []
            self.register_forward_hook(RECORDERS[how](self.seen))

    net = nn.Sequential(Gathers(), nn.GELU(), nn.Linear(6, 3))
    fits = [solve(train(net, data("points"), RECIPE, Streams(0))) for _ in range(2)]
    assert net[0].seen == []
    gathered = [fitted.module()[0].seen for fitted in fits]
    assert gathered[0][:3] == [8, 8, 4]  # of the first epoch; what tried the module left no trace
    assert gathered[0] == gathered[1]


def test_fast_forms_are_proved():
    rows = data("images")
    asked = ("cross_entropy", rows.inputs, rows.labels)
    net = images(nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), side=3)
    assert fastest_form(net.double(), *asked) == Form(frozenset({""}), True)
    assert fastest_form(Reads("calls").double(), *asked) == Form(frozenset({"body"}), True)
    for how in ("loops", "adds", "slices"):
        assert fastest_form(Reads(how).double(), *asked).containers == frozenset()
    assert fastest_form(points().double(), *asked) == Form()


def test_a_form_that_computes_something_else_is_not_taken(monkeypatch):
    rows = data("images")
    net = images(nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), side=3).double()
    real = FusedNorm.forward
    monkeypatch.setattr(FusedNorm, "forward", lambda self, x: real(self, x) * (1 + 1e-7))
    assert fastest_form(net, "cross_entropy", rows.inputs, rows.labels) == Form(frozenset(), True)


@pytest.mark.parametrize("wrong", ["gradient", "outputs"])
def test_a_mapped_stack_that_computes_something_else_is_not_used(monkeypatch, wrong):
    monkeypatch.setattr(plan_stacks, "choose", lambda context, key, ways: "mapped")
    if wrong == "gradient":
        real = ModuleStack.loss_gradient

        def off(self, batch):
            real(self, batch)
            self.weights.gradient[3] += 1e-6

        monkeypatch.setattr(ModuleStack, "loss_gradient", off)
    else:
        outputs = ModuleStack.outputs
        monkeypatch.setattr(ModuleStack, "outputs", lambda *a: outputs(*a) * (1 + 1e-4))
    net, context = points(nn.GELU()), Context()
    cells = [train(net, data("points"), RECIPE, Streams(s)) for s in range(3)]
    together = drive(cells, context)
    (note,) = context.notes
    assert "trained one by one, not mapped" in note
    assert "off by" in note
    assert ("the mapped models' update is" in note) == (wrong == "gradient")
    for s, fitted in enumerate(together):
        single = solve(train(net, data("points"), RECIPE, Streams(s)))
        assert_close(dict(fitted.state), dict(single.state), rtol=0, atol=0)


def test_an_error_in_one_model_leaves_the_others_of_its_group(monkeypatch):
    real, models = alone.OneModule._update, []

    def update(self, batch):
        models.append(self) if self not in models else None
        if models.index(self) == 1:
            raise ValueError("no luck")
        real(self, batch)

    monkeypatch.setattr(alone.OneModule, "_update", update)
    monkeypatch.setattr(plan_stacks, "choose", lambda context, key, ways: "one by one")
    cells = [train(points(nn.GELU()), data("points"), RECIPE, Streams(s)) for s in range(3)]
    found = drive(cells, Context())
    assert [getattr(f, "status", str(f)) for f in found] == ["done", "no luck", "done"]


def test_what_changes_besides_tensors_is_in_the_fitted_module():
    net = Counts("plain")
    fitted = solve(train(net, data("points"), RECIPE, Streams(0)))
    assert net.plain == 0
    assert fitted.module().plain == 6
    assert solve(train(Counts("in place"), data("points"), RECIPE, Streams(0))).state["n"] == 6


def test_buffers_that_nothing_can_make_anew_are_told():
    class Places(nn.Linear):
        def __init__(self) -> None:
            super().__init__(6, 3)
            self.register_buffer("places", torch.arange(6.0), persistent=False)
            self.register_buffer("mask", torch.ones(6, dtype=torch.bool))

    with torch.device("meta"):
        net = Places()
    with pytest.raises(UsageError, match="no reset_parameters that initialises its places"):
        materialise(net, Streams(0), torch.float32)
    del net.places
    with pytest.raises(UsageError, match="no reset_parameters that initialises its mask"):
        materialise(net, Streams(0), torch.float32)
    own = Places()
    assert_close(materialise(own, Streams(0), torch.float64).places, own.places.double())


def test_copies_of_one_module_share_nothing():
    net = points(nn.BatchNorm1d(8))
    before = copy.deepcopy(net.state_dict())
    data_set = data("points")
    solve(train(net, data_set, RECIPE, Streams(0), evaluate={"other": data("points", 1)}))
    assert_close(dict(net.state_dict()), dict(before), rtol=0, atol=0)
    assert isinstance(data_set, Dataset)


def test_functions_that_were_replaced_are_what_is_trained(monkeypatch):
    """(`F.relu` calls itself by its name, so that a replaced one is refused instead.)"""
    real = F.linear
    monkeypatch.setattr(F, "linear", lambda *a, **k: 1.5 * real(*a, **k))
    streams, recipe = Streams(0), Recipe(epochs=3, learning_rate=0.1, precision="float64")
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3)).double()
    fitted = solve(train(net, data("points"), recipe, streams))
    right = train_in_place(copy.deepcopy(net), data("points"), recipe, streams)
    for key, value in right.state_dict().items():
        assert_close(fitted.state[key], value, rtol=1e-10, atol=1e-10)
