"""The copy that is trained: it is taken when it is asked for, and computes what the module does."""

from __future__ import annotations

import functools
import itertools
import random
import threading
import weakref

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.testing import assert_close

from overparam.data.dataset import make_dataset
from overparam.errors import UsageError
from overparam.models.census import census
from overparam.models.dense import mlp
from overparam.streams import Streams
from overparam.training.copies import copy_module, state_of
from overparam.training.fit import fit
from overparam.training.own_copy import own_copy
from overparam.training.recipe import Recipe
from overparam.training.remembered import Remembered
from overparam.training.request import solve_all
from overparam.training.saved import load_fitted
from overparam.training.train import train
from tests.training.plain_loop import train_in_place

RECIPE = Recipe(epochs=2, learning_rate=0.1, batch_size=10, precision="float64")
ROWS = torch.randn(26, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
DATA = make_dataset(ROWS, torch.arange(26) % 3, name="points")


class Layered(nn.Module):
    """A layer, scaled by a number."""

    def __init__(self, scale: float = 2.0) -> None:
        super().__init__()
        self.layer, self.scale = nn.Linear(6, 3), scale

    def forward(self, inputs):
        return self.layer(inputs) * self.scale


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


class Slotted(nn.Module):
    __slots__ = ("__hidden", "scale")

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.scale, self.__hidden = nn.Linear(6, 3), 2.0, 0.5

    def forward(self, inputs):
        return self.layer(inputs) * self.scale + self.__hidden


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


def test_what_a_cell_changes_later_does_not_reach_its_request():
    def cell(model, change, values):
        async def fits():
            found = []
            for value in values:
                change(model, value)
                found.append(await train(model, DATA, RECIPE, Streams(0)))
            return found

        return fits()

    def weigh(model, value):
        with torch.no_grad():
            model[0].weight[0].fill_(value)

    def scale(model, value):
        model.scale = value

    for model, change in ((Slotted(), scale), (nn.Sequential(nn.Linear(6, 3)), weigh)):
        pairs = solve_all([cell(model, change, (1.0, 2.0)), cell(model, change, (3.0, 4.0))])
        fits = [f for pair in pairs for f in pair]
        kept = [f.outputs(ROWS) for f in fits]
        for value, fitted, outputs in zip((1.0, 2.0, 3.0, 4.0), fits, kept, strict=True):
            change(model, value)
            again = fit(model, DATA, RECIPE)
            assert_close(fitted.train_loss, again.train_loss)
            assert_close(outputs, again.outputs(ROWS))
            assert torch.equal(fitted.outputs(ROWS), outputs)


def test_a_fitted_model_that_was_loaded_has_its_own_module(tmp_path):
    model = Slotted()
    path = fit(model, DATA, RECIPE).save(tmp_path / "fitted")
    loaded = load_fitted(path, model)
    before = loaded.outputs(ROWS)
    model.scale = 7.0
    assert torch.equal(loaded.outputs(ROWS), before)


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


def test_a_smaller_last_batch_is_tried():
    class Drops(Layered):
        def __init__(self, n: int) -> None:
            super().__init__()
            self.n = n

        def forward(self, inputs):
            outputs = super().forward(inputs)
            return outputs[:-1] if len(inputs) == self.n else outputs

    with pytest.raises(UsageError, match="number of rows than its inputs; got 5; allowed: 6"):
        fit(Drops(6), DATA, RECIPE)
    for n in (100, 3000):  # found before training, and when it is measured
        many = make_dataset(torch.randn(n, 6), torch.arange(n) % 3)
        with pytest.raises(UsageError, match=f"number of rows than its inputs; got {n - 1}"):
            fit(Drops(n), DATA, RECIPE, evaluate=many)


class Weighted(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(2.0))

    def forward(self, outputs, labels):
        return self.weight * F.cross_entropy(outputs, labels, reduction="none")

    def value(self, outputs, labels):
        return self(outputs, labels)


class Holds:
    def __init__(self, loss) -> None:
        self.loss = loss

    def __call__(self, outputs, labels):
        return self.loss(outputs, labels)


@pytest.mark.parametrize(
    "model", [Layered(), nn.Sequential(nn.Linear(6, 3)), nn.Sequential(nn.Linear(6, 3), nn.GELU())]
)
def test_the_parameters_of_a_loss_stay_as_they_are(model):
    loss = Weighted()
    partial = functools.partial(lambda o, y, part: part(o, y), part=loss)
    losses = (loss, loss.value, partial, lambda o, y: loss(o, y), Holds(loss))
    found = {fit(model, DATA, Recipe(epochs=1, loss=own)).train_loss for own in losses}
    assert len(found) == 1
    assert loss.weight.grad is None
    assert loss.weight.requires_grad


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("make", [torch.jit.script, lambda net: torch.jit.trace(net, ROWS)])
def test_compiled_parts_are_refused(make):
    part = make(nn.Sequential(nn.Linear(6, 3), nn.Tanh()).double())
    for model in (part, nn.Sequential(part, nn.Linear(3, 3))):
        with pytest.raises(UsageError, match="TorchScript compiled cannot be copied"):
            fit(model, DATA, RECIPE)
        assert all(p.grad is None for p in model.parameters())


def test_what_was_remembered_is_put_back():
    def counting(start):
        def count():
            nonlocal start
            start += 1
            return start

        return count

    net = Layered()
    net.count, net.things, net.marks, net.array = counting(0), [1, {"a": 2}], {1}, np.ones(2)
    net.draws = (random.Random(0), np.random.default_rng(0))
    net.partial = functools.partial(lambda kept: kept.append(1), [])
    remembered = Remembered(net)
    assert remembered.complete
    first = [net.count(), net.draws[0].random(), net.draws[1].random()]
    net.things[1]["a"], net.array[0] = 3, 5
    net.things.append(4)
    net.marks.add(2)
    net.partial()
    net.scale, net.new = 5, 1
    net.layer.weight.data.zero_()
    net.layer.weight.requires_grad_(False)
    net.layer.bias.grad = torch.ones(3)
    remembered.put_back()
    assert [net.count(), net.draws[0].random(), net.draws[1].random()] == first
    assert (net.things, net.marks, net.array.tolist()) == ([1, {"a": 2}], {1}, [1, 1])
    assert (net.partial.args, net.scale, hasattr(net, "new")) == (([],), 2.0, False)
    assert net.layer.weight.requires_grad
    assert bool(net.layer.weight.any())
    assert net.layer.bias.grad is None
    net.things.append(iter([1]))
    assert not Remembered(net).complete


def test_functions_share_the_variables_of_a_copy():
    net = Counted("variable")
    copied = copy_module(net)
    assert [copied.step(), copied.step(), copied.read()] == [2, 3, 3]
    assert net.read() == 1
