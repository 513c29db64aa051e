"""What a report says, in every state that a study can end in."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from overparam.lab.records import Record, Records
from overparam.lab.verdict import (
    UNKNOWN,
    Interval,
    Verdict,
    decide,
    exceeds,
    judge,
    lies_within,
    stays_below,
)
from overparam.report.content import describe
from overparam.report.facts import design_sentence, head_facts, provenance_rows
from overparam.report.figure_content import plain
from overparam.report.json_report import to_json
from overparam.report.terminal import verdict_table, verdict_text


def _verdicts(**kinds: str) -> dict[str, Verdict]:
    effect = Interval(1.5, 1.2, 1.9, n=5)
    bounds = {"observed": 1.1, "absent": 2.0, "inconclusive": 1.5}
    return {
        arm: decide(effect, at_least=bounds[kind], unit="ratio", rule="rule")
        for arm, kind in kinds.items()
    }


def test_words_of_the_phenomenon(synthetic):
    content = describe(synthetic())
    assert content.claim.startswith("Test error peaks where")
    assert content.control.startswith("Ridge regression")
    assert content.sources == (
        "Belkin et al. 2019, PNAS 116(32), Fig. 2",
        "Nakkiran et al. 2020, Fig. 1.",
    )
    assert content.differs.startswith("1,000 examples")
    assert content.in_practice.endswith("before you tune it.")
    run, target = content.command.split(" --scale ", 1)[0].rsplit(" ", 1)
    assert run == "overparam run"
    assert Path(target).samefile(Path(__file__).with_name("conftest.py"))
    assert content.command.endswith(" --scale standard --seeds 5 --first-seed 0 --set n_train=1000")
    assert content.full_command == f"overparam run {target} --scale full"


@pytest.mark.parametrize(
    ("kinds", "sentence"),
    [
        ({"treatment": "observed", "control": "absent"}, "Observed, and absent from its control."),
        ({"treatment": "observed", "a": "absent", "b": "absent"}, "absent from its controls."),
        ({"treatment": "observed", "a": "observed"}, "but the control shows it too (a)."),
        ({"treatment": "observed", "a": "inconclusive"}, "the control is inconclusive (a)."),
        ({"treatment": "observed"}, "there is no control"),
        ({"treatment": "absent", "control": "absent"}, "Not observed:"),
        ({"treatment": "inconclusive"}, "Inconclusive:"),
        ({"control": "absent"}, "No verdict yet"),
        ({}, "No verdict yet"),
    ],
)
def test_headline(synthetic, kinds, sentence):
    assert sentence in describe(synthetic(verdicts=_verdicts(**kinds))).headline


def test_design_is_read_from_the_condition(synthetic):
    factors = {f.name: f for f in describe(synthetic()).factors}
    assert (factors["n_features"].symbol, factors["n_features"].unit) == ("p", "features")
    assert factors["n_features"].summary == "24 levels: 10, 14, 20, …, 30,000"
    assert factors["arm"].summary == "treatment, control"
    assert factors["n_train"].levels == (1000,)


def test_interrupted_study_names_missing_cells(synthetic):
    whole = synthetic()
    content = describe(synthetic(records=whole.records[:200]))
    assert content.missing.count == 40
    assert "240 cells are recorded" in content.headline
    present = {(r.condition, r.seed) for r in whole.records[:200]}
    missing = [r for r in whole.records if (r.condition, r.seed) not in present]
    cell, seed = missing[0].condition, missing[0].seed
    expected = f"n_features = {cell.n_features:,}, arm = {cell.arm}, seed {seed}"
    assert content.missing.cells[0] == expected
    assert len(content.missing.cells) == 20


def test_diverged_and_failed_cells_are_named(synthetic):
    whole = list(synthetic().records)
    whole[0] = dataclasses.replace(whole[0], status="diverged")
    whole[1] = Record(whole[1].condition, 0, None, "failed", "out of memory")
    content = describe(synthetic(records=Records(whole), figures=[]))
    assert content.diverged.cells == ("n_features = 10, arm = treatment, seed 0",)
    assert content.failed.cells == ("n_features = 14, arm = treatment, seed 0: out of memory",)
    assert content.missing.count == 0


def test_settings_that_no_longer_fit_the_design_are_survived(synthetic):
    content = describe(synthetic(settings={"n_gone": 3}))
    assert content.factors[0].levels[0] == 10  # from the records


def test_json_is_strict_and_complete(synthetic):
    result = synthetic(
        verdicts={
            "treatment": decide(Interval(np.nan, np.nan, np.inf), at_least=1, unit="", rule="r")
        }
    )

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    data = json.loads(to_json(describe(result)), parse_constant=refuse)
    assert data["schema"] == "overparam.report/1.1"
    assert data["arms"][0]["estimate"] is None
    assert data["arms"][0]["high"] is None
    series = data["figures"][0]["data"]["panels"][0]["series"][0]
    np.testing.assert_array_equal(series["dots"], result.figures[0].panels[0].series[0].dots)
    assert data["figures"][2]["data"]["images"][0][4][0][0] is None


def test_plain_reduces_everything_to_json():
    value = {1: (np.float64(2), np.array([1, np.nan])), "b": np.bool_(True), "c": {3}, "d": object}
    assert plain(value) == {"1": [2.0, [1, None]], "b": True, "c": [3], "d": str(object)}


def test_head_facts_and_provenance(synthetic):
    content = describe(synthetic())
    assert head_facts(content) == [
        "2026-11-22 02:30 UTC",
        "cpu on Made-up Processor",
        "1 min 36 s of computing",
        "240 of 240 cells",
        "revision 1 of the experiment, overparam 0.1.0",
    ]
    rows = dict(provenance_rows(content))
    assert rows["Peak memory"] == "812 MiB"
    assert rows["Machine"] == "Made-up Processor, 2 cores, 8 GiB, Linux"
    assert design_sentence(content) == (
        "Scale standard (made up): 240 cells over 5 seeds (0, 1, 2, 3, 4)."
        " Set by hand: n_train = 1,000."
    )


def test_unknown_provenance_is_left_blank_or_shown_as_it_is(synthetic):
    content = describe(synthetic(provenance={}))
    assert head_facts(content) == ["240 of 240 cells", "revision 1 of the experiment"]
    assert dict(provenance_rows(content))["Device"] == "–"
    more = describe(synthetic(provenance={"precision": "bf16", "stack_sizes": [4, 8]}))
    assert dict(provenance_rows(more))["Stack sizes"] == "4, 8"


def test_terminal_table(synthetic):
    content = describe(synthetic())
    text = verdict_text(content)
    assert "treatment  observed  2.63    [2.31, 2.97]  ratio  5" in text
    assert ": shown" not in text
    assert text.endswith(content.headline)
    from rich.console import Console

    console = Console(width=120, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(verdict_table(content))
    shown = console.export_text()
    for part in ("synthetic_descent", "observed", "[2.31, 2.97]", "absent", "1.02"):
        assert part in shown


def _mixed(synthetic, **more):
    known, lacking = Interval(1.5, 1.2, 1.9, n=5), Interval(1.4, 1.1, 1.9, n=4, n_missing=1)
    clauses = [
        exceeds("peak over the end", known, 1.1),
        stays_below("end over the start", Interval(0.98, 0.9, 1.06, n=5), 1.0),
        lies_within("training error", lacking, 1, 2),
        exceeds("width", UNKNOWN, 3, note="no network was wide enough"),
    ]
    verdicts = {
        "treatment": judge(clauses, effect=known, unit="ratio", rule="all of them"),
        "control": decide(known, at_least=1.1, unit="ratio", rule="rule"),
        "other": decide(known, at_least=2.0, unit="ratio", rule="rule"),
    }
    return describe(synthetic(verdicts=verdicts, **more))


def test_clauses_with_their_state_interval_and_bound(synthetic):
    treatment, control, other = _mixed(synthetic).arms
    found = [(c.state, c.bound, c.found) for c in treatment.clauses]
    assert found == [
        ("shown", "above 1.1", "1.50 [1.20, 1.90]"),
        ("undecided", "below 1", "0.98 [0.90, 1.06]"),
        ("undecided", "between 1 and 2", "1 of 5 seeds lacks a cell that it needs"),
        ("undecided", "above 3", "no network was wide enough"),
    ]
    assert treatment.decided_by == (1, 2, 3)
    assert treatment.bounds == (1.1,)
    assert not treatment.as_claimed
    assert (control.kind, control.as_claimed, control.decided_by) == ("observed", False, (0,))
    assert (other.kind, other.as_claimed, other.decided_by) == ("absent", True, (0,))


def test_json_has_the_clauses(synthetic):
    arm = json.loads(to_json(_mixed(synthetic)))["arms"][0]
    assert arm["clauses"][1] == {
        "what": "end over the start",
        "state": "undecided",
        "bound": "below 1",
        "found": "0.98 [0.90, 1.06]",
        "estimate": 0.98,
        "low": 0.9,
        "high": 1.06,
        "n_seeds": 5,
        "n_missing": 0,
        "above": None,
        "below": 1.0,
        "premise": False,
    }
    assert arm["clauses"][3]["estimate"] is None


def test_terminal_says_which_clause_decided_against_the_claim(synthetic):
    text = verdict_text(_mixed(synthetic))
    told = [line for line in text.splitlines() if " is " in line and ": " in line]
    assert told[1:] == [
        "treatment is inconclusive: training error between 1 and 2: undecided"
        " (1 of 5 seeds lacks a cell that it needs)",
        "treatment is inconclusive: width above 3: undecided (no network was wide enough)",
        "control is observed: ratio above 1.1: shown (1.50 [1.20, 1.90])",
    ]
    assert told[0].startswith("treatment is inconclusive: end over the start below 1: undecided")


def test_a_title_is_cut_after_twelve_words(synthetic):
    plain_study = synthetic()
    doc = plain_study.phenomenon.doc.replace("made up for tests.", "word " * 20, 1)
    longer = dataclasses.replace(plain_study.phenomenon, doc=doc)
    title = describe(dataclasses.replace(plain_study, phenomenon=longer)).title
    assert title == "Double descent, " + "word " * 10 + "…"


def test_words_of_a_study_are_printable(synthetic):
    record = synthetic().records[0]
    failed = dataclasses.replace(
        record, status="failed", outcome=None, error="no \ud800 file \x1b[2J"
    )
    content = _mixed(
        synthetic, records=Records([failed]), figures=[], provenance={"no\x00te": ["\uffff"]}
    )
    assert content.failed.cells[0].endswith(r"no \ud800 file \x1b[2J")
    assert content.provenance == {r"no\x00te": [r"\uffff"]}


def test_report_imports_no_torch():
    code = (
        "import sys, overparam.report, overparam.report.html, overparam.report.terminal;"
        "bad = {'torch', 'altair', 'rich', 'jinja2', 'vl_convert', 'scipy', 'sklearn'};"
        "sys.exit(', '.join(bad & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
