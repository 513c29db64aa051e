"""What holds numbers becomes a plain tensor of them, and everything else is refused in words."""

import contextlib
import re

import numpy as np
import pytest
import torch
from torch import nn

from overparam.data import Dataset, make_dataset
from overparam.data.arrays import as_tensor
from overparam.errors import DataError
from overparam.training.fit import fit
from overparam.training.recipe import Recipe


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "int64", "uint16", "uint32", ">i4"])
def test_integer_inputs_stay_integers(dtype):
    tokens = np.array([[1, 2], [3, 16_777_217]]) % np.iinfo(np.dtype(dtype)).max
    data = make_dataset(tokens.astype(dtype), [0, 1])
    assert data.base.dtype == torch.int64
    np.testing.assert_array_equal(data.inputs, tokens)


@pytest.mark.parametrize(
    ("values", "dtype", "expected"),
    [
        (np.arange(6.0)[::-1], torch.float64, [5.0, 4.0, 3.0, 2.0, 1.0, 0.0]),
        (np.array([1.5, 2.5], ">f8"), torch.float64, [1.5, 2.5]),
        (np.array([1.5, 2.5], np.longdouble), torch.float64, [1.5, 2.5]),
        (np.array([1, 2.5, True], object), torch.float64, [1.0, 2.5, 1.0]),
        (np.array([1, False], object), torch.int64, [1, 0]),
        (np.array([True, np.False_], object), torch.bool, [True, False]),
        ([np.float64(0.1), 2.0], torch.float64, [0.1, 2.0]),
        ([torch.tensor([1.0]), torch.tensor([2.0])], torch.float32, [[1.0], [2.0]]),
        (torch.ones(2, requires_grad=True), torch.float32, [1.0, 1.0]),
        ((1, 2), torch.int64, [1, 2]),
        ([[1, 2.5]], torch.float64, [[1.0, 2.5]]),
        (np.ma.masked_equal([1.5, 2.5], 9), torch.float64, [1.5, 2.5]),
        (np.array([1, 2], np.uint64), torch.int64, [1, 2]),
        (torch.tensor([1, 2], dtype=torch.uint64), torch.int64, [1, 2]),
        (torch.tensor([1.0, 2.5], dtype=torch.bfloat16), torch.bfloat16, [1.0, 2.5]),
        (torch.tensor([1 + 2j]).conj().imag, torch.float32, [-2.0]),
        (torch.nn.Parameter(torch.ones(2)), torch.float32, [1.0, 1.0]),
    ],
)
def test_numbers_of_every_kind_become_tensors(values, dtype, expected):
    tensor = as_tensor("inputs", values)
    torch.testing.assert_close(tensor, torch.tensor(expected, dtype=dtype))
    assert not tensor.requires_grad


@pytest.mark.filterwarnings("ignore:The PyTorch API of MaskedTensors")
def test_masked_tensors_are_refused_where_something_is_masked():
    values = torch.tensor([[1.0], [2.0]])
    masked = torch.masked.masked_tensor(values, values < 2)
    with pytest.raises(DataError, match=r"inputs hold masked.*'1 masked'.*values\.to_tensor\("):
        make_dataset(masked, [0, 1])
    whole = torch.masked.masked_tensor(values, values < 3)
    assert type(as_tensor("inputs", whole)) is torch.Tensor


class Measured(torch.Tensor):
    """A tensor that carries its unit, through whatever is computed with it."""


def test_what_a_subclass_adds_is_left_aside():
    tensor = as_tensor("inputs", torch.ones(2, 1).as_subclass(Measured))
    assert type(tensor) is torch.Tensor


def ones_of(dtype: torch.dtype) -> torch.Tensor:
    """Return two rows in a type, of ones where PyTorch can write them."""
    for make in (
        lambda: torch.ones(2, 1).to(dtype),
        lambda: torch.quantize_per_tensor(torch.ones(2, 4), 0.5, 0, dtype),
    ):
        with contextlib.suppress(RuntimeError):
            return make()
    return torch.empty(2, 1, dtype=dtype)


@pytest.mark.filterwarnings("ignore")
def test_a_tensor_of_any_type_is_computed_with_or_refused():
    """No type that PyTorch has may pass here and fail later, with words of its own."""
    fitted = fit(nn.Linear(1, 2), (torch.ones(2, 1), [0, 1]), Recipe(steps=1))
    uses = [
        lambda values: make_dataset(values, [0, 1]),
        lambda values: make_dataset(torch.ones(2, 1), values, 2),
        lambda values: make_dataset(torch.ones(2, 1), values, None),
        fitted.predict,
    ]
    computed, refused = set(), set()
    for dtype in {value for value in vars(torch).values() if isinstance(value, torch.dtype)}:
        values = ones_of(dtype)
        for use in uses:
            try:
                use(values)
                computed.add(dtype)
            except DataError as error:
                refused.add((dtype, re.sub("inputs|labels", "they", error.what)))
    whole = {torch.bool, torch.int8, torch.int16, torch.int32, torch.int64}
    whole |= {torch.uint8, torch.uint16, torch.uint32, torch.uint64}
    assert computed == whole | {torch.float16, torch.bfloat16, torch.float32, torch.float64}
    assert not computed & {dtype for dtype, _ in refused}
    assert {what for _, what in refused} == {"they must be real", "they must be a plain tensor"}
    assert len(refused) > 30


def fake() -> torch.Tensor:
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode():
        return torch.ones(2, 1)


JAGGED = [torch.ones(1), torch.ones(2)]


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: torch.quantize_per_tensor(torch.ones(2, 1), 0.1, 0, torch.qint8), "dequantize"),
        (lambda: torch.ones(2, 1).to(torch.float8_e4m3fn), r"float8_e4m3fn'; values\.float\(\)"),
        (lambda: [torch.ones(1).to(torch.float8_e5m2)] * 2, r"float8_e5m2'; values\.float\(\)"),
        (
            lambda: torch.empty(2, 1, dtype=torch.bits8),
            "'torch.bits8'; unpack its numbers; computed with are bfloat16, bool, ",
        ),
        (lambda: torch.empty(2, 1, device="meta"), "plain tensor; got 'a meta tensor"),
        (lambda: torch.nested.nested_tensor(JAGGED, layout=torch.jagged), "'a nested tensor"),
        (lambda: torch.nested.nested_tensor(JAGGED), "'a nested tensor.*to_padded_tensor"),
        (lambda: torch.eye(2).to_sparse(), r"layout torch\.sparse_coo.*to_dense"),
        (lambda: torch.eye(2).to_sparse_csr(), r"layout torch\.sparse_csr.*to_dense"),
        (lambda: torch.eye(2).to_mkldnn(), r"layout torch\._mkldnn.*to_dense"),
        (fake, "got 'a FakeTensor'; give the numbers that it wraps"),
        (lambda: torch.ones(2, 1, dtype=torch.complex64), "inputs must be real"),
        (lambda: torch.tensor([[2**63]], dtype=torch.uint64), "needs more than 64 bits"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_tensors_that_are_no_plain_ones(make, match):
    with pytest.raises(DataError, match=match):
        make_dataset(make(), [0, 1])


def test_a_set_made_by_hand_holds_plain_tensors_too():
    data = make_dataset([[0.0], [1.0]], [0, 1])
    with pytest.raises(DataError, match=r"inputs must be a plain tensor; got 'torch\.float8"):
        data.with_inputs(data.inputs.to(torch.float8_e4m3fn), "+narrow")
    with pytest.raises(DataError, match="labels must be a plain tensor"):
        Dataset(data.base, data.rows, data.base.to(torch.float8_e4m3fn), None, "narrow targets")
