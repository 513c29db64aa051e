"""The copy that is trained computes what the module does."""

from __future__ import annotations

import functools
import itertools
import weakref

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from overparam.models.dense import mlp
from overparam.streams import Streams
from overparam.training.copies import copy_module, state_of
from overparam.training.fit import fit
from overparam.training.own_copy import own_copy
from tests.training.layered import DATA, RECIPE, ROWS, Layered, Slotted
from tests.training.plain_loop import train_in_place


class Child(nn.Module):
    def __init__(self, parent) -> None:
        super().__init__()
        self.parent, self.proxies = weakref.ref(parent), (weakref.proxy(parent), dead_proxy())

    def forward(self, units):
        return units * self.parent().factor

    def by_proxy(self, units):
        return units * self.proxies[0].factor / self.proxies[0].count()


def dead_proxy():
    return weakref.proxy(nn.Identity())


class Helper:
    """No module; it knows one."""

    def __init__(self, owner) -> None:
        self.owner, self.proxy = weakref.ref(owner), weakref.proxy(owner)

    def __call__(self, units):
        return units + self.owner().factor

    def by_proxy(self, units):
        return units + self.proxy.factor / self.proxy.count()


class Parent(Layered):
    """Known by its parts through weak references."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.factor, self.how, self.calls = nn.Parameter(torch.tensor(1.5)), how, 0
        self.part = Child(self)
        self.helpers = (Helper(self),)
        self.table = weakref.WeakValueDictionary(layer=self.layer)
        self.method = weakref.WeakMethod(self.child)

    def child(self, units):
        return units * self.factor

    def forward(self, inputs):
        units = self.table["layer"](inputs)
        ways = {
            "child": self.part,
            "object": self._helped,
            "method": self._method,
            "proxy": self.part.by_proxy,
            "proxy in an object": self.helpers[0].by_proxy,
        }
        return ways[self.how](units)

    def count(self):
        """Count the calls, so that each copy must ask its own."""
        self.calls += self.training
        return 1 + self.calls

    def _helped(self, units):
        return self.helpers[0](units)

    def _method(self, units):
        return self.method()(units)


class Marked(nn.Parameter):
    """A parameter of a class of its own."""


class Attached(Layered):
    """Reads what is attached to its parameter."""

    def __init__(self, kind: type) -> None:
        super().__init__()
        self.layer.weight = kind(self.layer.weight.data)
        self.layer.weight.scale = 3.0

    def forward(self, inputs):
        return self.layer(inputs) * getattr(self.layer.weight, "scale", 1.0)


class Cached(Layered):
    """Picks its layer through a cache of a bound method."""

    def __init__(self) -> None:
        super().__init__()
        self.picked = functools.lru_cache(None)(self.pick)

    def pick(self, n):
        return self.layer

    def forward(self, inputs):
        return self.picked(len(inputs))(inputs)


class Counted(Layered):
    """Scaled by a count of training passes that functions keep in their closure."""

    def __init__(self, how: str) -> None:
        super().__init__()
        count, counts = 1, [1]

        def step():
            nonlocal count
            count += 1
            counts[0] += 1
            return count

        def hook(module, inputs, outputs):
            return outputs / step() if self.training else outputs

        self.step = step
        self.read = {"variable": lambda: count, "list": lambda: counts[0], "hook": lambda: 1}[how]
        if how == "hook":
            self.layer.register_forward_hook(hook)

    def forward(self, inputs):
        if self.training:
            self.step()
        return self.layer(inputs) / self.read()


def gathering(numbers):
    """Return a module divided by how often a hook has gathered in training."""
    net, seen = Layered(), []
    append = seen.append

    def hook(module, inputs, outputs):
        if module.training:
            append(1 if numbers is None else next(numbers))
        return outputs / (1 + len(seen))

    net.layer.register_forward_hook(hook)
    return net


class Empty(Layered):
    """Has no length, and a mean in a plain attribute."""

    def __len__(self) -> int:
        return 0

    def forward(self, inputs):
        if self.training:
            self.scale = 0.5 * self.scale + 1
        return super().forward(inputs)


KINDS = {
    "weak parent": lambda: Parent("child"),
    "weak reference in an object in a tuple": lambda: Parent("object"),
    "weak method": lambda: Parent("method"),
    "weak proxy": lambda: Parent("proxy"),
    "weak proxy in an object": lambda: Parent("proxy in an object"),
    "attached": lambda: Attached(nn.Parameter),
    "attached to a class of its own": lambda: Attached(Marked),
    "cached method": Cached,
    "a variable of a closure": lambda: Counted("variable"),
    "a list of a closure": lambda: Counted("list"),
    "a variable of a hook": lambda: Counted("hook"),
    "a list in which a hook gathers": lambda: gathering(itertools.count(1)),
    "a list that a hook fills by its method": lambda: gathering(None),
    "slots": Slotted,
    "no length": Empty,
}


def made(kind):
    torch.manual_seed(3)
    return KINDS[kind]()


@pytest.mark.parametrize("kind", KINDS)
def test_a_copy_is_trained_as_the_module_is(kind):
    module, looped = made(kind), made(kind).double()
    train_in_place(looped, DATA, RECIPE, Streams(0))
    outputs = looped.eval()(ROWS)
    for _ in range(2):
        fitted = fit(module, DATA, RECIPE)
        assert_close(dict(fitted.state), state_of(looped), rtol=1e-10, atol=1e-10)
        assert_close(fitted.outputs(ROWS), outputs.detach(), rtol=1e-10, atol=1e-10)
    assert all(p.grad is None for p in module.parameters())


def test_a_family_is_copied_without_numbers():
    net = mlp(6, 8, 3)
    copied = own_copy(net)
    assert all(p.is_meta for p in copied.parameters())
    assert copied[0] is not net[0]
    assert repr(copied) == repr(net)
    assert not {id(p) for p in copied.parameters()} & {id(p) for p in net.parameters()}


def test_what_is_attached_to_a_parameter_goes_with_it_from_the_meta_device():
    with torch.device("meta"):
        net = nn.Sequential(Attached(nn.Parameter), nn.Identity())
    loss = fit(net, DATA, RECIPE).train_loss
    for parameter in net.parameters():
        vars(parameter).clear()
    assert fit(net, DATA, RECIPE).train_loss != loss


def test_functions_share_the_variables_of_a_copy():
    net = Counted("variable")
    copied = copy_module(net)
    assert [copied.step(), copied.step(), copied.read()] == [2, 3, 3]
    assert net.read() == 1
