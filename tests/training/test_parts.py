"""Initialisation, batches, weights and fitted models, each by itself."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from overparam.data.dataset import make_dataset
from overparam.errors import UsageError
from overparam.streams import Streams
from overparam.training.batches import Orders, Rows
from overparam.training.dense import DenseStack, dense_shape
from overparam.training.fitted import predict
from overparam.training.initialise import materialise
from overparam.training.recipe import Recipe
from overparam.training.request import solve
from overparam.training.train import train
from overparam.training.weights import StackedWeights, pads


def test_a_shape_without_weights_gets_them_from_its_stream():
    with torch.device("meta"):
        net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    state = torch.random.get_rng_state()
    one, same, other = (materialise(net, Streams(s), torch.float64) for s in (0, 0, 1))
    assert torch.equal(state, torch.random.get_rng_state())
    assert_close(one.state_dict(), same.state_dict(), rtol=0, atol=0)
    assert not torch.equal(one[0].weight, other[0].weight)
    assert one[0].weight.abs().max() <= 3**-0.5  # PyTorch's default: uniform within 1/sqrt(fan in)
    assert net[0].weight.is_meta


def test_a_layer_that_cannot_initialise_itself_is_told():
    class Scale(nn.Module):
        def __init__(self):
            super().__init__()
            self.factor = nn.Parameter(torch.ones(1))

    with torch.device("meta"):
        net = nn.Sequential(nn.Linear(3, 4), Scale())
    with pytest.raises(UsageError, match="no reset_parameters"):
        materialise(net, Streams(0), torch.float32)


@pytest.mark.parametrize(
    "net",
    [
        nn.Linear(3, 4),
        nn.Sequential(nn.Linear(3, 4), nn.ReLU()),
        nn.Sequential(nn.Linear(3, 4), nn.GELU(), nn.Linear(4, 2)),
        nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.ReLU(), nn.Linear(4, 2)),
        nn.Sequential(nn.Linear(3, 4), nn.Linear(5, 2)),
        nn.Sequential(nn.Dropout(), nn.Linear(3, 4)),
        nn.Sequential(),
    ],
)
def test_what_is_no_plain_dense_network(net):
    assert dense_shape(net) is None


def test_padding_is_exact_only_for_known_layers():
    assert pads(nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU()))
    assert not pads(nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2)))
    assert not pads(nn.Sequential(nn.Linear(2, 2), nn.Sigmoid()))  # f(0) is not 0
    assert not pads(nn.Conv2d(2, 2, 3, groups=2))


def test_stacked_weights_pad_and_give_back():
    states = [{"w": torch.full((2, 3), 1.0)}, {"w": torch.full((4, 1), 2.0)}]
    weights = StackedWeights(states, torch.float32, torch.bfloat16, torch.device("cpu"))
    assert weights.views(weights.master)["w"].shape == (2, 4, 3)
    assert weights.master.sum() == 6 + 8
    assert_close(weights.state_of(1)["w"], states[1]["w"])
    assert weights.spread([0.5, 0.5]) == 0.5
    spread = weights.views(weights.spread([0.25, 0.5]))["w"]
    assert spread[0].unique().tolist() == [0.25]
    weights.keep(torch.tensor([1]))
    assert_close(weights.state_of(0)["w"], states[1]["w"])
    assert weights.working.dtype == torch.bfloat16


def test_rows_are_gathered_as_indexed():
    base = torch.arange(20.0).view(10, 2)
    whole = make_dataset(base, list(range(10)), name="ten")
    a, b = whole.subset(torch.tensor([1, 3, 5])), whole.subset(torch.tensor([8, 0, 2]))
    cpu = torch.device("cpu")
    own = Rows([a, b], torch.float32, cpu)
    batch = own.batch(torch.tensor([[2, 0], [1, 1]]))
    assert not batch.shared
    assert_close(batch.inputs, torch.stack([base[[5, 1]], base[[0, 0]]]))
    assert batch.labels.tolist() == [[5, 1], [0, 0]]
    alike = own.batch(torch.tensor([0, 2]))
    assert alike.labels.tolist() == [[1, 5], [8, 2]]
    shared = Rows([a, a], torch.float32, cpu).batch(torch.tensor([0, 2]))
    assert shared.shared
    assert shared.labels.tolist() == [1, 5]
    relabelled = Rows([a, a.with_labels(torch.tensor([9, 9, 9]), "")], torch.float32, cpu)
    assert relabelled.batch(torch.tensor([0])).labels.tolist() == [[1], [9]]
    assert relabelled.batch(torch.tensor([0])).shared
    other_base = Rows([a, make_dataset(-base[:3], [0, 1, 2])], torch.float32, cpu)
    assert_close(other_base.batch(torch.tensor([0])).inputs, torch.stack([base[[1]], -base[[0]]]))
    own.keep(torch.tensor([1]))
    assert own.batch(torch.tensor([0])).labels.tolist() == [[8]]


def test_orders_depend_on_the_seed_alone():
    cpu = torch.device("cpu")
    both = Orders([Streams(0), Streams(1)], [7, 7], cpu)
    first = both.epoch()
    assert_close(first[0], Orders([Streams(0)], [7], cpu).epoch()[0])
    both.keep(torch.tensor([1]))
    alone = Orders([Streams(1)], [7], cpu)
    alone.epoch()
    assert_close(both.epoch(), alone.epoch())
    one, same, shorter = Orders([Streams(0)] * 3, [7, 7, 6], cpu).epoch()
    assert one is same
    assert sorted(shorter.tolist()) == list(range(6))


def test_a_fitted_model_predicts_as_its_module():
    inputs = torch.randn(30, 5, generator=torch.Generator().manual_seed(0))
    whole = make_dataset(inputs, [0, 1, 2] * 10)
    with torch.device("meta"):
        net = nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 3))
    fitted = solve(train(net, whole, Recipe(epochs=2, batch_size=10), Streams(0)))
    outputs = solve(predict(fitted, inputs))
    assert_close(outputs, fitted.module()(inputs))
    assert float((outputs.argmax(1) != whole.labels).float().mean()) == pytest.approx(
        fitted.train_error
    )
    assert fitted.best_error("train") == min(fitted.trace.error["train"])
    assert fitted.trace.first_epoch_at_error(1.0) == 2
    assert fitted.trace.first_epoch_at_error(-1.0) != fitted.trace.first_epoch_at_error(-1.0)


@pytest.mark.parametrize("shared", [True, False])
def test_rounded_products_leave_biases_and_outputs_whole(shared):
    """Large targets of little spread: from 256 on bfloat16 knows no odd numbers."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        nets = [nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 2)) for _ in range(2)]
        inputs = torch.randn(30, 8)
    for net in nets:
        nn.init.constant_(net[2].bias, 300.4)
        nn.init.constant_(net[0].bias, 0.30001)
    states = [{k: p.detach() for k, p in n.named_parameters()} for n in nets]
    weights = StackedWeights(states, torch.float32, torch.bfloat16, torch.device("cpu"))
    stack = DenseStack(dense_shape(nets[0]), weights, "squared_error")
    given = inputs if shared else inputs.expand(2, 30, 8)
    found = stack.outputs(given.bfloat16(), shared)
    for net, outputs in zip(nets, found, strict=True):
        assert_close(outputs, net(inputs).detach(), rtol=0, atol=0.03)
