"""Which numbers of a module are counted: by their kind, by their memory, and what is not known."""

import re
from collections import deque
from functools import partial
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize, prune

from overparam.models.census import census
from tests.models.test_census_modules import Applied


class Positive(nn.Module):
    def forward(self, x):
        return x.abs()


def bound(name):
    layer = nn.Linear(4, 3)
    parametrize.register_parametrization(layer, name, Positive())
    return layer


def numbered():
    net = nn.Module()
    net.weights = nn.ParameterList([nn.Parameter(torch.zeros(3, 4))])
    net.biases = nn.ParameterList([nn.Parameter(torch.zeros(3))])
    return net


@pytest.mark.parametrize(
    "layer",
    [
        nn.Linear(4, 3), bound("bias"), bound("weight"), numbered(),
        nn.utils.spectral_norm(nn.Linear(4, 3)),
        prune.l1_unstructured(nn.Linear(4, 3), "bias", 0.5),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore")
def test_weights_and_biases_by_the_name_of_what_they_are(layer):
    size = census(layer)
    assert (size.n_weights, size.n_biases) == (12, 3)


def test_a_name_that_only_contains_bias_is_none():
    net = nn.Module()
    net.unbiased = nn.Parameter(torch.zeros(5))
    net.bias_ih_l0 = nn.Parameter(torch.zeros(2))
    assert (census(net).n_weights, census(net).n_biases) == (5, 2)


def test_numbers_of_one_memory_count_once():
    embed, head = nn.Embedding(50, 8), nn.Linear(8, 50, bias=False)
    head.weight.data = embed.weight.data
    size = census(nn.Sequential(embed, head))
    assert (size.n_params, size.layers[-1].n_shared) == (400, 400)
    assert any("same memory" in note for note in size.notes)
    head.weight.data = embed.weight.data.t().contiguous().t()  # a copy
    assert census(nn.Sequential(embed, head)).n_params == 800

    flat, parts = torch.zeros(20), nn.Linear(4, 4)
    parts.weight, parts.bias = nn.Parameter(flat[:16].view(4, 4)), nn.Parameter(flat[16:])
    assert census(parts).n_params == 20  # beside each other in one memory
    parts.bias = nn.Parameter(flat[14:18])
    assert census(parts).n_params == 18  # two numbers of it are in both
    parts.weight = nn.Parameter(torch.ones(4, 1).expand(4, 4))
    assert census(parts).n_params == 4 + 4
    parts.weight, parts.bias = nn.Parameter(flat[::2]), nn.Parameter(flat[::2])
    assert census(parts).n_params == 10  # the same scattered memory
    assert not any("same memory" in note for note in census(nn.Linear(4, 4)).notes)


def _closing_over(layer):
    return lambda x: layer(x)


def _by_default(layer):
    return lambda x, *, call=layer: call(x)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"layers": [nn.Linear(3, 3)]}, "layers hold.*nn.ModuleList"),
        ({"store": {"a": (nn.Parameter(torch.zeros(2)),)}}, "store hold.*nn.ParameterList"),
        ({"scale": torch.zeros(2, requires_grad=True)}, "scale hold.*nn.Parameter"),
        ({"parts": SimpleNamespace(inner={"a": nn.Linear(3, 3)})}, "parts hold.*nn.ModuleList"),
        ({"parts": deque([nn.Linear(3, 3)])}, "parts hold"),
        ({"call": _closing_over(nn.Linear(3, 3))}, "call hold"),
        ({"call": partial(_closing_over, nn.Linear(3, 3))}, "call hold"),
        ({"call": nn.Linear(3, 3).forward}, "call hold"),
        ({"call": _by_default(nn.Linear(3, 3))}, "call hold"),
    ],
)
def test_what_is_not_registered_is_unknown(values, words):
    size = census(Applied(nn.Identity(), **values), n_train=5, input_shape=(3,))
    assert (size.n_params, size.is_complete, size.regime) == (None, False, None)
    assert re.search(words, " ".join(size.notes))
    net = Applied(nn.Identity())
    net.again = [net.linear]  # registered elsewhere
    net.call, net.method = _closing_over(net.linear), net.linear.forward
    net.kinds = partial(nn.LayerNorm, 3), nn.Linear, torch  # makes layers, and holds none
    net.itself = SimpleNamespace(owner=net)
    net.itself.circle = [net.itself]
    assert census(net).n_params == 8


@pytest.mark.filterwarnings("ignore")
def test_quantized_layers_are_unknown():
    net = nn.Sequential(nn.Linear(4, 30), nn.ReLU(), nn.Linear(30, 2))
    dynamic = torch.ao.quantization.quantize_dynamic(net, {nn.Linear}, dtype=torch.qint8)
    own = nn.Sequential(nn.Module())
    own[0].register_buffer("qweight", torch.zeros(4, dtype=torch.int8))
    for quantized in (dynamic, own, torch.jit.script(dynamic)):
        size = census(quantized, n_train=10, n_outputs=2)
        assert (size.n_params, size.is_complete, size.regime) == (None, False, None)
        assert any("quantized" in note for note in size.notes)
