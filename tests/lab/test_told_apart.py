"""Values that differ in what no text and no table of tensors shows."""

from __future__ import annotations

import collections
import enum
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from overparam.lab.digests import ANY_ORDER, ORDER, is_other, is_reordered
from overparam.lab.held_values import digest_of_value
from overparam.lab.reached import what_is_reached

HERE = Path(__file__).parent


def in_evaluation() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 2), nn.Dropout()).eval()


def with_buffer(value: float) -> nn.Module:
    module = nn.Identity()
    module.register_buffer("k", torch.tensor(value), persistent=False)
    return module


def of_one_line(first: bool):
    return (lambda z: z + 1) if first else (lambda z: z + 2)


class Words(dict):
    """A dict, with an attribute or another content."""

    def __init__(self, level, **words) -> None:
        super().__init__(words)
        self.level = level

    def items(self):
        return []


def with_attribute(kind, level, *content):
    thing = type("Made", (kind,), {})(*content)
    thing.level = level
    return thing


class Folder(type(Path())):  # type: ignore[misc]
    """A path that knows something."""


class Layer(nn.Module):
    def __init__(self, level) -> None:
        super().__init__()
        self.level = level

    def forward(self, inputs):
        return inputs * self.level


def parametrized(level, scale=1.0):
    layer = nn.Linear(2, 2)
    nn.init.constant_(layer.weight, scale)
    nn.init.zeros_(layer.bias)
    return nn.utils.parametrize.register_parametrization(layer, "weight", Layer(level))


def hooked(level):
    layer = Layer(1.0)
    for _ in range(3):  # hooks have numbers that count on
        layer.register_forward_hook(lambda *_: None).remove()
    layer.register_forward_hook(Layer(level).forward)
    return layer


class Slots:
    __slots__ = ("__hidden",)

    def __init__(self, hidden) -> None:
        self.__hidden = hidden


Named = collections.namedtuple("Named", "a b")
KINDS = {
    "dict with an attribute": lambda x: Words(x, a=1),
    "content of a dict of one's own": lambda x: Words(1, a=x),
    "text with an attribute": lambda x: with_attribute(str, x, "a"),
    "content of a text": lambda x: with_attribute(str, 0, str(x)),
    "list": lambda x: with_attribute(list, 0, [x]),
    "set": lambda x: with_attribute(frozenset, 0, {x}),
    "number": lambda x: with_attribute(float, 0, x),
    "whole number": lambda x: with_attribute(int, x, 1),
    "bytes": lambda x: with_attribute(bytes, 0, bytes([x])),
    "complex number": lambda x: with_attribute(complex, 0, x),
    "deque": lambda x: with_attribute(collections.deque, 0, [x]),
    "ordered": lambda x: with_attribute(collections.OrderedDict, 0, {"a": x}),
    "default": lambda x: with_attribute(collections.defaultdict, 0, [int, list][x - 1]),
    "named tuple": lambda x: Named(1, x),
    "path": lambda x: with_attribute(Folder, x, "/a"),
    "array with an attribute": lambda x: with_attribute(np.ndarray, x, (0,)),
    "matrix": lambda x: np.full((1, 2), x).view(np.matrix),
    "mask": lambda x: np.ma.masked_equal([1, 2], x),
    "type of numbers": lambda x: np.dtype(f"f{4 * x}"),
    "sparse tensor": lambda x: torch.eye(2).mul(x).to_sparse(),
    "frozen": lambda x: nn.Parameter(torch.ones(2), requires_grad=x > 1),
    "attribute of a tensor": lambda x: with_attribute(nn.Parameter, x, torch.ones(2)),
    "attribute of a layer": lambda x: nn.Sequential(Layer(x)),
    "parametrization": lambda x: parametrized(x),
    "what is parametrized": lambda x: parametrized(1, float(x)),
    "hook": lambda x: hooked(x),
    "hidden slot": lambda x: Slots(x),
    "class": lambda x: [nn.ReLU, nn.GELU][x - 1],
}


