"""The driver of cells: grouping, errors that stay in their cell, order."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from overparam.errors import DataError
from overparam.training.request import Context, Cost, Request, drive, drive_dry, solve, solve_all

calls: list[list[int]] = []


@dataclass(frozen=True)
class Doubled(Request):
    value: int
    kind: str = "a"

    def group_key(self):
        return self.kind

    @staticmethod
    def execute(requests, context):
        calls.append([r.value for r in requests])
        if any(r.value < 0 for r in requests):
            raise ValueError("negative group")
        return [KeyError("odd one") if r.value == 13 else 2 * r.value for r in requests]

    @staticmethod
    def estimate(requests, context):
        return [0] * len(requests), Cost(n_models=len(requests), flops=2.0, memory_bytes=7)


async def cell(value: int, kind: str = "a", rounds: int = 1) -> int:
    for _ in range(rounds):
        value = await Doubled(value, kind)
    return value


def test_cells_of_one_group_are_served_together():
    calls.clear()
    assert solve_all([cell(1), cell(2, "b"), cell(3, rounds=2)]) == [2, 4, 12]
    assert calls == [[1, 3], [2], [6]]


def test_an_error_of_one_answer_stays_in_its_cell():
    results = drive([cell(13), cell(2)], Context())
    assert isinstance(results[0], KeyError)
    assert results[1] == 4


def test_an_error_of_a_group_leaves_other_groups():
    results = drive([cell(-1), cell(2), cell(3, "b")], Context())
    assert [type(r) for r in results] == [ValueError, ValueError, int]


def test_a_cell_may_catch_the_error_it_is_given():
    async def careful():
        try:
            return await Doubled(13)
        except KeyError:
            return "caught"

    assert solve(careful()) == "caught"


def test_solve_raises():
    with pytest.raises(KeyError, match="odd one"):
        solve(cell(13))


def test_dry_run_adds_costs():
    cost = drive_dry([cell(1), cell(2), cell(3, rounds=2)], Context())
    assert (cost.n_models, cost.flops, cost.memory_bytes) == (4, 4.0, 7)


def test_a_request_must_say_how_it_is_done():
    class Bare(Request):
        pass

    with pytest.raises(TypeError, match="must define group_key"):
        Bare().group_key()
    with pytest.raises(TypeError, match="must define execute"):
        Bare.execute([], Context())
    with pytest.raises(TypeError, match="must define estimate"):
        Bare.estimate([], Context())


def test_dry_run_raises_what_a_run_would_stumble_over():
    async def without_data():
        raise DataError("the data are not there")

    async def puzzled():
        return [][await Doubled(1)]  # a stand-in leads nowhere; that says nothing of a run

    assert drive_dry([puzzled()], Context()).n_models == 1
    with pytest.raises(DataError, match="not there"):
        drive_dry([without_data()], Context())
