"""Studies: the same records whatever the workers and interruptions, and nothing finished lost."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from overparam.errors import ResourceError, StoreError, UsageError
from overparam.lab.design import plan_units
from overparam.lab.plan import plan_study
from overparam.lab.pool import Pool
from overparam.lab.runner import load_study, run_study
from overparam.lab.store import Store
from overparam.stopping import stop
from tests.lab.conftest import TINY
from tests.lab.test_broken_code import local

KILLS = 6


@pytest.fixture(scope="module")
def reference(tiny):
    """All records at standard scale, by one worker, without interruption."""
    return contents(run_study(tiny, workers=1))


def contents(result) -> list[tuple]:
    """Everything of the records that must not depend on how they came about."""
    return [
        (r.condition, r.seed, r.status, r.outcome.train_error, r.outcome.weights.tobytes())
        for r in result.records
    ]


def test_records_do_not_depend_on_the_number_of_workers(tiny, reference):
    assert contents(run_study(tiny, workers=2)) == reference


def test_workers_that_are_there_already_serve_one_study_after_another(tiny, reference):
    with Pool(2) as pool:
        assert contents(run_study(tiny, pool=pool)) == reference
        workers = [w.process.pid for w in pool._workers]
        assert contents(run_study(tiny, pool=pool)) == reference
        assert plan_study(tiny, seeds=[0], pool=pool).n_cells
        assert [w.process.pid for w in pool._workers] == workers


def test_units_that_time_did_not_suffice_for_are_records_that_say_so(tiny, reference, tmp_path):
    with Pool(1, deadline=time.monotonic()) as pool:
        late = run_study(tiny, pool=pool, folder=tmp_path)
    assert {r.status for r in late.records} == {"failed"}
    assert "the time was over before it began" in late.records[0].error
    assert contents(run_study(tiny, workers=2, folder=tmp_path)) == reference


def test_records_do_not_depend_on_the_other_seeds(tiny, reference):
    some = contents(run_study(tiny, seeds=[3, 1], workers=2))
    assert some == [r for r in reference if r[1] == 3] + [r for r in reference if r[1] == 1]


@pytest.mark.parametrize("workers", [1, 2])
def test_without_a_choices_file_runs_agree_and_measure_nothing(tiny, monkeypatch, workers):
    monkeypatch.setenv("OVERPARAM_CC", "'")
    result = run_study(tiny, seeds=[0], workers=workers, choices_path=None)
    monkeypatch.delenv("OVERPARAM_CC")
    again = run_study(tiny, seeds=[0], workers=1, choices_path=None)
    assert contents(result) == contents(again)
    (note,) = [n for n in result.provenance["notes"] if "compiled" in n]
    assert note.startswith('compiled code is not used: OVERPARAM_CC is not a command: "\'"')


def test_verdicts(tiny):
    result = run_study(tiny, workers=2)
    assert {arm: v.kind for arm, v in result.verdicts.items()} == {
        "treatment": "observed", "control": "absent"}  # fmt: skip
    assert next(iter(result.verdicts)) == "treatment"
    assert result.complete
    words = result.command().split()
    assert Path(words[2]).samefile(TINY)
    assert " ".join(words[3:]) == "--scale standard --seeds 4 --first-seed 0"


def test_an_interrupted_study_goes_on_where_it_was(tiny, reference, tmp_path):
    def stop(advance):
        if advance.cells_done >= 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_study(tiny, workers=2, folder=tmp_path, on_progress=stop)
    partial = load_study(tmp_path, tiny)
    assert not partial.complete
    kept = {(r.condition, r.seed): r.provenance["seconds"] for r in partial.records}
    assert len(kept) >= 2
    whole = run_study(tiny, workers=1, folder=tmp_path)
    assert contents(whole) == reference
    # What was kept was not run again: its own measured seconds are still there.
    again = {(r.condition, r.seed): r.provenance["seconds"] for r in whole.records}
    assert {cell: again[cell] for cell in kept} == kept
    assert contents(load_study(tmp_path, tiny)) == reference


def has_tables(file):
    if not file.exists():
        return False
    with contextlib.closing(sqlite3.connect(file)) as connection:
        return connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] > 0


@pytest.mark.slow
def test_killed_at_random_moments_nothing_finished_is_lost(tiny, tmp_path):
    settings = {"trouble": "nap"}
    expected = contents(run_study(tiny, workers=2, settings=settings))
    script = (
        "from pathlib import Path; from overparam.phenomena import find\n"
        "from overparam.lab.runner import run_study\n"
        f"run_study(find({str(TINY)!r}), workers=2, settings={settings!r},"
        f" folder=Path({str(tmp_path)!r}))"
    )
    moments = random.Random(7)
    seen: dict = {}
    for _ in range(KILLS):
        process = subprocess.Popen([sys.executable, "-c", script])
        time.sleep(moments.uniform(1.0, 4.5))
        process.send_signal(signal.SIGKILL)
        process.wait()
        if not has_tables(tmp_path / "study.sqlite"):
            assert not seen
            continue
        with Store.read_only(tmp_path) as store:
            assert store.check() == []
            found = {(r.condition, r.seed): r.provenance for r in store.read(tiny)}
        assert {cell: found[cell] for cell in seen} == seen
        seen = found
    whole = run_study(tiny, workers=2, settings=settings, folder=tmp_path)
    assert contents(whole) == expected
    again = {(r.condition, r.seed): r.provenance for r in whole.records}
    assert {cell: again[cell] for cell in seen} == seen


@pytest.mark.parametrize(
    ("trouble", "text"),
    [("raise", "ValueError: this cell is broken at tiny_phenomenon.py:"),
     ("wrong type", "run returned str, not Outcome")],
)  # fmt: skip
def test_a_broken_cell_is_a_record_that_says_so(tiny, reference, trouble, text):
    result = run_study(tiny, workers=1, settings={"trouble": trouble})
    failed = [r for r in result.records if r.status == "failed"]
    assert [(r.condition.width, r.seed) for r in failed] == [(12, 1)]
    assert text in failed[0].error
    assert len(result.records) == len(reference)
    assert result.verdicts["control"].kind == "absent"


def test_a_lost_worker_costs_only_its_unit_and_is_tried_again_on_resume(tiny, tmp_path):
    settings = {"trouble": "exit"}
    result = run_study(tiny, workers=2, settings=settings, folder=tmp_path)
    failed = [(r.condition.width, r.seed) for r in result.records if r.status == "failed"]
    assert failed == [(24, 1), (12, 1)]
    assert any("was lost" in note for note in result.provenance["notes"])
    with Store.open(tmp_path, tiny) as store:
        assert store.forget_failed() == 2
        assert len(store.keys()) == 14


def test_a_diverged_cell_is_marked(tiny):
    result = run_study(tiny, seeds=[0], workers=1, settings={"learning_rate": 1e30})
    assert {r.status for r in result.records} == {"diverged"}


def test_settings_hold_a_swept_factor(tiny):
    assert [c.width for c in tiny.conditions("smoke", {"width": 5})] == [5, 5]
    with pytest.raises(UsageError, match="did you mean 'width'"):
        tiny.conditions("smoke", {"widht": 5})
    with pytest.raises(UsageError, match="width is out of range"):
        tiny.conditions("smoke", {"width": 0})
    with pytest.raises(UsageError, match="width must be a whole number"):
        tiny.conditions("smoke", {"width": "2.5"})
    with pytest.raises(UsageError, match="width must be a number"):
        tiny.conditions("smoke", {"width": "wide"})
    with pytest.raises(UsageError, match="unknown trouble"):
        tiny.conditions("smoke", {"trouble": "none"})
    with pytest.raises(UsageError, match="unknown scale"):
        tiny.conditions("smok")


def test_a_child_that_a_cell_forks_does_not_go_on_as_the_worker(tiny):
    plain, forked = (
        run_study(tiny, "smoke", workers=1, settings={"trouble": trouble})
        for trouble in ("", "fork")
    )
    assert forked.complete
    found = [[r.outcome.train_error for r in study.records] for study in (plain, forked)]
    assert found[0] == found[1]


def test_wrong_arguments_are_told(tiny):
    with pytest.raises(UsageError, match="number of seeds is out of range"):
        run_study(tiny, seeds=[])
    with pytest.raises(UsageError, match="seed is out of range"):
        run_study(tiny, seeds=[-1])
    with pytest.raises(UsageError, match="unknown device"):
        run_study(tiny, device="gpu")
    with pytest.raises(UsageError, match="workers is out of range"):
        run_study(tiny, workers=-1)


def test_two_runs_on_one_folder_exclude_each_other(tiny, tmp_path):
    with Store.open(tmp_path, tiny), pytest.raises(StoreError, match="writ"):
        run_study(tiny, folder=tmp_path)


def test_a_folder_that_cannot_be_made_is_told(tiny, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises((ResourceError, StoreError), match="file"):
        run_study(tiny, folder=tmp_path / "file" / "study")


def test_units_hold_cells_of_one_seed(tiny):
    conditions = tiny.conditions("standard")
    units = plan_units(tiny, conditions, [0, 5])
    assert [(u.seed, len(u.conditions)) for u in units] == [(0, 2), (0, 2), (5, 2), (5, 2)]
    assert len({k for u in units for k in u.keys}) == 8
    assert plan_units(tiny, conditions, [5])[0] == units[2]


def test_a_plan_counts_without_training(tiny):
    plan = plan_study(tiny, seeds=range(10), workers=2)
    assert (plan.n_cells, plan.n_units, plan.n_models) == (40, 20, 40)
    # 60 epochs of 60 rows: 3 x 2 (5 h + 2 h) operations per row, without the inputs' gradient.
    flops = sum(60 * 60 * (6 * 7 * h - 2 * 5 * h) for h in (24, 12, 1, 2)) * 10
    assert plan.flops == pytest.approx(flops)
    assert 0 < plan.wall_seconds <= plan.core_seconds


def test_more_workers_than_units_cost_nothing(tiny):
    plan = plan_study(tiny, "smoke", workers=2**62)
    least = plan_study(tiny, "smoke", workers=plan.n_units)
    assert plan.memory_bytes < 2 * least.memory_bytes
    with pytest.raises(UsageError, match="workers is out of range; got -1"):
        plan_study(tiny, "smoke", workers=-1)


def test_a_signal_ends_the_study_and_keeps_what_was_finished(tiny, tmp_path):
    async def run(c, streams):
        if c.width == 1:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(1)
        return await tiny.run(c, streams)

    for handler in (stop, signal.default_int_handler):
        before = signal.signal(signal.SIGINT, handler)
        folder = tmp_path / handler.__name__
        phenomenon = dataclasses.replace(tiny, run=run)
        try:
            with pytest.raises(KeyboardInterrupt):
                run_study(phenomenon, seeds=[0], workers=0, folder=folder)
        finally:
            signal.signal(signal.SIGINT, before)
        assert len(load_study(folder, phenomenon).records) == 2


def test_a_cell_may_go_to_another_folder(tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()

    async def run(c, streams):
        os.chdir(tmp_path / "elsewhere")
        return await tiny.run(c, streams)

    phenomenon = dataclasses.replace(tiny, run=run)
    assert run_study(phenomenon, seeds=[0], workers=0, folder=Path("mine")).complete
    assert load_study(tmp_path / "mine", phenomenon).complete


def test_a_seed_named_twice_counts_once(tiny):
    phenomenon = dataclasses.replace(tiny, run=local(tiny))
    result = run_study(phenomenon, seeds=[1, 0, 1, 0], workers=0)
    assert (result.seeds, result.n_planned, len(result.records)) == ((1, 0), 8, 8)
    assert plan_study(tiny, seeds=[0, 0, 1], workers=1).n_cells == 8


def test_a_rerun_of_a_finished_study_keeps_how_it_was_run(tiny, tmp_path):
    phenomenon = dataclasses.replace(tiny, run=local(tiny))
    first = run_study(phenomenon, seeds=[0], workers=0, folder=tmp_path).provenance
    again = run_study(phenomenon, seeds=[0], workers=2, folder=tmp_path).provenance
    assert again == first
    more = run_study(phenomenon, seeds=[0, 1], workers=0, folder=tmp_path).provenance
    assert more["wall_seconds"] > first["wall_seconds"]


def test_a_plan_says_where_a_rule_may_end_training_sooner(tiny):
    from overparam.training.request import Cost

    assert plan_study(tiny, "smoke", workers=1).may_end_sooner is False
    assert (Cost() + Cost(may_end_sooner=True)).may_end_sooner


ENDING = """
import functools, json, os, sys
from overparam.lab.runner import run_study

