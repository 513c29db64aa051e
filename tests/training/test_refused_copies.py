"""Modules of which no copy can be trained in their place: refused, before anything is."""

from __future__ import annotations

import itertools
import threading
import weakref

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from overparam.errors import UsageError
from overparam.models.census import census
from overparam.streams import Streams
from overparam.training.copies import state_of
from overparam.training.fit import fit
from overparam.training.request import solve_all
from overparam.training.saved import load_fitted
from overparam.training.train import train
from tests.training.layered import DATA, RECIPE, ROWS, Layered


class CopiesAsItself:
    def __init__(self, layer) -> None:
        self.layer = layer

    def __deepcopy__(self, memo):
        return self


class Shares(Layered):
    def __init__(self, how: str) -> None:
        super().__init__()
        self.held, self.how = CopiesAsItself(self.layer), how

    def forward(self, inputs):
        if self.how == "evaluation" and self.training:
            return self.layer(inputs)
        if self.how == "without gradient":
            with torch.no_grad():
                return_to = self.held.layer.weight.mean()
            return self.layer(inputs) + return_to
        return self.held.layer(inputs)


class Forgets(Layered):
    def __deepcopy__(self, memo):
        made = Forgets(1.0)
        made.load_state_dict(self.state_dict())
        return made


class Table(Layered):
    def __init__(self) -> None:
        super().__init__()
        self.scales = {id(self.layer.weight): 3.0}

    def forward(self, inputs):
        return self.layer(inputs) * self.scales.get(id(self.layer.weight), 1.0)


class Outside(Layered):
    calls = 0

    def forward(self, inputs):
        Outside.calls += 1
        return self.layer(inputs) / Outside.calls


def told():
    """A function of this file, whose attribute is everybody's."""


def tells(module, inputs, outputs):
    told.calls = getattr(told, "calls", 0) + 1
    return outputs / told.calls


def own_attribute(module, inputs, outputs):
    own_attribute.calls = getattr(own_attribute, "calls", 0) + 1
    return outputs / own_attribute.calls


def hooked(hook):
    net = Layered()
    net.layer.register_forward_hook(hook)
    return net


class Uncopied:
    """A count that cannot be copied, as it holds a lock."""

    def __init__(self) -> None:
        self.lock, self.calls = threading.Lock(), 0

    def hook(self):
        def count(module, inputs, outputs):
            self.calls += 1
            return outputs / self.calls

        return count


def open_generator():
    numbers = (n for n in itertools.count(1))
    return lambda module, inputs, outputs: outputs / next(numbers)


class Circular(Layered):
    def __init__(self) -> None:
        super().__init__()
        self.part = nn.Identity()
        self.part.parent = weakref.proxy(self)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (hooked(tells), "gives other outputs when it is called again"),
        (hooked(own_attribute), "gives other outputs when it is called again"),
        (hooked(Uncopied().hook()), "gives other outputs when it is called again"),
        (hooked(open_generator()), "holds an iterator that cannot be copied; got 'generator'"),
        (Shares("always"), "would compute with layer.(weight|bias) of the model itself"),
        (Shares("evaluation"), "would compute with layer.(weight|bias) of the model itself"),
        (Shares("without gradient"), "would compute with layer.weight of the model itself"),
        (Forgets(), r"computes something else than the model \(evaluation mode\)"),
        (Table(), r"computes something else than the model \(evaluation mode\)"),
        (Outside(), "gives other outputs when it is called again"),
    ],
)
def test_a_copy_that_is_another_model_is_refused(model, message):
    before = state_of(model)
    with pytest.raises(UsageError, match=message):
        fit(model, DATA, RECIPE)
    assert_close(state_of(model), before, rtol=0, atol=0)
    assert all(p.grad is None for p in model.parameters())


METHODS = [
    "parameters", "named_parameters", "named_buffers", "modules", "named_modules", "children",
    "train", "_apply",
]  # fmt: skip


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("inner", [False, True])
def test_a_module_whose_own_methods_raise_is_refused(method, inner, tmp_path):
    def refuse(self, *arguments, **options):
        raise RuntimeError(f"no {method} today")

    kind = type("Raises", (Layered,), {method: refuse})
    model = nn.Sequential(kind()) if inner else kind()
    if inner and method in ("parameters", "named_parameters", "named_buffers", "modules"):
        assert fit(model, DATA, RECIPE).status == "done"  # PyTorch asks the whole alone
        return
    match = f"{type(model).__name__}.*no {method} today"
    for ask in (
        lambda: fit(model, DATA, RECIPE),
        lambda: fit(model, DATA, RECIPE, progress=lambda fraction: None),
        lambda: solve_all([train(model, DATA, RECIPE, Streams(0))] * 2),
    ):
        with pytest.raises(UsageError, match=match):
            ask()
    if method not in ("parameters", "children", "train", "_apply"):  # which nobody needs to ask
        path = fit(nn.Sequential(Layered()) if inner else Layered(), DATA, RECIPE).save(
            tmp_path / "fitted"
        )
        with pytest.raises(UsageError, match=match):
            load_fitted(path, model)


@pytest.mark.parametrize("method", ["state_dict", "load_state_dict", "to", "eval", "__repr__"])
def test_methods_that_training_does_not_need_may_raise(method, tmp_path):
    def refuse(self, *arguments, **options):
        raise RuntimeError(f"no {method} today")

    model = type("Raises", (Layered,), {method: refuse})()
    fitted = fit(model, DATA, RECIPE)
    again = load_fitted(fitted.save(tmp_path / "fitted"), model)
    if method != "eval":  # by which `Fitted.module` says what it returns
        assert torch.equal(again.outputs(ROWS), fitted.outputs(ROWS))


def test_a_weak_proxy_among_the_parts_is_refused():
    """PyTorch itself would go round in it, in `train()` and `named_parameters`."""
    for ask in (lambda net: fit(net, DATA, RECIPE), census):
        with pytest.raises(UsageError, match="a weak proxy of a module is registered"):
            ask(Circular())


def test_a_shared_parameter_is_found_by_its_gradient():
    """Where the model itself does not take the rows in its own precision."""

    class Mixed(Shares):
        def forward(self, inputs):
            return super().forward(inputs @ torch.eye(6, dtype=torch.float64))

    model = Mixed("always")
    model.held.layer.double()
    with pytest.raises(UsageError, match="of the model itself, which is not trained"):
        fit(model, DATA, RECIPE)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("make", [torch.jit.script, lambda net: torch.jit.trace(net, ROWS)])
def test_compiled_parts_are_refused(make):
    part = make(nn.Sequential(nn.Linear(6, 3), nn.Tanh()).double())
    for model in (part, nn.Sequential(part, nn.Linear(3, 3))):
        with pytest.raises(UsageError, match="TorchScript compiled cannot be copied"):
            fit(model, DATA, RECIPE)
        assert all(p.grad is None for p in model.parameters())
