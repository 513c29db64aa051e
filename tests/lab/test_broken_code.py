"""What a phenomenon's own functions raise or return, and what becomes of the study."""

from __future__ import annotations

import dataclasses
import itertools
import signal

import numpy as np
import pytest

from overparam.errors import CodeError, ResourceError, StoreError
from overparam.lab.phenomenon import Scale
from overparam.lab.rows import rebuilt
from overparam.lab.runner import run_study
from overparam.lab.store import Store
from overparam.stopping import stop

RAISERS = {
    "exit": "sys.exit()",
    "exit with a text": "sys.exit('bye')",
    "Ctrl-C of its own": "raise KeyboardInterrupt",
    "generator": "raise GeneratorExit",
    "cancelled": "raise asyncio.CancelledError",
    "skipped": "pytest.skip('no')",
    "of its own": "raise type('Own', (BaseException,), {})('mine')",
    "without a text": "raise type('Mute', (Exception,), {'__str__': lambda self: 1 / 0})()",
    "with a text that exits": (
        "raise type('Mute', (BaseException,), {'__str__': lambda self: sys.exit(0)})()"
    ),
    "awaiting what is no request": "await asyncio.sleep(0)",
}


def raiser(statement):
    """A coroutine function that runs one statement."""
    text = f"import asyncio, sys, pytest\nasync def run(c, streams):\n    {statement}"
    names: dict = {}
    exec(text, names)
    return names["run"]


@pytest.mark.parametrize("statement", RAISERS.values(), ids=RAISERS)
def test_whatever_a_cell_raises_fails_the_cell_and_no_more(tiny, statement):
    broken = raiser(statement)

    async def run(c, streams):
        return await (broken if c.width == 1 else tiny.run)(c, streams)

    # As where a command handles Ctrl-C: what a cell raises is not the user's.
    before = signal.signal(signal.SIGINT, stop)
    try:
        result = run_study(dataclasses.replace(tiny, run=run), seeds=[0], workers=0)
    finally:
        signal.signal(signal.SIGINT, before)
    failed = [r for r in result.records if r.status == "failed"]
    assert [r.condition.width for r in failed] == [1]
    assert failed[0].error
    assert len(result.records) == 4


@pytest.mark.parametrize("function", ["cells", "summarise", "verdict", "figures"])
@pytest.mark.parametrize(
    "statement",
    ["1 / 0", "sys.exit()", "raise KeyboardInterrupt", "c.x", RAISERS["with a text that exits"]],
)
def test_whatever_another_function_raises_is_a_code_error_with_its_place(tiny, function, statement):
    names: dict = {}
    text = f"import sys\ndef {function}(c, *more):\n    {statement}"
    exec(compile(text, "own.py", "exec"), names)
    broken = dataclasses.replace(tiny, run=local(tiny), **{function: names[function]})
    before = signal.signal(signal.SIGINT, stop)
    try:
        with pytest.raises(CodeError, match=rf"^{function} of .* got 'own.py:3 in {function}'"):
            run_study(broken, seeds=[0], workers=0)
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(
    ("function", "returned", "match"),
    [
        (
            "summarise",
            None,
            "summarise of .* it returned NoneType, not a Mapping; got .*broken_code.py",
        ),
        (
            "summarise",
            {1: []},
            "summarise of .* an arm's name is int, not a str; got .*broken_code.py",
        ),
        ("verdict", "observed", "verdict of .* it returned str, not a Verdict"),
        ("figures", [7], "figures of .* it returned int, not a figure"),
        (
            "figures",
            None,
            "figures of .* it returned NoneType, not an Iterable; got .*broken_code.py",
        ),
        ("cells", None, "cells of .* raised TypeError"),
        ("cells", [1], "cells of .* raised"),
    ],
)
def test_what_is_returned_must_be_of_its_kind(tiny, function, returned, match):
    broken = dataclasses.replace(tiny, run=local(tiny), **{function: lambda *_: returned})
    with pytest.raises(CodeError, match=match):
        run_study(broken, seeds=[0], workers=0)