ARRAY, TENSOR = np.arange(200_000.0), torch.arange(400_000.0)[5:]
plain_run, PIDS = run, sys.argv[1]

@functools.cache
def total(name):
    open(os.path.join(PIDS, str(os.getpid())), "a").write(name)
    return {"array": ARRAY, "tensor": TENSOR}[name].sum().item()

async def run(c, streams):
    found = await plain_run(c, streams)
    assert isinstance(c, Condition) and type(found) is Outcome
    added = 1e-12 * (total("array") + total("tensor"))
    return replace(found, train_error=found.train_error + added)

phenomenon = replace(PHENOMENON, run=run)
told = []
for workers in (2, 0):
    found = run_study(phenomenon, "smoke", workers=workers).records
    assert all(isinstance(r.outcome, Outcome) for r in found)
    assert all(type(r.condition) is Condition for r in found)
    told.append([(r.seed, r.outcome.train_error, r.outcome.weights.tolist()) for r in found])
print(json.dumps([told[0] == told[1], len(told[0]), os.getpid()]))
"""


def test_functions_of_a_notebook_run_in_workers_and_give_the_same_records(tmp_path):
    """As text given to the interpreter: no other process can find what it defines."""
    text = TINY.read_text().replace("from __future__ import annotations", "") + ENDING
    command = [sys.executable, "-c", text, tmp_path]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    same, n, parent = json.loads(found.stdout)
    assert (same, n) == (True, 8)
    computed = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert len(computed) == 3  # two workers, and then this process
    assert str(parent) in computed
    assert set(computed.values()) == {"arraytensor"}  # once each: what is cached stays cached
