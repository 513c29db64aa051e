"""Numbers in two tensors, or twice in one: told by their places, held against brute force."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import overparam as op
from overparam.errors import UsageError
from overparam.training.memory import overlaps, repeats_itself
from tests.training.plain_loop import train_in_place

DATA = op.make_dataset(
    torch.randn(24, 6, generator=torch.Generator().manual_seed(0)).double(), torch.arange(24) % 3
)
RECIPE = op.Recipe(epochs=3, batch_size=8, learning_rate=0.1, precision="float64")


def places(tensor: torch.Tensor) -> list[int]:
    """Addresses of all bytes, one by one."""
    found = []
    for index in np.ndindex(*tensor.shape):
        number = sum(i * s for i, s in zip(index, tensor.stride(), strict=True))
        first = tensor.data_ptr() + number * tensor.element_size()
        found += range(first, first + tensor.element_size())
    return found


def test_overlaps_and_repeats_are_those_of_the_bytes():
    rng, whole = np.random.default_rng(0), torch.zeros(60)
    seen = {True: 0, False: 0}
    for _ in range(300):
        two = []
        for _ in range(2):
            shape, strides = rng.integers(1, 4, 2), rng.integers(0, 7, 2)
            part = whole.as_strided(shape.tolist(), strides.tolist(), int(rng.integers(0, 30)))
            two.append(part.view(torch.int16) if strides[1] == 1 and rng.random() < 0.5 else part)
        one, other = (places(t) for t in two)
        shared = bool(set(one) & set(other))
        seen[shared] += 1
        assert list(overlaps([("a", two[0]), ("b", two[1])])) == ([(0, 1)] if shared else [])
        assert repeats_itself(two[0]) == (len(set(one)) < len(one))
    assert min(seen.values()) > 30


def test_what_has_no_memory_overlaps_with_nothing():
    none = [torch.empty(2, device="meta"), torch.empty(0), torch.eye(2).to_sparse()]
    none.append(nn.LazyLinear(3).weight)
    assert not list(overlaps([(str(i), t) for i, t in enumerate([*none, *none])]))
    assert not any(map(repeats_itself, none))
    one = torch.zeros(2)
    assert not list(overlaps([("a", one), ("b", one)]))  # one object is one parameter


def cut(first: torch.Tensor, last: torch.Tensor, bias: torch.Tensor | None = None) -> nn.Module:
    net = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))
    net[0].weight, net[2].weight = nn.Parameter(first), nn.Parameter(last)
    net[0].bias = nn.Parameter(torch.zeros(8) if bias is None else bias)
    net[2].bias = nn.Parameter(torch.zeros(3))
    return net


def parts(how: str) -> nn.Module:
    big = torch.randn(20, 16, generator=torch.Generator().manual_seed(1)) / 3
    if how == "rows":
        return cut(big[:8, :6], big[8:11, :8])
    if how == "interleaved":
        return cut(big[:8, 0:12:2], big[:3, 1::2])
    flat = big.flatten()
    return cut(flat[:48].view(8, 6), flat[48:72].view(3, 8), flat[72:80])


@pytest.mark.parametrize("how", ["rows", "interleaved", "flat"])
def test_parts_of_one_tensor_are_parameters_of_their_own(how, tmp_path):
    net = parts(how).double()
    train_in_place(net, DATA, RECIPE, op.Streams(0))
    fits = [op.fit(parts(how), DATA, RECIPE)]
    asked = [op.train(parts(how), DATA, RECIPE, op.Streams(0)) for _ in range(2)]
    fits += op.solve_all(asked)
    fits.append(op.load_fitted(fits[0].save(tmp_path / "cut.pt"), parts(how)))
    for fitted in fits:
        for name, value in net.state_dict().items():
            torch.testing.assert_close(fitted.state[name], value, rtol=0, atol=1e-10)
    # Each number is kept once, not with the storage that it was cut from.
    assert (tmp_path / "cut.pt").stat().st_size < 20_000


def test_what_an_optimizer_would_move_twice_is_refused():
    big = torch.randn(20, 16)
    with pytest.raises(UsageError, match=r"0.weight and 2.weight share memory but are not one"):
        op.fit(cut(big[:8, :6], big[7:10, :8]), DATA, RECIPE)
    frozen = cut(big[:8, :6], big[8:11, :8], torch.zeros(1).expand(8))
    said = r"several positions of the parameter 0.bias are one number.*strides \[0\].*\.clone\(\)"
    with pytest.raises(UsageError, match=said):
        op.fit(frozen, DATA, RECIPE)
    frozen[0].bias.requires_grad_(False)
    assert op.fit(frozen, DATA, RECIPE).state["0.bias"].tolist() == [0.0] * 8
    windows = torch.randn(20).as_strided((8, 6), (1, 2))
    with pytest.raises(UsageError, match=r"several positions of the parameter 0.weight"):
        op.fit(cut(windows, big[8:11, :8]), DATA, RECIPE)
