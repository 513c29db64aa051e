"""DP-SGD against loops row by row, against plain gradient descent, and against its own account."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

import overparam as op
from overparam.errors import UsageError
from overparam.measures import estimate_advantage
from overparam.models import mlp
from overparam.theory import SubsampledGaussian
from overparam.training.fit_estimator import check_repeatable
from overparam.training.private import PrivateSgd
from overparam.training.row_gradients import clipped_sum

N, D, K = 40, 3, 3
GENERATOR = torch.Generator().manual_seed(0)
INPUTS = torch.randn(N, D, generator=GENERATOR, dtype=torch.float64)
LABELS = torch.randint(0, K, (N,), generator=GENERATOR)
DATA = op.make_dataset(INPUTS, LABELS, n_classes=K, name="some rows")
ROWS = np.arange(0, N, 2)


def network():
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(D, 5), nn.Tanh(), nn.Linear(5, K)).double()


def private(model=None, data=DATA, **settings):
    defaults = {
        "n_steps": 5,
        "sampling_rate": 0.5,
        "batch_size": 10,
        "clip_norm": 1.0,
        "noise_multiplier": 1.0,
        "learning_rate": 0.1,
    }
    return PrivateSgd(model or mlp(D, 5, K), data, **{**defaults, **settings})


def weights_of(module):
    return {name: p.detach() for name, p in module.named_parameters()}


def row_by_row(module, inputs, labels, clip_norm):
    """The sum of clipped gradients, one backward pass a row."""
    total = {name: torch.zeros_like(p) for name, p in module.named_parameters()}
    for row, label in zip(inputs, labels, strict=True):
        module.zero_grad()
        nn.functional.cross_entropy(module(row[None]), label[None]).backward()
        whole = torch.cat([p.grad.flatten() for p in module.parameters()])
        for name, p in module.named_parameters():
            total[name] += p.grad * min(1.0, clip_norm / float(whole.norm()))
    return total


@pytest.mark.parametrize("clip_norm", [0.01, 0.8, 1e6])
def test_clipped_sums_are_those_of_a_loop_over_rows(clip_norm):
    module = network()
    found = clipped_sum(module, weights_of(module), INPUTS, LABELS, clip_norm)
    expected = row_by_row(module, INPUTS, LABELS, clip_norm)
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-10, atol=1e-12)


def test_sums_in_parts_are_the_same(monkeypatch):
    module = network()
    whole = clipped_sum(module, weights_of(module), INPUTS, LABELS, 0.5)
    monkeypatch.setattr("overparam.training.row_gradients._MOST_NUMBERS", 7 * 38)  # seven rows
    parts = clipped_sum(module, weights_of(module), INPUTS, LABELS, 0.5)
    for name, value in whole.items():
        torch.testing.assert_close(parts[name], value, rtol=1e-10, atol=1e-12)
    nobody = clipped_sum(module, weights_of(module), INPUTS[:0], LABELS[:0], 0.5)
    assert all(not bool(value.any()) for value in nobody.values())


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
def test_one_row_moves_the_sum_by_no_more_than_the_clipping_length(scale):
    """However large its inputs are: what the noise is measured by."""
    module = network()
    inputs = torch.cat([INPUTS, scale * INPUTS[:1]])
    labels = torch.cat([LABELS, (LABELS[:1] + 1) % K])
    without = clipped_sum(module, weights_of(module), INPUTS, LABELS, 0.3)
    within = clipped_sum(module, weights_of(module), inputs, labels, 0.3)
    moved = torch.cat([(within[name] - without[name]).flatten() for name in without]).norm()
    assert moved <= 0.3 * (1 + 1e-9)


def test_without_noise_or_clipping_and_with_all_rows_it_is_gradient_descent():
    subset = DATA.subset(torch.from_numpy(ROWS))
    whole = private(
        network(),
        subset,
        n_steps=30,
        sampling_rate=1.0,
        batch_size=len(ROWS),
        clip_norm=1e6,
        noise_multiplier=0.0,
        learning_rate=0.5,
    )
    found = op.fit(whole, subset)
    recipe = op.Recipe(epochs=30, batch_size=None, learning_rate=0.5)
    plain = op.fit(network(), subset, recipe)
    np.testing.assert_allclose(
        found.predict_proba(INPUTS.numpy()), plain.predict_proba(INPUTS.numpy()), atol=1e-5
    )


def test_noise_has_the_spread_that_it_is_said_to_have():
    """Of gradients that are 0 only the noise is left: weights walk at random."""
    model = nn.Linear(D, 1000)
    nn.init.zeros_(model.weight)
    nn.init.zeros_(model.bias)
    data = op.make_dataset(torch.zeros(10, D), torch.zeros(10, dtype=torch.int64), n_classes=1000)
    walk = private(model, data, n_steps=20, noise_multiplier=3.0, clip_norm=1e-6, batch_size=5)
    # With gradients of length 1e-6 beside noise of 3e-6 in each of 4,000 coordinates.
    predict = walk(np.arange(10), 7)
    weights = torch.cat([p.flatten() for p in predict.args[0].parameters()]).detach()
    expected = 0.1 * 3e-6 * 20**0.5 / 5
    error = 4 / (2 * weights.numel()) ** 0.5
    assert float(weights.std()) == pytest.approx(expected, rel=error + 0.01)


def test_rows_are_drawn_each_by_itself(monkeypatch):
    sizes = []

    def record(module, weights, inputs, labels, clip_norm):
        sizes.append(len(inputs))
        return clipped_sum(module, weights, inputs, labels, clip_norm)

    monkeypatch.setattr("overparam.training.private.clipped_sum", record)
    private(n_steps=400, sampling_rate=0.3)(np.arange(N), 3)
    mean, variance = np.mean(sizes), np.var(sizes)
    assert mean == pytest.approx(N * 0.3, abs=4 * (N * 0.21 / 400) ** 0.5)
    # A binomial's: batches of one size would have none.
    assert variance == pytest.approx(N * 0.21, rel=4 * (2 / 400) ** 0.5)


def test_it_is_repeated_by_its_seed_and_disturbs_nothing():
    op.solve(check_repeatable(private(), DATA, op.Streams(0)))
    model = network()
    state = torch.random.get_rng_state()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    one, same, other = (private(model)(ROWS, seed)(INPUTS) for seed in (1, 1, 2))
    assert (one == same).all()
    assert (one != other).any()
    assert (torch.random.get_rng_state() == state).all()
    assert all((model.state_dict()[name] == value).all() for name, value in before.items())


def test_frozen_parameters_stay_and_dropout_is_known():
    model = nn.Sequential(nn.Linear(D, 5), nn.ReLU(), nn.Dropout(0.5), nn.Linear(5, K))
    model[0].weight.requires_grad_(False)
    trained = private(model)(ROWS, 1).args[0]
    assert (trained[0].weight == model[0].weight).all()
    assert (trained[3].weight != model[3].weight).any()
    assert not trained.training


def test_an_ensemble_is_made_of_it():
    ensemble = op.subset_ensemble(private(), INPUTS.numpy(), LABELS.numpy(), n_models=4, workers=0)
    assert ensemble.memorization_scores().estimate.shape == (N,)


def test_an_attack_stays_below_the_account_of_an_update():
    """One row, one update, the attacker who knows all else: the loss of the row alone."""
    inputs, labels = torch.ones(2, 1), torch.tensor([0, 1])
    model = nn.Linear(1, 2)
    nn.init.zeros_(model.weight)
    nn.init.zeros_(model.bias)
    data = op.make_dataset(inputs, labels, n_classes=2)
    update = private(
        model, data, n_steps=1, sampling_rate=1.0, batch_size=1, clip_norm=0.5, learning_rate=1.0
    )
    inside = np.arange(1000) % 2 == 0
    scores = [
        float(update(np.array([1, 0] if member else [1]), seed)(inputs[:1])[0, 0])
        for seed, member in enumerate(inside)
    ]
    found = estimate_advantage(np.array(scores), inside)
    # The shift is one clipped gradient, of length 1/2, in noise of 1/2.
    exact = 2 * 0.691462 - 1  # Phi(1/2)
    assert found.low < exact < found.high
    assert found.high < SubsampledGaussian(1.0, 1.0, 1).bound(1e-5).advantage


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"n_steps": 0}, "n_steps is out of range"),
        ({"sampling_rate": 0.0}, "sampling_rate is out of range"),
        ({"sampling_rate": 1.5}, "sampling_rate is out of range"),
        ({"batch_size": 0}, "batch_size is out of range"),
        ({"clip_norm": 0.0}, "clip_norm is out of range"),
        ({"noise_multiplier": -1.0}, "noise_multiplier is out of range"),
        ({"learning_rate": 0.0}, "learning_rate is out of range"),
        ({"noise_multiplier": float("inf")}, r"out of range; got inf; allowed: \[0, inf\)"),
        ({"data": (INPUTS, LABELS)}, "DP-SGD needs rows of classes"),
        ({"data": op.make_dataset(INPUTS, INPUTS, n_classes=None)}, "DP-SGD needs rows of classes"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, match):
    with pytest.raises(UsageError, match=match):
        private(**settings)


class Head(nn.Module):
    """A layer that is given the batch as a function leaves it."""

    def __init__(self, of_batch):
        super().__init__()
        self.of_batch, self.out = of_batch, nn.Linear(D, K)
        nn.init.zeros_(self.out.weight)  # behind which everything would hide

    def forward(self, rows):
        return self.out(self.of_batch(self, rows))


def centred_in_training(module, rows):
    """Beside layers that draw."""
    rows = nn.functional.dropout(rows, 0.5, module.training)
    return rows - rows.mean(0) if module.training and len(rows) > 1 else rows


@pytest.mark.parametrize(
    ("model", "when"),
    [
        (nn.Sequential(nn.Linear(D, 5), nn.BatchNorm1d(5), nn.Linear(5, K)), "in training"),
        (Head(lambda module, rows: rows - rows.mean(0)), "in training"),
        (Head(lambda module, rows: rows / rows.abs().max()), "in training"),
        (Head(lambda module, rows: rows.softmax(0)), "in training"),
        (Head(centred_in_training), "in training"),
        (Head(lambda m, rows: rows if m.training else rows - rows.mean(0)), "when it is asked"),
    ],
)
def test_models_of_which_rows_decide_each_others_outputs_are_refused(model, when):
    with pytest.raises(UsageError, match=rf"treat every row by itself.*{when} depend.*group"):
        op.fit(private(model), DATA)


class Recurrent(nn.Module):
    """Which `torch.func` cannot map over rows."""

    def __init__(self):
        super().__init__()
        self.gru, self.out = nn.GRU(1, 4, batch_first=True), nn.Linear(4, K)

    def forward(self, rows):
        return self.out(self.gru(rows[..., None])[0][:, -1])


def frozen_norm():
    model = nn.Sequential(nn.Linear(D, 5), nn.BatchNorm1d(5), nn.Tanh(), nn.Linear(5, K))
    model[1].running_mean.fill_(0.5)
    model[1].eval()
    return model


@pytest.mark.parametrize("make", [Recurrent, frozen_norm])
def test_whatever_treats_each_row_by_itself_is_trained_as_in_a_loop(make):
    torch.manual_seed(1)
    model = make()
    settings = {"sampling_rate": 1.0, "noise_multiplier": 0.0, "clip_norm": 0.5}
    found = op.fit(private(model, **settings), DATA)
    plain, inputs = copy.deepcopy(model), INPUTS.float()
    for _ in range(5):
        total = row_by_row(plain, inputs, LABELS, 0.5)
        with torch.no_grad():
            for name, p in plain.named_parameters():
                p -= 0.1 / 10 * total[name]
    expected = plain.eval()(inputs).detach().softmax(1)
    np.testing.assert_allclose(found.predict_proba(INPUTS.numpy()), expected, atol=1e-5)


def test_a_model_that_has_no_output_of_a_single_row_is_told():
    def of_several(module, rows):
        if len(rows) == 1:
            raise ValueError("two rows at least")
        return rows

    with pytest.raises(UsageError, match=r"gradient of a single row cannot be taken.*two rows"):
        op.fit(private(Head(of_several)), DATA)


@pytest.mark.parametrize(
    ("inputs", "labels", "match"),
    [
        (INPUTS.flip(0), LABELS, "other inputs in 40 of 40 rows"),
        (INPUTS, (LABELS + 1) % K, "other labels in 40 of 40 rows"),
        (INPUTS[:20], LABELS[:20], "got '20 rows'"),
        (INPUTS[:, :2], LABELS, "2 numbers in each row"),
        (INPUTS, INPUTS[:, 0], "targets in place of classes"),
    ],
)
def test_other_data_than_its_own_are_refused(inputs, labels, match):
    data = inputs.numpy(), labels.numpy()
    for fit in (
        lambda: op.fit(private(), data),
        lambda: op.solve(op.fit_estimator(private(), data, op.Streams(0))),
    ):
        with pytest.raises(UsageError, match=f"fitted beside others.*{match}"):
            fit()
    if labels is not INPUTS[:, 0] and labels.dtype == torch.int64:
        with pytest.raises(UsageError, match=match):
            op.subset_ensemble(private(), *data, n_models=4, workers=0)


def test_other_forms_of_its_own_data_are_its_own():
    image = op.make_dataset(INPUTS.reshape(N, 1, 1, D), LABELS, n_classes=K)
    flat = private(nn.Sequential(nn.Flatten(), nn.Linear(D, K)), image)
    assert op.fit(flat, (INPUTS.numpy().astype(np.float32), LABELS.numpy())).form == "probabilities"
    with pytest.raises(UsageError, match="inputs that are no numbers"):
        op.fit(flat, (["text"] * N, LABELS.numpy()))


def test_weights_that_become_infinite_are_told():
    with pytest.raises(UsageError, match="weights became infinite in private training"):
        op.fit(private(n_steps=50, learning_rate=1e38, noise_multiplier=10.0), DATA)
