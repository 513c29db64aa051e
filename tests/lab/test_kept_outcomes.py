"""Outcomes that cannot be kept, or are not of their kind, fail their cell."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest
import torch

from overparam.lab import unit
from overparam.lab.runner import run_study
from overparam.lab.store import Store


class Unstorable:
    """What no store keeps."""


ENDLESS: list = []
ENDLESS.append(ENDLESS)


@pytest.mark.parametrize(
    ("weights", "text"),
    [
        (Unstorable(), "weights of the outcome cannot be kept.*Unstorable"),
        (np.array([Unstorable()]), "weights of the outcome cannot be kept.*of object"),
        (ENDLESS, "weights of the outcome cannot be kept.*nested too deeply"),
        ((i for i in ()), "weights of the outcome cannot be kept.*generator"),
        ({"f": print}, "weights of the outcome cannot be kept"),
        (np.ma.masked_array([1.0], [True]), "weights of the outcome cannot be kept"),
        (torch.zeros(2, dtype=torch.bfloat16), r"weights of .* as an array.*bfloat16.*\.float\(\)"),
        (torch.eye(2).to_sparse(), r"weights of .* as an array.*sparse.*\.to_dense\(\)"),
        ((torch.zeros(1),), "weights of the outcome cannot be kept.*torch.Tensor"),
        ("x" * 2**17, "weights of the outcome is too long"),
    ],
    ids=range(10),
)
def test_an_outcome_that_cannot_be_kept_fails_its_cell(tiny, tmp_path, monkeypatch, weights, text):
    monkeypatch.setattr(unit, "_MOST_LETTERS", 2**16)

    async def run(c, streams):
        return tiny.outcome(0.25, weights if c.width == 12 else np.zeros(3))

    result = run_study(dataclasses.replace(tiny, run=run), seeds=[0], workers=0, folder=tmp_path)
    assert [r.status for r in result.records] == ["done", "failed", "done", "done"]
    assert re.search(text, result.records[1].error)
    with Store.read_only(tmp_path) as store:
        assert store.check() == []


class Wordless:
    def __repr__(self):
        raise ValueError


@pytest.mark.parametrize(
    ("declared", "value", "text"),
    [
        (float, "0.5", "size of the outcome is declared float; got \"'0.5' .str.*allowed: int, fl"),
        ("float", True, "declared float; got 'True .bool.'"),
        (float, None, "declared float; got 'None"),
        (float, np.ones(3), "declared float; got 'array"),
        (float, torch.ones(3), "declared float; got 'array"),
        (float, 1j, "declared float; got '1j"),
        (float, Wordless(), "declared float; got 'without a text"),
        (int, True, "declared int; got 'True"),
        (int, 3.0, "declared int; got '3.0 .float.'; allowed: int, integer"),
        (int, float("nan"), "declared int; got 'nan"),
        (int, 1e308, "declared int; got '1e"),
        (str, 7, "declared str; got '7"),
        (bool, 1, "declared bool; got '1"),
        (float, 10**400, "size of the outcome is beyond the range of floats; got 'a whole number"),
        (float, 3, ""),
        (float, np.float32(3), ""),
        (float, torch.tensor(3.0), ""),
        (float, float("nan"), ""),
        (int, np.int64(3), ""),
        (bool, np.bool_(True), ""),
        (np.ndarray, 3.0, ""),
    ],
)
def test_a_field_holds_what_it_is_declared_to_be(tiny, declared, value, text):
    outcome = dataclasses.make_dataclass("Outcome", [("size", declared)], frozen=True)

    async def run(c, streams):
        return outcome(value)

    phenomenon = dataclasses.replace(
        tiny, run=run, outcome=outcome, summarise=lambda records: {}, figures=lambda *_: []
    )
    (record, *_) = run_study(phenomenon, seeds=[0], workers=0).records
    assert record.status == ("failed" if text else "done")
    assert re.search(text, record.error)


def test_an_outcome_of_a_derived_class_fails_its_cell(tiny):
    @dataclasses.dataclass(frozen=True)
    class More(tiny.outcome):
        more: int = 0

    async def run(c, streams):
        return More(0.25, np.zeros(3))

    result = run_study(dataclasses.replace(tiny, run=run), seeds=[0], workers=0)
    assert {r.error.partition(";")[0] for r in result.records} == {"run returned More, not Outcome"}


@pytest.mark.parametrize("kind", ["array", "tensor", "list of arrays"])
def test_what_cells_share_and_write_into_is_kept_as_each_returned_it(tiny, kind):
    held = {"array": np.zeros(3), "tensor": torch.zeros(3), "list of arrays": [np.zeros(3)]}[kind]

    async def run(c, streams):
        (held[0] if kind == "list of arrays" else held)[:] = c.width
        return tiny.outcome(0.25, held)

    for workers in (0, 1):
        found = run_study(dataclasses.replace(tiny, run=run), seeds=[0], workers=workers).records
        weights = [np.ravel(r.outcome.weights).tolist() for r in found]
        assert weights == [[r.condition.width] * 3 for r in found]
