"""Descriptions: what differs is told apart, what is the same is the same in every process."""

from __future__ import annotations

import enum
import functools
import subprocess
import sys
import threading
from collections import OrderedDict, defaultdict, deque
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import nn

from overparam.training.describe import (
    Undescribable,
    describe,
    describe_settings,
    same_object,
)


@dataclass
class Point:
    x: float


class Slots:
    __slots__ = ("a", "b")

    def __init__(self, a):
        self.a = a


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


def closing(over, default=1):
    return lambda x, y=default: over


def make_class(number):
    class Made:
        def f(self):
            return number

    return Made


MAKES = [
    lambda: 1, lambda: 1.0, lambda: True, lambda: None, lambda: "1", lambda: b"1", lambda: 1 + 0j,
    lambda: 0.0, lambda: -0.0, lambda: float("nan"), lambda: [1], lambda: (1,), lambda: {1},
    lambda: frozenset({1}), lambda: deque([1]), lambda: [1, [2]], lambda: [1, [3]],
    lambda: {"a": 1, "b": 2}, lambda: {"b": 2, "a": 1}, lambda: OrderedDict(a=1, b=2),
    lambda: defaultdict(list, a=1), lambda: defaultdict(set, a=1), lambda: np.float32(1),
    lambda: np.ones(2), lambda: np.ones((1, 2)), lambda: np.zeros(2), lambda: torch.ones(2),
    lambda: torch.ones(2, dtype=torch.int64), lambda: torch.zeros(2), lambda: torch.ones(1, 2),
    lambda: torch.float32, lambda: torch.device("cpu"), lambda: Point(1.0), lambda: Point(2.0),
    lambda: Slots(1), lambda: Slots(2), lambda: Colour.RED, lambda: Colour.BLUE, lambda: torch,
    lambda: closing(1), lambda: closing(2), lambda: closing([1]), lambda: closing(1, 2),
    lambda: functools.partial(max, 1), lambda: functools.partial(min, 1), lambda: torch.tanh,
    lambda: [].append, lambda: Point(1.0).__init__, lambda: nn.ReLU(), lambda: nn.LeakyReLU(0.1),
    lambda: nn.LeakyReLU(0.2), lambda: nn.MSELoss(), lambda: nn.MSELoss(reduction="none"),
    lambda: nn.CrossEntropyLoss(weight=torch.ones(2)), lambda: int, lambda: len,
    lambda: nn.CrossEntropyLoss(weight=torch.arange(2.0)),
]  # fmt: skip


def test_equal_things_are_described_alike_and_others_are_not():
    found = [describe(make()) for make in MAKES]
    assert [describe(make()) for make in MAKES] == found
    for i, one in enumerate(found):
        assert [j for j, other in enumerate(found) if other == one] == [i], i
        assert hash(one) == hash(describe(MAKES[i]()))


def test_a_class_made_twice_is_two():
    assert describe(make_class(1)()) != describe(make_class(1)())


def test_one_object_twice_is_not_two_equal_ones():
    inner = [1]
    assert describe([inner, inner]) != describe([[1], [1]])
    loop: list = []
    loop.append(loop)
    assert describe(loop) == ("list", ("again", 0))


@pytest.mark.parametrize(
    "thing",
    [
        threading.Lock(), iter([1]), torch.Generator(), np.random.default_rng(), (i for i in "a"),
        torch.ones(2, requires_grad=True), torch.ones(2, device="meta"), sys.stdout,
        torch.eye(2).to_sparse(), type("L", (list,), {})([1]),
    ],
    ids=lambda thing: type(thing).__name__,
)  # fmt: skip
def test_what_is_not_known_has_no_description(thing):
    with pytest.raises(Undescribable, match=r"of the type|no parameter"):
        describe([thing])
    module = nn.ReLU()
    module.held = thing
    assert describe_settings(module) is None


def test_a_function_that_is_not_complete_has_none():
    def outer():
        def inner():
            return later

        with pytest.raises(Undescribable, match="a function that is not complete"):
            describe(inner)
        later = 1
        return describe(inner)

    assert outer()


def test_globals_are_told_apart_by_whose_they_are():
    source = "def f(x):\n    return SLOPE * x\n"
    one, other = {"SLOPE": 1}, {"SLOPE": 2}
    exec(source, one)
    exec(source, other)
    assert describe(one["f"]) != describe(other["f"])


def test_stacked_tensors_are_described_by_their_shape():
    one, other, wide = nn.Linear(2, 3), nn.Linear(2, 3), nn.Linear(2, 4)
    key = lambda m: describe(m, {id(p) for p in m.parameters()})  # noqa: E731
    assert key(one) == key(other) != key(wide)
    assert key(one.requires_grad_(False)) != key(other)


def test_nothing_else_is_the_same_object():
    thing, other = object(), object()
    assert same_object(thing) == same_object(thing) != same_object(other)
    assert repr(same_object(thing)) == "this builtins.object"


def test_texts_are_the_same_in_every_process():
    script = (
        "import torch, functools\nfrom torch import nn\n"
        "from overparam.training.describe import describe\n"
        "def make(s):\n    return lambda x, y={'a'}: {s: (x in {1, 2, 'b', 'c'}), 'k': y}\n"
        "net = nn.Sequential(nn.Linear(2, 2), nn.GELU())\nnet.f = make(0.5)\n"
        "net.g = functools.partial(torch.tanh, out=None)\n"
        "print(describe(net, {id(p) for p in net.parameters()}))"
    )
    texts = {
        subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    }
    assert len(texts) == 1
    assert "0x" not in texts.pop()
