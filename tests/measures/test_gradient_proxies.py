"""EL2N, gradients of the last layer and of the whole model, curvature: held against autograd."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from overparam.errors import DataError, UsageError
from overparam.measures import (
    el2n,
    gradient_norm,
    input_curvature,
    last_layer_gradient_norm,
    last_layer_self_influence,
)
from overparam.streams import Streams


def network(seed=0, n_classes=3, bias=True):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, n_classes, bias)).double()


def draw(n=7, n_classes=3, seed=0):
    rng = np.random.default_rng(seed)
    x = torch.from_numpy(rng.standard_normal((n, 4)))
    return x, torch.from_numpy(rng.integers(n_classes, size=n))


def gradients_by_autograd(model, parameters, x, y):
    found = []
    for i in range(len(x)):
        loss = F.cross_entropy(model(x[i : i + 1]), y[i : i + 1])
        found.append(torch.cat([g.flatten() for g in torch.autograd.grad(loss, parameters)]))
    return torch.stack(found)


@pytest.mark.parametrize("bias", [True, False])
def test_last_layer_is_autograd(bias):
    model, (x, y) = network(bias=bias), draw()
    features, logits = model[:2](x), model(x)
    expected = gradients_by_autograd(model, list(model[2].parameters()), x, y).norm(dim=1)
    found = last_layer_gradient_norm(logits, y, features, bias=bias)
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_self_influence_is_tracin_over_checkpoints():
    x, y = draw()
    models, rates = [network(seed) for seed in range(3)], [0.1, 0.2, 0.4]
    expected = sum(
        rate * gradients_by_autograd(m, list(m[2].parameters()), x, y).square().sum(1)
        for m, rate in zip(models, rates, strict=True)
    )
    logits = torch.stack([m(x) for m in models])
    features = torch.stack([m[:2](x) for m in models])
    found = last_layer_self_influence(logits, y, features, rates)
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    one = last_layer_self_influence(logits[0], y, features[0], 0.1)
    first = last_layer_gradient_norm(logits[0], y, features[0])
    np.testing.assert_allclose(one, 0.1 * first**2, rtol=1e-12)
    everywhere = last_layer_self_influence(logits, y, features, 0.1)
    np.testing.assert_allclose(
        everywhere, last_layer_self_influence(logits, y, features, [0.1] * 3), rtol=1e-12
    )


def test_a_step_on_a_row_lowers_its_loss_by_its_self_influence():
    model, (x, y) = network(), draw()
    rate, before = 1e-6, F.cross_entropy(model(x), y, reduction="none").detach()
    influence = last_layer_self_influence(model(x), y, model[:2](x), rate)
    for i in range(len(x)):
        moved = network()
        parameters = list(moved[2].parameters())
        loss = F.cross_entropy(moved(x[i : i + 1]), y[i : i + 1])
        with torch.no_grad():
            for p, g in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
                p -= rate * g
        after = F.cross_entropy(moved(x[i : i + 1]), y[i : i + 1])
        assert (before[i] - after).item() == pytest.approx(influence[i], rel=1e-4)


def test_el2n_by_loop_and_over_runs():
    x, y = draw()
    logits = torch.stack([network(seed)(x) for seed in range(4)])
    errors = logits.softmax(-1) - F.one_hot(y, 3)
    np.testing.assert_allclose(el2n(logits[0], y), errors[0].detach().norm(dim=1), rtol=1e-10)
    expected = errors.detach().norm(dim=2).mean(0)
    np.testing.assert_allclose(el2n(logits, y), expected, rtol=1e-10)


def test_el2n_invariances_and_its_ends():
    x, y = draw()
    logits = network()(x).detach().numpy()
    order = np.random.default_rng(0).permutation(7)
    classes = np.array([2, 0, 1])
    np.testing.assert_allclose(el2n(logits + 5.0, y), el2n(logits, y), rtol=1e-10)
    np.testing.assert_array_equal(el2n(logits[order], y[order]), el2n(logits, y)[order])
    permuted = logits[:, np.argsort(classes)]
    np.testing.assert_allclose(el2n(permuted, classes[y]), el2n(logits, y), rtol=1e-12)
    ends = el2n([[0.0, 1000.0], [0.0, 40.0], [np.inf, 0], [np.nan, 0]], [0, 1, 0, 0])
    np.testing.assert_allclose(ends, [2**0.5, 2**0.5 * np.exp(-40), np.nan, np.nan], rtol=1e-9)


def test_gradient_norm_is_autograd_and_bounds_the_last_layer():
    model, (x, y) = network(), draw()
    expected = gradients_by_autograd(model, list(model.parameters()), x, y).norm(dim=1)
    found = gradient_norm(model, x, y)
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    last = last_layer_gradient_norm(model(x), y, model[:2](x))
    assert (found >= last).all()
    model[0].requires_grad_(False)
    np.testing.assert_allclose(gradient_norm(model, x, y), last, rtol=1e-10)


def hessians(model, x, y):
    def loss(row, label):
        return F.cross_entropy(model(row[None]), label[None])

    pairs = zip(x, y, strict=True)
    return [torch.autograd.functional.hessian(lambda r, c=c: loss(r, c), row) for row, c in pairs]


def test_curvature_is_hessian_times_signs():
    model, (x, y) = network(), draw()
    found = input_curvature(model, x, y, Streams(3), step=1e-6, n_probes=5) / 1e-6
    signs = 2 * Streams(3).numpy("curvature").integers(2, size=(7, 5, 4)) - 1
    for i, h in enumerate(hessians(model, x, y)):
        products = torch.from_numpy(signs[i]).double() @ h
        assert found[i] == pytest.approx(float(products.norm(dim=1).mean()), rel=1e-4)


def test_many_probes_stay_under_the_root_of_the_trace():
    model, (x, y) = network(), draw()
    found = input_curvature(model, x, y, Streams(0), step=1e-5, n_probes=400) / 1e-5
    roots = np.array([float(h.square().sum().sqrt()) for h in hessians(model, x, y)])
    assert (found < roots * 1.1).all()  # E|Hv| <= sqrt(E|Hv|^2) = sqrt(tr H^2)
    assert (found > roots * 0.5).all()


def test_curvature_does_not_depend_on_batches_but_for_the_mean():
    model, (x, y) = network(), draw()
    whole = input_curvature(model, x, y, Streams(1))
    for batch_size in (1, 2, 3, 7):
        cut = input_curvature(model, x, y, Streams(1), batch_size=batch_size)
        np.testing.assert_allclose(cut, whole, rtol=1e-8)
    mean = input_curvature(model, x, y, Streams(1), batch_size=5, reduction="mean")
    np.testing.assert_allclose(mean, whole / [5, 5, 5, 5, 5, 2, 2], rtol=1e-8)
    assert not np.allclose(input_curvature(model, x, y, Streams(2)), whole)


def test_images_and_own_losses():
    x = torch.from_numpy(np.random.default_rng(0).standard_normal((3, 1, 5, 5)))
    with torch.random.fork_rng():
        model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(18, 3)).double()
    y = torch.tensor([0, 1, 2])
    assert input_curvature(model, x, y, Streams(0)).shape == (3,)
    flat = nn.Sequential(nn.Unflatten(1, (1, 5, 5)), model)
    np.testing.assert_allclose(
        input_curvature(flat, x.flatten(1), y, Streams(0)), input_curvature(model, x, y, Streams(0))
    )
    own = gradient_norm(model, x, y, loss=lambda f, c: F.cross_entropy(f, c, reduction="none"))
    np.testing.assert_allclose(own, gradient_norm(model, x, y), rtol=1e-10)
    squared = gradient_norm(model, x, y, loss="squared_error")
    assert (squared != own).all()


@pytest.mark.parametrize(
    "score", [gradient_norm, lambda m, x, y: input_curvature(m, x, y, Streams(0))]
)
def test_the_model_is_left_as_it_was(score):
    model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Dropout(0.5)).double()
    model[1].eval()  # an exception that its owner made
    model[0].weight.grad = torch.ones_like(model[0].weight)
    x, y = draw()
    state, moved = {k: v.clone() for k, v in model.state_dict().items()}, torch.get_rng_state()
    with torch.no_grad():  # where somebody has switched gradients off
        first = score(model, x, y)
    np.testing.assert_array_equal(score(model, x, y), first)
    assert torch.equal(torch.get_rng_state(), moved)
    assert (model.training, model[0].training, model[1].training) == (True, True, False)
    assert all(torch.equal(v, state[k]) for k, v in model.state_dict().items())
    assert torch.equal(model[0].weight.grad, torch.ones(3, 4).double())
    assert not x.requires_grad


def test_a_model_that_raises_is_put_back():
    model = nn.Sequential(nn.Linear(5, 3)).double()
    x, y = draw()
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        gradient_norm(model, x, y)
    assert model.training


def test_diverged_rows_are_nan():
    model, (x, y) = network(), draw()
    x[2] = torch.nan
    for found in (gradient_norm(model, x, y), input_curvature(model, x, y, Streams(0))):
        np.testing.assert_array_equal(np.isnan(found), np.arange(7) == 2)
    features = np.ones((2, 3))
    features[1, 0] = np.inf
    found = last_layer_gradient_norm([[2.0, 0], [2, 0]], [0, 0], features)
    np.testing.assert_array_equal(np.isnan(found), [False, True])


LOGITS, LABELS, FEATURES = np.eye(3)[:2] - 1, [0, 1], np.ones((2, 4))
X, Y = draw()


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (lambda: el2n(np.full((2, 2), 0.5), LABELS), DataError, "probabilities, not logits"),
        (lambda: el2n(np.zeros((2, 1)), LABELS), DataError, "one logit per class"),
        (lambda: el2n(LOGITS, [0, 3]), DataError, r"labels must be.*0\.\.2"),
        (lambda: el2n(LOGITS, [0, 0.5]), DataError, "labels must be whole numbers"),
        (lambda: el2n(LOGITS, [0]), DataError, "another number of rows"),
        (lambda: el2n(LOGITS[0], LABELS), DataError, r"wrong shape.*\[n, K\]"),
        (
            lambda: last_layer_gradient_norm(LOGITS, LABELS, FEATURES[:1]),
            DataError,
            "features and logits do not fit",
        ),
        (
            lambda: last_layer_self_influence(LOGITS, LABELS, FEATURES, [0.1, 0.1]),
            DataError,
            "learning rates do not fit",
        ),
        (
            lambda: last_layer_self_influence(LOGITS, LABELS, FEATURES, 0.0),
            DataError,
            "learning rates do not fit.*all > 0",
        ),
        (
            lambda: last_layer_self_influence(LOGITS, LABELS, FEATURES, np.inf),
            DataError,
            "learning rates must be finite",
        ),
        (lambda: gradient_norm(nn.Flatten(), X, Y), UsageError, "no parameters to be trained"),
        (lambda: gradient_norm(network(), X, Y, loss="hinge"), UsageError, "unknown loss"),
        (lambda: gradient_norm(network(), X.long(), Y), DataError, "inputs must be a floating"),
        (
            lambda: gradient_norm(network(), X.numpy(), Y),
            DataError,
            "tensor; got 'ndarray'",
        ),
        (lambda: gradient_norm(network(), X, Y + 3), DataError, "index the model's outputs"),
        (lambda: gradient_norm(network(), X, Y[:2]), DataError, "another number of rows"),
        (
            lambda: gradient_norm(nn.Sequential(network(), nn.Flatten(0)), X, Y),
            DataError,
            "does not return outputs of every row",
        ),
        (
            lambda: gradient_norm(network(), X, Y, loss=F.cross_entropy),
            DataError,
            "loss must be that of every row.*reduction='none'",
        ),
        (lambda: input_curvature(network(), X, Y, 0), UsageError, "come from streams"),
        (lambda: input_curvature(network(), X, Y, Streams(0), step=0), UsageError, "step is out"),
        (
            lambda: input_curvature(network(), X, Y, Streams(0), n_probes=0),
            UsageError,
            "n_probes is out",
        ),
        (
            lambda: input_curvature(network(), X, Y, Streams(0), batch_size=0),
            UsageError,
            "batch_size is out",
        ),
        (
            lambda: input_curvature(network(), X, Y, Streams(0), reduction="max"),
            UsageError,
            "unknown reduction",
        ),
    ],
)
def test_errors(call, kind, words):
    with pytest.raises(kind, match=words):
        call()
