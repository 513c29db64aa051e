import torch
from torch import nn

from overparam.measures.layer_images import layer_activations, layer_images, leading_component
from overparam.models import mlp, same_convnet
from overparam.streams import Streams
from overparam.training.initialise import materialise


def test_activations_are_those_of_a_forward_pass_by_hand():
    net = materialise(same_convnet(3, 4), Streams(0), torch.float32)
    inputs = torch.rand(2, 1, 8, 8)
    first = torch.relu(net[0](inputs))
    second = torch.relu(net[2](first))
    found = layer_activations(net, inputs)
    assert len(found) == 2
    assert torch.equal(found[0], first)
    assert torch.equal(found[1], second)


def test_inplace_nonlinearities_are_seen_after_they_worked():
    net = nn.Sequential(nn.Conv2d(1, 3, 1), nn.ReLU(inplace=True), nn.Conv2d(3, 1, 1))
    (found,) = layer_activations(net, torch.randn(2, 1, 4, 4))
    assert found.min() >= 0


def test_linear_networks_have_hidden_layers_too():
    net = materialise(
        mlp(9, [9, 18], 9, activation="identity", bias=False), Streams(0), torch.float32
    )
    images = layer_images(net, torch.rand(2, 1, 3, 3))
    assert [tuple(i.shape) for i in images] == [(2, 3, 3), (2, 6, 3)]


def test_no_hooks_are_left():
    net = nn.Sequential(nn.Conv2d(1, 1, 1), nn.ReLU(), nn.Conv2d(1, 1, 1))
    layer_images(net, torch.rand(1, 1, 4, 4))
    assert all(not part._forward_hooks for part in net.modules())


def test_tokens_are_left_out():
    net = nn.Sequential(nn.Flatten(2), nn.Linear(16, 5), nn.Flatten(), nn.Linear(5, 4))
    assert layer_images(net, torch.rand(2, 1, 4, 4)) == []


def test_the_leading_component_is_the_best_rank_one_fit():
    a = torch.randn(3, 6, 5, 5).double()
    found = leading_component(a, 5).flatten(1)
    for image, v in zip(a.flatten(2), found, strict=True):
        values = torch.linalg.svdvals(image)
        unit = v / v.norm()
        residual = image - (image @ unit)[:, None] * unit
        torch.testing.assert_close(residual.norm(), values[1:].norm())
        torch.testing.assert_close(v.norm(), values[0])
        assert (image @ unit).sum() >= 0


def test_units_that_fill_no_rectangle():
    found = leading_component(torch.arange(7.0)[None], 4)
    assert found.shape == (1, 2, 4)
    assert found.isnan().sum() == 1
