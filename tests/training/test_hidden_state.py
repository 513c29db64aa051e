"""Nothing that a script does not see decides its numbers: threads, clocks, caches, generators."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from overparam.data.dataset import make_dataset
from overparam.models.dense import mlp
from overparam.streams import Streams, own_generators
from overparam.training.batches import OwnRows, Rows
from overparam.training.recipe import Recipe
from overparam.training.request import solve, solve_all
from overparam.training.train import train

RECIPE = Recipe(epochs=3, learning_rate=0.1, batch_size=10)


def points(seed=0, n=60, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(n, 4, dtype=dtype, generator=generator)
    return inputs, torch.arange(n) % 3


def loss_of(model, inputs, labels, seed=0, recipe=RECIPE):
    fitted = solve(train(model, make_dataset(inputs, labels), recipe, Streams(seed)))
    return fitted.train_loss


@pytest.mark.parametrize("change", ["PyTorch", "NumPy, which shares the memory"])
def test_inputs_that_were_changed_in_place_are_seen(change):
    inputs, labels = points()
    model = mlp(4, 8, 3)
    before = loss_of(model, inputs, labels)
    if change == "PyTorch":
        inputs.mul_(3)
    else:
        inputs.numpy()[...] *= 3
    after = loss_of(model, inputs, labels)
    assert after == loss_of(model, inputs.clone(), labels)
    assert after != before


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_of_a_base_that_is_converted_only_the_rows_held_are(dtype):
    inputs, labels = points()
    whole = make_dataset(inputs, labels)
    sets = [whole.subset(torch.tensor(rows)) for rows in ([5, 3, 40], [3, 7, 5])]
    rows = Rows(sets, dtype, torch.device("cpu"))
    own = OwnRows(sets, dtype, torch.device("cpu"))
    batch = rows.batch(torch.tensor([2, 0]))
    assert_close(batch.inputs, torch.stack([s.inputs[[2, 0]] for s in sets]).to(dtype))
    assert batch.labels.tolist() == [[1, 2], [2, 0]]
    n_rows = {len(inputs) for inputs, _, _ in map(own.visit([torch.arange(3)] * 2), range(2))}
    assert n_rows == ({4} if dtype == torch.float32 else {60})
    assert rows._bases[0] is rows._bases[1]


class Noisy(nn.Module):
    """Draws from the global generator, in its own way, whenever it is called."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 3)

    def forward(self, inputs):
        return self.linear(inputs * (1 + 0.1 * torch.randn(inputs.shape, dtype=inputs.dtype)))


@pytest.mark.parametrize(
    "make",
    [lambda: mlp(4, 64, 3), lambda: nn.Sequential(nn.Dropout(0.3), nn.Linear(4, 3)), Noisy],
    ids=["no draws", "dropout", "draws of its own"],
)
def test_trainings_in_threads_are_those_of_one_thread(make):
    torch.manual_seed(0)
    models = [make() for _ in range(12)]
    one = [loss_of(model, *points(i), i) for i, model in enumerate(models)]
    state = torch.get_rng_state()
    with ThreadPoolExecutor(6) as pool:
        for _ in range(3):
            several = pool.map(lambda i: loss_of(models[i], *points(i), i), range(len(models)))
            assert list(several) == one
    assert torch.equal(torch.get_rng_state(), state)


def test_one_thread_at_a_time_has_the_global_generator():
    def draw(seed):
        with Streams(seed).global_generators("layers"):
            first = torch.rand(())
            with own_generators():  # the same thread may have it again
                torch.rand(100)
            return [first, *(torch.rand(()) for _ in range(200))]

    alone = [draw(seed) for seed in range(6)]
    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(draw, range(6))) == alone


SCRIPT = """
import hashlib, torch
import overparam as op
from torch import nn
from overparam.data.dataset import make_dataset
from overparam.models.features import RandomReluFeatures
from overparam.streams import Streams
from overparam.training.ridge import FeatureProblem, fit_ridge

def loss(outputs, labels):
    return nn.functional.cross_entropy(outputs, labels, reduction="none") * 2

torch.manual_seed(0)
inputs, labels = torch.randn(200, 1, 6, 6), torch.arange(200) % 3
data = make_dataset(inputs, labels)
convolutions = [
    nn.Sequential(nn.Conv2d(1, 6, 3), nn.GELU(), nn.Flatten(), nn.Linear(96, 3)) for _ in range(3)
]
perceptrons = [op.models.mlp(36, width, 3) for width in (8, 40, 300)]
found = []
for models, own in ((convolutions, "cross_entropy"), (perceptrons, loss), (perceptrons, None)):
    recipe = op.Recipe(epochs=2, learning_rate=0.05, batch_size=64, loss=own or "cross_entropy")
    cells = [op.train(m, data, recipe, op.Streams(0)) for m in models]
    found += [v for f in op.solve_all(cells) for v in f.state.values()]
features = RandomReluFeatures.draw(36, 300, Streams(0))
problem = FeatureProblem(features, inputs.flatten(1).double(), torch.randn(200, 4).double())
fits = op.solve_all([fit_ridge(problem, n_features=p, penalty=a)
                     for p in (60, 150, 300) for a in (0.0, 1e-3, 1.0)])
found += [f.train_predictions for f in fits]
print(hashlib.sha256(b"".join(v.contiguous().numpy().tobytes() for v in found)).hexdigest())
"""


def said_by(script, **environment):
    answer = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout.strip()


@pytest.mark.slow
@pytest.mark.parametrize("cache", ["can be written", "cannot be written"])
def test_one_script_gives_one_result_whatever_the_threads(tmp_path, cache):
    folder = tmp_path / "cache"
    folder.mkdir(0o700)
    if cache == "cannot be written":
        folder.rmdir()
        folder.write_text("")
    threads = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    found = {
        said_by(SCRIPT, OVERPARAM_CACHE=str(folder), **dict.fromkeys(threads, str(n)))
        for n in (1, 2, 4)
    }
    assert len(found) == 1


KEYS = """
import sys, torch
import overparam as op
from torch import nn
from overparam.training.request import Context

class Own(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear, self.kinds = nn.Linear(4, 3), {"a", "b", "c", len}
    def forward(self, x):
        return self.linear(x) if "a" in {"a", "b", "c"} else x

factor = 2.0
def loss(outputs, labels):
    return factor * nn.functional.cross_entropy(outputs, labels, reduction="none")

torch.manual_seed(0)
data, context = op.make_dataset(torch.randn(12, 4), torch.arange(12) % 3), Context()
recipe = op.Recipe(epochs=1, learning_rate=0.1, loss=loss)
op.solve_all([op.train(Own(), data, recipe, op.Streams(0)) for _ in range(2)], context)
print(*context.choices.made)
"""


def test_what_a_user_wrote_has_the_same_key_in_every_process(tmp_path):
    found = {
        said_by(KEYS, OVERPARAM_CACHE=str(tmp_path), PYTHONHASHSEED=seed) for seed in ("1", "2")
    }
    assert len(found) == 1
    assert found != {""}


def test_solve_all_leaves_the_number_of_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        assert solve_all([_threads()]) == [1]
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


async def _threads():
    return torch.get_num_threads()
