"""What cannot be trained is refused before anything runs, and finding out leaves no trace."""

from __future__ import annotations

import random
import threading

import numpy as np
import pytest
import torch
from torch import nn
from torch.testing import assert_close

from overparam.data.dataset import Dataset, make_dataset
from overparam.errors import DataError, UsageError
from overparam.streams import Streams
from overparam.training.recipe import Recipe
from overparam.training.request import solve
from overparam.training.train import train

RECIPE = Recipe(epochs=2, batch_size=8, learning_rate=0.1)


def points(n: int = 20, dtype: torch.dtype = torch.float32) -> Dataset:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(n, 6, generator=generator).to(dtype)
    return Dataset(inputs, torch.arange(n), torch.arange(n) % 3, 3, "points")


def targets(n: int = 20, k: int = 2) -> Dataset:
    labels = torch.randn(n, k, generator=torch.Generator().manual_seed(1))
    return Dataset(points(n).base, torch.arange(n), labels, None, "targets")


class Returns(nn.Module):
    """Returns what a function makes of its outputs."""

    def __init__(self, function, width: int = 3) -> None:
        super().__init__()
        self.layer, self.function = nn.Linear(6, width), function

    def forward(self, inputs):
        return self.function(self.layer(inputs))


def fit(model, data=None, recipe=RECIPE, **options):
    return solve(train(model, data or points(), recipe, Streams(0), **options))


class TwoInputs(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(6, 3)

    def forward(self, inputs, others):
        return self.layer(inputs + others)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Returns(lambda h: (h, h)), "must return one tensor of outputs; got 'tuple'"),
        (Returns(lambda h: {"logits": h}), "must return one tensor of outputs; got 'dict'"),
        (Returns(lambda h: None), "must return one tensor of outputs; got 'NoneType'"),
        (Returns(lambda h: h[:, 0]), r"outputs are not \[n, K\]"),
        (Returns(lambda h: h.sum()), r"outputs are not \[n, K\]"),
        (Returns(torch.fft.fft), r"outputs are not \[n, K\]"),
        (Returns(lambda h: h[:3]), "another number of rows than its inputs; got 3; allowed: 8"),
        (Returns(lambda h: h, width=2), "output size differs from the number of classes"),
        (Returns(lambda h: h[:, None].expand(-1, 2, -1)), "output size differs; got 6|got 6"),
        (Returns(lambda h: h.detach()), "no parameter of the model that is trained"),
        (Returns(lambda h: h).requires_grad_(False), "no parameter of the model that is trained"),
        (Returns(lambda h: h.numpy()), "does not take the inputs of the training set: RuntimeEr"),
        (TwoInputs(), "does not take the inputs of the training set: TypeError"),
        (nn.Sequential(nn.Linear(7, 3), nn.GELU()), "does not take the inputs of the training set"),
        (nn.Sequential(nn.LazyLinear(3)), "0.weight has no shape yet, as its layer is lazy"),
        (Returns(lambda h: h).half(), "layer.weight is in half precision"),
        (Returns(lambda h: h).bfloat16(), "layer.weight is in half precision"),
    ],
)
def test_models_that_do_not_fit(model, message):
    with pytest.raises(UsageError, match=message):
        fit(model)


def test_a_gradient_that_does_not_exist_is_told():
    class OneWay(torch.autograd.Function):
        @staticmethod
        def forward(ctx, units):
            return units.clone()

        @staticmethod
        def backward(ctx, *signals):
            raise ValueError("there is no way back")

    with pytest.raises(UsageError, match="has no gradient: ValueError: there is no way back"):
        fit(Returns(OneWay.apply))


def test_a_tensor_that_does_not_follow_the_precision_is_told():
    held = torch.randn(3, 3)
    with pytest.raises(UsageError, match="should be parameters or buffers"):
        fit(Returns(lambda h: h @ held), recipe=Recipe(epochs=1, precision="float64"))


