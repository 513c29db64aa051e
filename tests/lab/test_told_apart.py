"""Values that differ in what no text and no table of tensors shows."""

from __future__ import annotations

import enum
from pathlib import Path

import pytest
import torch
from torch import nn

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
