"""Fused normalization against PyTorch's three layers, in float64."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from overparam.training.lean import lean
from overparam.training.native import normalise
from overparam.training.native.normalise import NORMALISE, FusedNorm
from tests.training.native.compiled import need_compiled


def fuse(module):
    """Return a fused copy."""
    return normalise.fuse(copy.deepcopy(module))


TOLERANCE = {"rtol": 1e-10, "atol": 1e-10}


@pytest.fixture(autouse=True)
def compiled():
    need_compiled("float64", NORMALISE)


def layers(channels, *followers):
    torch.manual_seed(0)
    norm = nn.BatchNorm2d(channels).double()
    nn.init.uniform_(norm.weight, -1, 1)
    nn.init.normal_(norm.bias)
    return nn.Sequential(norm, *followers)


def images(n, channels, height, width):
    generator = torch.Generator().manual_seed(1)
    values = torch.randn(n, height, width, channels, generator=generator, dtype=torch.float64)
    return (values * 3 + 100).permute(0, 3, 1, 2)  # a mean that is large beside the spread


def run(module, inputs):
    """Return outputs, gradients and buffers of one step of training, and outputs without."""
    inputs = inputs.detach().clone().requires_grad_()
    module.train()
    outputs = module(inputs)
    weights = torch.linspace(-1, 2, outputs.numel(), dtype=outputs.dtype).view_as(outputs)
    (outputs * weights).sum().backward()
    gradients = {k: p.grad for k, p in module.named_parameters()}
    module.eval()
    with torch.no_grad():
        measured = module(inputs)
    return outputs, inputs.grad, gradients, dict(module.named_buffers()), measured


@pytest.mark.parametrize("channels", [4, 8, 12, 16, 48])
@pytest.mark.parametrize("size", [(8, 8, 2), (9, 7, 2), (7, 7, 7), (10, 11, 3), (5, 6, 1)])
@pytest.mark.parametrize("relu", ["no ReLU", "before", "behind"])
def test_it_equals_the_layers_it_stands_for(channels, size, relu):
    height, width, window = size
    followers = [nn.MaxPool2d(window)] if window > 1 else []
    followers = {"no ReLU": followers, "before": [nn.ReLU(), *followers],
                 "behind": [*followers, nn.ReLU()]}[relu]  # fmt: skip
    plain = layers(channels, *followers)
    fused = fuse(plain)
    assert [type(part) for part in fused] == [FusedNorm, *[nn.Identity] * len(followers)]
    inputs = images(5, channels, height, width)
    assert fused[0]._library(inputs) is not None
    for found, wanted in zip(run(fused, inputs), run(plain, inputs), strict=True):
        assert_close(found, wanted, **TOLERANCE)


def test_where_nothing_is_positive_no_gradient_passes_but_that_of_the_statistics():
    plain = layers(4, nn.ReLU(), nn.MaxPool2d(2))
    with torch.no_grad():
        plain[0].bias.fill_(-100)
    outputs, gradient, *_ = run(fuse(plain), images(3, 4, 6, 6))
    assert not outputs.any()
    assert not gradient.any()


def test_what_is_not_a_number_comes_out_at_the_other_end():
    inputs = images(2, 4, 4, 4)
    inputs[0, 2, 1, 1] = torch.nan
    outputs = fuse(layers(4, nn.MaxPool2d(2), nn.ReLU())).train()(inputs)
    assert outputs[:, 2].isnan().all()
    assert not outputs[:, [0, 1, 3]].isnan().any()


@pytest.mark.parametrize(
    "inputs",
    [images(2, 4, 4, 4).contiguous(), images(2, 6, 4, 4), images(2, 4, 1, 4), images(1, 4, 1, 1)],
    ids=["channels first", "six channels", "smaller than the window", "one place"],
)
def test_what_it_does_not_know_is_left_to_pytorch(inputs):
    plain = layers(inputs.shape[1], nn.MaxPool2d(2), nn.ReLU())
    fused = fuse(plain)
    assert fused[0]._library(inputs) is None
    if min(inputs.shape[2:]) > 1:
        for found, wanted in zip(run(fused, inputs), run(plain, inputs), strict=True):
            assert_close(found, wanted, rtol=0, atol=0)
    else:
        for module in (fused, plain):
            with pytest.raises((RuntimeError, ValueError)):
                module.train()(inputs)


def test_gradients_in_evaluation_mode_are_pytorchs():
    plain = layers(4, nn.ReLU()).eval()
    found = []
    for module in (fuse(plain).eval(), plain):
        inputs = images(2, 4, 3, 3).requires_grad_()
        module(inputs).square().sum().backward()
        found.append(inputs.grad)
    assert_close(*found, **TOLERANCE)


@pytest.mark.parametrize(
    "module",
    [
        nn.Sequential(nn.BatchNorm2d(4, affine=False), nn.ReLU()),
        nn.Sequential(nn.BatchNorm2d(4, track_running_stats=False), nn.ReLU()),
        nn.Sequential(nn.BatchNorm2d(4, momentum=None), nn.ReLU()),
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.MaxPool2d(2)),
    ],
)
def test_other_normalizations_stay(module):
    assert [type(p) for p in fuse(module)] == [type(p) for p in module]


def test_only_what_follows_directly_is_taken():
    module = nn.Sequential(
        nn.BatchNorm2d(4), nn.Identity(), nn.ReLU(), nn.ReLU(), nn.MaxPool2d(2),
        nn.BatchNorm2d(4), nn.MaxPool2d(2, stride=1), nn.BatchNorm2d(4), nn.MaxPool2d((2, 3)),
        nn.BatchNorm2d(4), nn.MaxPool2d(2, padding=1), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 1),
    )  # fmt: skip
    fused = fuse(module)
    assert [(p.window, p.relu) for p in fused if isinstance(p, FusedNorm)] == [
        (1, True), (1, False), (1, False), (1, False), (1, False),
    ]  # fmt: skip
    assert [n for n, _ in fused.named_parameters()] == [n for n, _ in module.named_parameters()]
    assert [n for n, _ in fused.named_buffers()] == [n for n, _ in module.named_buffers()]
    leaning = fuse(lean(nn.Sequential(nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(3))))
    assert (leaning[0].window, leaning[0].relu) == (3, True)


def test_kernels_that_compute_something_else_are_not_used(monkeypatch):
    real = normalise._normalise

    def wrong(*arguments):
        outputs, which = real(*arguments)
        return outputs + 1, which

    monkeypatch.setattr(normalise, "_normalise", wrong)
    assert normalise._checked_library.__wrapped__("float64") is None


def test_without_a_compiler_pytorch_does_it(monkeypatch):
    plain = layers(4, nn.ReLU())
    monkeypatch.setattr(normalise, "_checked_library", lambda precision: None)
    inputs = images(2, 4, 3, 3)
    for found, wanted in zip(run(fuse(plain), inputs), run(plain, inputs), strict=True):
        assert_close(found, wanted, rtol=0, atol=0)