def test_a_last_batch_that_the_model_cannot_do():
    net = nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.GELU(), nn.Linear(5, 3))
    with pytest.raises(UsageError, match="last batch of an epoch, of 1 row: Expected more than 1"):
        fit(net, points(17))
    with pytest.raises(UsageError, match="got '17 rows in batches of 8'; choose another batch_siz"):
        fit(net, points(17))
    assert fit(net, points(17), Recipe(steps=2, batch_size=8)).n_steps == 2  # it is never reached
    assert fit(net, points(17), Recipe(epochs=1, batch_size=10)).status == "done"
    with pytest.raises(UsageError, match="Expected more than 1 value"):
        fit(net, points(1))


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (nn.CrossEntropyLoss(), r"must return one number per row; got \[\]; allowed: \[8\]"),
        (nn.functional.cross_entropy, "do not take the mean: say reduction='none'"),
        (lambda f, y: f - 1, r"must return one number per row; got \[8, 3\]"),
        (lambda f, y: 1.0, "must return one number per row; got 'float'"),
        (lambda f, y: (f - y).square().sum(-1), "does not take the model's outputs: RuntimeError"),
    ],
)
@pytest.mark.parametrize("net", [nn.Linear(6, 3), Returns(lambda h: h)])
def test_losses_of_the_users_own_are_tried(loss, message, net):
    with pytest.raises(UsageError, match=message):
        fit(nn.Sequential(net), recipe=Recipe(epochs=1, loss=loss, batch_size=8))


def test_a_loss_may_make_one_target_of_two_outputs():
    def gaussian(outputs, labels):
        mean, log_scale = outputs.chunk(2, 1)
        return (log_scale + 0.5 * ((labels - mean) / log_scale.exp()).square()).sum(1)

    fitted = fit(Returns(lambda h: h, 4), targets(k=2), Recipe(epochs=1, loss=gaussian))
    assert np.isfinite(fitted.train_loss)
    with pytest.raises(UsageError, match="output size differs"):
        fit(Returns(lambda h: h, 4), targets(k=2), Recipe(epochs=1, loss="squared_error"))


