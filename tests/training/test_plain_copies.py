"""Copies by attributes are the copies that `copy.deepcopy` makes, or are not made."""

from __future__ import annotations

import copy
import weakref

import pytest
import torch
from torch import nn

from overparam.models.convolutional import convnet5, preact_resnet18
from overparam.training.copies import copy_module, named_tensors
from overparam.training.describe import describe
from overparam.training.marks import Marks
from overparam.training.plain_copies import plain_copy


class Holding(nn.Module):
    """Holds plain values in every kind of container, one of them twice."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 2)
        self.same = self.layer
        self.register_buffer("mean", torch.ones(2))
        self.constant = torch.arange(3)
        self.log: list = [1, 2.5, "x"]
        self.other = {"log": self.log, 3: (1, 2)}
        self.names = {"a", "b"}
        self.log.append(self.log)

    def forward(self, inputs):
        return self.layer(self.same(inputs)) + self.mean


def tied() -> nn.Module:
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)).eval()
    net[1].weight = net[0].weight.requires_grad_(False)
    return net


@pytest.mark.parametrize(
    "make",
    [
        lambda: convnet5(4, image_size=8),
        lambda: preact_resnet18(2),
        lambda: nn.Sequential(nn.Conv2d(1, 2, 3).to(memory_format=torch.channels_last)),
        Holding,
        tied,
    ],
)
def test_it_is_what_deepcopy_makes(make):
    module = make()
    made, wanted = plain_copy(module), copy.deepcopy(module)
    assert made is not None
    assert Marks.of(made) == Marks.of(wanted)
    numbers = [{id(t) for _, t in named_tensors(m)} for m in (made, wanted, module)]
    assert numbers[0].isdisjoint(numbers[2])
    if not isinstance(module, Holding):  # which knows itself, and has no end
        assert describe(made, numbers[0]) == describe(wanted, numbers[1])
    for (name, one), (same, other) in zip(named_tensors(made), named_tensors(module), strict=True):
        assert (name, one.stride(), one.device) == (same, other.stride(), other.device)
        assert one.is_meta or (torch.equal(one, other) and one.data_ptr() != other.data_ptr())


def test_what_is_one_in_the_module_is_one_in_the_copy():
    module = Holding()
    made = plain_copy(module)
    assert made.same is made.layer
    assert made.other["log"] is made.log is made.log[-1]
    assert made.log is not module.log
    assert made.names == module.names
    assert made.names is not module.names
    assert made.constant.data_ptr() != module.constant.data_ptr()


def hooked(module):
    module.layer.register_forward_hook(lambda *of_a_call: None)


def with_a_hook_on_a_parameter(module):
    module.layer.weight.register_hook(lambda gradient: gradient)


def with_an_attribute_of_a_parameter(module):
    module.layer.weight.label = "first"


def with_parts_of_one_storage(module):
    whole = torch.zeros(4)
    module.register_buffer("head", whole[:2])
    module.register_buffer("tail", whole[2:])


def with_one_storage_twice(module):
    module.register_buffer("again", module.mean.detach())


def with_a_history(module):
    module.last = module.layer.weight * 2


def with_a_reference(module):
    module.owner = [weakref.ref(module)]


def with_a_function(module):
    module.act = torch.relu


@pytest.mark.parametrize(
    "change",
    [
        hooked, with_a_hook_on_a_parameter, with_an_attribute_of_a_parameter,
        with_parts_of_one_storage, with_one_storage_twice, with_a_history, with_a_reference,
        with_a_function,
    ],
)  # fmt: skip
def test_what_holds_more_is_left_to_deepcopy(change):
    module = Holding()
    assert plain_copy(module) is not None
    change(module)
    assert plain_copy(module) is None
    assert copy_module(module).layer.weight is not module.layer.weight


@pytest.mark.parametrize(
    "own",
    [
        {"__deepcopy__": lambda self, memo: self},
        {"__reduce__": lambda self: (Holding, ())},
        {"__getstate__": lambda self: {}},
        {"__setstate__": lambda self, state: None},
        {"__slots__": ("hidden",)},
        {"modules": lambda self, *arguments: iter([self])},
    ],
)
def test_what_is_copied_in_its_own_way_is_left_to_it(own):
    assert plain_copy(type("Own", (Holding,), own)()) is None
    assert plain_copy(nn.LSTM(2, 2)) is None