@pytest.mark.parametrize("name", KINDS)
def test_kinds_of_values_are_told_apart(name):
    first, again, other = (digest_of_value(KINDS[name](x), HERE)[0] for x in (1, 1, 2))
    assert "cannot be told" not in first
    assert is_other(first, other)
    assert not is_reordered(first, other)
    assert first == again


def test_classes_of_layers_are_code_that_is_followed():
    _, code = digest_of_value(nn.Sequential(nn.Sequential(Layer(1))), HERE)
    assert Layer in code


CHOICES = {
    "functions": (F.relu, F.gelu),
    "classes": (nn.ReLU, nn.GELU),
    "functions of one's own": (in_evaluation, with_buffer),
}


@pytest.mark.parametrize("name", CHOICES)
def test_which_function_or_class_is_held_is_told(name):
    def reached(held):
        def run():
            return held

        return what_is_reached({"run": run}, HERE).values

    first, other = map(reached, CHOICES[name])
    assert first == reached(CHOICES[name][0])
    assert first != other


ORDERED = {
    "list": ["a", "b"],
    "list of files beside the code": [str(HERE / "a"), str(HERE / "b")],
    "tuple": ("a", ("b", 1)),
    "dict": {"a": [1, 2], "b": []},
    "list of objects": [Slots(1), Slots(2)],
    "list of lists": [["a", "b"], []],
}


@pytest.mark.parametrize("name", ORDERED)
def test_another_order_is_told_from_other_contents(name):
    thing = ORDERED[name]
    turned = dict(reversed(thing.items())) if name == "dict" else type(thing)(reversed(thing))
    less = {"a": 1} if name == "dict" else thing[:1]
    first, second, other = (digest_of_value(x, HERE)[0] for x in (thing, turned, less))
    assert is_reordered(first, second)
    assert is_other(first, second)
    assert not is_reordered(first, other)
    loose = [digest.replace(ORDER, ANY_ORDER) for digest in (first, second)]
    assert not is_other(*loose)
    assert is_other(first, loose[1])
    assert not is_other(first, loose[0])


def test_numbers_have_the_order_that_they_were_given():
    first, second = (digest_of_value(x, HERE)[0] for x in ([64, 32], [32, 64]))
    assert is_other(first, second)
    assert not is_reordered(first, second)


def test_what_holds_itself_and_what_is_held_often():
    ring: list = ["a"]
    ring.append([ring, ring])
    often: list = []
    for _ in range(60):  # a description that repeats it would have 2 ** 60 parts
        often = [often, often]
    digests = [digest_of_value(x, HERE)[0] for x in (ring, often, [*ring], often[0])]
    assert len(set(digests)) == 4


@pytest.mark.parametrize("error", [RuntimeError, SystemExit, GeneratorExit])
def test_what_one_part_raises_hides_no_other(error):
    class Hostile:
        def __getattr__(self, name):
            raise error(name)

    first, other = (digest_of_value([Hostile(), x], HERE)[0] for x in (1, 2))
    assert first != other
    assert first.endswith("cannot be told: Hostile")


PAIRS = {
    "mode": (in_evaluation(), in_evaluation().train()),
    "buffer that is not saved": (with_buffer(1.0), with_buffer(2.0)),
    "value of an enum": (enum.IntEnum("Mode", {"A": 1}).A, enum.IntEnum("Mode", {"A": 2}).A),
    "lambdas of one line": ([of_one_line(True)], [of_one_line(False)]),
}


@pytest.mark.parametrize("name", PAIRS)
def test_digests_differ(name):
    first, other = (digest_of_value(value, HERE)[0] for value in PAIRS[name])
    assert first != other
    assert first == digest_of_value(PAIRS[name][0], HERE)[0]


def test_a_lambda_that_a_function_names():
    def reached(first):
        act = of_one_line(first)

        def run():
            return act(1)

        return what_is_reached({"run": run}, HERE).values

    assert reached(True) == reached(True)
    assert reached(True) != reached(False)