def test_sets_to_measure_are_tried_too():
    wide = Dataset(torch.randn(5, 7), torch.arange(5), torch.arange(5) % 3, 3, "wide")
    with pytest.raises(UsageError, match="does not take the inputs of the set 'new'"):
        fit(Returns(lambda h: h), evaluate={"new": wide})
    many = Dataset(torch.randn(5, 6), torch.arange(5), torch.arange(5), 5, "many")
    with pytest.raises(UsageError, match="output size differs from 'new': the number of classes"):
        fit(Returns(lambda h: h), evaluate={"new": many})

    class Summary(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(6, 3)

        def forward(self, inputs):
            return self.layer(inputs) if self.training else self.layer(inputs).mean(0, keepdim=True)

    with pytest.raises(UsageError, match="number of rows than its inputs; got 1; allowed: 20"):
        fit(Summary(), evaluate={"new": points()})


def test_whole_numbers_stay_whole():
    tokens = Dataset(
        torch.randint(0, 1000, (20, 4)), torch.arange(20), torch.arange(20) % 3, 3, "t"
    )
    for net in (nn.Sequential(nn.Linear(4, 3)), nn.Sequential(nn.Linear(4, 3), nn.GELU())):
        with pytest.raises(UsageError, match="whole numbers stay whole; convert them to floats"):
            fit(net, tokens)
    floats = Dataset(tokens.base.float(), tokens.rows, tokens.labels, 3, "f")
    with pytest.raises(UsageError, match="'new' are whole numbers, those of the training set floa"):
        fit(nn.Sequential(nn.Linear(4, 3)), floats, evaluate={"new": tokens})
    seen = []

    class Text(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Embedding(1000, 3)

        def forward(self, inputs):
            seen.append(inputs.dtype)
            return self.table(inputs).mean(1)

    for precision in ("float32", "bfloat16", "float64"):
        fitted = fit(Text(), tokens, Recipe(epochs=1, precision=precision))
        assert fitted.status == "done"
    assert set(seen) == {torch.int64}


def test_two_parameters_over_one_memory_are_refused():
    net = nn.Sequential(nn.Linear(6, 6), nn.GELU(), nn.Linear(6, 6), nn.GELU(), nn.Linear(6, 3))
    net[2].weight.data = net[0].weight.data
    with pytest.raises(UsageError, match=r"0.weight and 2.weight share memory but are not one"):
        fit(net)
    net[2].weight = net[0].weight
    fitted = fit(net)
    assert torch.equal(fitted.state["0.weight"], fitted.state["2.weight"])


def test_what_cannot_be_copied_is_told():
    net = Returns(lambda h: h)
    net.lock = threading.Lock()
    with pytest.raises(UsageError, match="the model cannot be copied: TypeError: cannot pickle"):
        fit(net)


def test_what_cannot_be_converted_is_told():
    class Stubborn(nn.Linear):
        def _apply(self, fn, recurse=True):
            raise NotImplementedError("it stays as it is")

    with pytest.raises(UsageError, match="cannot be converted: it stays as it is; got 'Stubborn'"):
        fit(Stubborn(6, 3))


@pytest.mark.filterwarnings("ignore")
def test_compiled_modules_are_told():
    with pytest.raises(UsageError, match="TorchScript compiled cannot be copied"):
        fit(torch.jit.script(nn.Sequential(nn.Linear(6, 3), nn.GELU())))


def test_a_module_that_cannot_be_counted_is_trained():
    class Refuses(nn.Linear):
        def to(self, *where, **options):
            if "meta" in where:
                raise RuntimeError("only here")
            return super().to(*where, **options)

        def forward(self, inputs):
            return super().forward(inputs).tanh()

    assert fit(Refuses(6, 3)).status == "done"


def test_trying_leaves_no_trace():
    calls = []
    net = Returns(lambda h: h[:, :2])
    net.register_forward_hook(lambda module, inputs, outputs: calls.append(1))
    net.n = 0
    net.layer.register_forward_pre_hook(lambda module, inputs: setattr(net, "n", net.n + 1))
    net.layer.register_forward_hook(lambda m, i, o: o + torch.rand(()) + random.random())
    before = (
        torch.get_rng_state(),
        random.getstate(),
        {k: v + 0 for k, v in net.state_dict().items()},
    )
    with pytest.raises(UsageError, match="output size differs"):
        fit(net)
    assert not calls
    assert net.n == 0
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1] == random.getstate()
    assert_close(dict(net.state_dict()), before[2], rtol=0, atol=0)
    assert net.layer.weight.grad is None


@pytest.mark.parametrize("value", [-1, 3, 10**6])
@pytest.mark.parametrize("net", [nn.Linear(6, 3), Returns(lambda h: h)])
def test_labels_changed_in_place_never_reach_the_engine(net, value):
    data, test_set = points(), points()
    test_set.labels[3] = value
    with pytest.raises(DataError, match="lie outside the classes"):
        fit(nn.Sequential(net), data, evaluate={"test": test_set})
    data.labels[0] = value
    with pytest.raises(DataError, match="lie outside the classes"):
        fit(nn.Sequential(net), data)


def test_rows_changed_in_place_never_reach_the_engine():
    data = points()
    data.rows[0] = 10**9
    with pytest.raises(DataError, match="rows point outside the inputs"):
        fit(nn.Sequential(nn.Linear(6, 3)), data)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("net", [nn.Linear(6, 3), Returns(lambda h: h)])
def test_nan_written_into_inputs_never_reaches_the_engine(net, value):
    values = points(dtype=torch.float64).inputs.numpy().copy()
    data, test_set = make_dataset(values, points().labels), points()
    assert fit(nn.Sequential(net), data).status == "done"
    values[3, 1] = value  # unseen by PyTorch
    with pytest.raises(DataError, match=r"inputs of 'data' hold NaN.*1 rows, first \[3\]"):
        fit(nn.Sequential(net), data)
    with pytest.raises(DataError, match=r"inputs of 'data' hold NaN"):
        fit(nn.Sequential(net), test_set, evaluate={"test": data})
    assert fit(nn.Sequential(net), data.head(3)).status == "done"  # of a base that has some


def test_inputs_changed_in_place_are_seen():
    inputs = points(dtype=torch.float64).base
    data = Dataset(inputs, torch.arange(20), torch.arange(20) % 3, 3, "points")
    net = nn.Sequential(nn.Linear(6, 3))
    first = fit(net, data).train_loss
    inputs.numpy()[:] *= 10  # unseen by PyTorch
    changed = Dataset(inputs.clone(), data.rows, data.labels, 3, "points")
    assert fit(net, data).train_loss == fit(net, changed).train_loss != first


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "auto"])
@pytest.mark.parametrize("what", ["inputs", "targets"])
def test_numbers_that_the_precision_makes_infinite_are_refused(precision, what):
    data = targets()
    base, labels = data.base.double(), data.labels.double()
    (base if what == "inputs" else labels)[7, 1] = -1e300
    huge = Dataset(base, data.rows, labels, None, "huge")
    recipe = Recipe(loss="squared_error", epochs=1, learning_rate=0.1, precision=precision)
    said = rf"{what} of 'train' are too large for float32.*1 rows, first \[7\], up to 1e\+300"
    with pytest.raises(DataError, match=rf"{said}.*precision='float64'"):
        fit(nn.Linear(6, 2), huge, recipe)
    assert fit(nn.Linear(6, 2), huge.head(7), recipe).status == "done"  # of a base that has some
    with pytest.raises(DataError, match=f"{what} of 'test' are too large"):
        fit(nn.Linear(6, 2), huge.head(7), recipe, evaluate={"test": huge})