def test_a_design_that_changes_from_call_to_call_is_refused(tiny):
    counting = itertools.count(1)
    changing = dataclasses.replace(
        tiny, cells=lambda base: [dataclasses.replace(base, width=next(counting))]
    )
    with pytest.raises(CodeError, match=r"cells of .* returned another design when it was called"):
        run_study(changing, seeds=[0], workers=0)


@pytest.mark.parametrize("left_out", ["treatment", "control"])
def test_an_arm_that_summarise_leaves_out_is_inconclusive(tiny, left_out):
    def summarise(records):
        return {a: s for a, s in tiny.summarise(records).items() if a != left_out}

    phenomenon = dataclasses.replace(tiny, run=local(tiny), summarise=summarise)
    verdicts = run_study(phenomenon, seeds=[0, 1], workers=0).verdicts
    assert list(verdicts) == ["treatment", "control"]
    assert verdicts[left_out].kind == "inconclusive"
    assert verdicts[left_out].reason == "summarise returned nothing for this arm"


def test_arms_that_the_design_names_otherwise_are_as_summarise_names_them(tiny):
    @dataclasses.dataclass(frozen=True)
    class Condition:
        arm: str = "deeper"

    phenomenon = dataclasses.replace(
        tiny, run=local(tiny), condition=Condition, cells=lambda base: [base, Condition("wider")],
        scales={"standard": Scale(Condition(), 2)}, summarise=lambda records: {"treatment": []},
    )  # fmt: skip
    assert list(run_study(phenomenon, workers=0).verdicts) == ["treatment"]


def test_a_misuse_of_the_package_in_a_summary_is_its_bug_and_damage_is_not(tiny, tmp_path):
    def misuse(records):
        return records.where(widht=3)

    def damaged(records):
        return Store.read_only(tmp_path / "nowhere")

    def posing(records):
        raise StoreError("an array is damaged")

    with pytest.raises(CodeError, match=r"UsageError: no such field.*test_broken_code.py:"):
        run_study(
            dataclasses.replace(tiny, run=local(tiny), summarise=misuse), seeds=[0], workers=0
        )
    with pytest.raises(StoreError, match="no study"):
        run_study(
            dataclasses.replace(tiny, run=local(tiny), summarise=damaged), seeds=[0], workers=0
        )
    with pytest.raises(CodeError, match=r"StoreError: an array is damaged; got .*broken_code.py:"):
        run_study(
            dataclasses.replace(tiny, run=local(tiny), summarise=posing), seeds=[0], workers=0
        )


def test_memory_that_runs_out_in_a_summary_is_told_with_its_place(tiny):
    def summarise(records):
        raise MemoryError

    broken = dataclasses.replace(tiny, run=local(tiny), summarise=summarise)
    with pytest.raises(ResourceError, match=r"ran out in summarise of .*broken_code.py:.*more mem"):
        run_study(broken, seeds=[0], workers=0)


@pytest.mark.parametrize("statement", RAISERS.values(), ids=RAISERS)
def test_an_outcome_that_cannot_be_made_again_is_a_store_error_with_its_place(statement):
    if "await" in statement:
        statement = "1 / 0"
    names: dict = {}
    text = f"import asyncio, sys, pytest\ndef __post_init__(self):\n    {statement}"
    exec(compile(text, "own.py", "exec"), names)
    kind = dataclasses.make_dataclass("Outcome", ["size"], namespace=names)
    before = signal.signal(signal.SIGINT, stop)
    try:
        with pytest.raises(StoreError, match=r"Outcome refuses .* at own.py:3 in __post_init__"):
            rebuilt(kind, {"size": 1}, lambda at: None)
    finally:
        signal.signal(signal.SIGINT, before)


def local(tiny):
    """The phenomenon's cells without training, to be run in this process."""

    async def run(c, streams):
        return tiny.outcome(0.25, np.zeros(3))

    return run
