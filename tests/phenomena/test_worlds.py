"""Made-up worlds of which the truth is known, put to every phenomenon's own rule.

A world says what every cell of a seed gives; `tests/phenomena/worlds/` has a module for every
chapter, with worlds without the effect (`NULLS`) and one with it (`EFFECTS`). Phenomena are found
by discovery: one without worlds fails here.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import math
import re

import numpy as np
import pytest

from overparam import phenomena
from overparam.lab.figure import Chart, HeatMap, ImageGrid, NetworkGallery, Table
from overparam.lab.phenomenon import TREATMENT
from overparam.lab.records import Records
from overparam.lab.study import conclude
from tests.phenomena.verdicts import kinds_of
from tests.phenomena.worlds.studies import (
    World,
    conditions_of,
    diverged,
    failed,
    planned,
    study,
    unrun,
)

NAMES = phenomena.names()
N_STUDIES = 400
# One end of a 95 % interval, and two standard errors of a share of so many studies.
MOST_FALSE = 0.025 + 2 * math.sqrt(0.025 * 0.975 / N_STUDIES)
N_DAMAGES = 12
UNMEASURED = re.compile(r"not measured|unknown|no interval|\b1 images\b|\b1 seeds\b", re.I)
NOT_A_NUMBER = re.compile(r"(?<![a-z])[-+]?(nan|inf)(?![a-z])", re.I)


def planted_in(name: str) -> dict[str, list[World]]:
    """Worlds in which a control's own sentence is false, by the control."""
    module = importlib.import_module(f"tests.phenomena.worlds.{name.split('/')[0]}")
    return module.PLANTED.get(name, {})


def worlds_of(name: str) -> tuple[list[World], World | None]:
    module = importlib.import_module(f"tests.phenomena.worlds.{name.split('/')[0]}")
    return module.NULLS.get(name, []), module.EFFECTS.get(name)


def every_null() -> list:
    found = []
    for name in NAMES:
        try:
            nulls, _ = worlds_of(name)
        except ModuleNotFoundError:  # told by the next test
            continue
        found += [pytest.param(name, w, id=f"{name}-{w.__name__}") for w in nulls]
    return found


@pytest.mark.parametrize("name", NAMES)
def test_it_has_worlds(name):
    nulls, effect = worlds_of(name)
    assert len(nulls) >= 2, "give the ways in which there can be no effect"
    assert effect is not None


@pytest.mark.parametrize(("name", "world"), every_null())
def test_no_effect_is_rarely_observed(name, world):
    found = phenomena.find(name)
    n_observed = 0
    for i in range(N_STUDIES):
        summary = found.summarise(study(name, world, i))[TREATMENT]
        n_observed += found.verdict(summary).kind == "observed"
    assert n_observed <= MOST_FALSE * N_STUDIES


@pytest.mark.parametrize("name", NAMES)
def test_an_effect_is_observed_and_its_controls_are_absent(name):
    found = phenomena.find(name)
    for i in range(8):
        summaries = found.summarise(study(name, worlds_of(name)[1], i))
        kinds = {arm: found.verdict(summary).kind for arm, summary in summaries.items()}
        assert kinds.pop(TREATMENT) == "observed"
        assert set(kinds.values()) == {"absent"}


@pytest.mark.parametrize("name", NAMES)
def test_a_control_of_which_the_sentence_is_false_is_never_absent(name):
    found = phenomena.find(name)
    arms = set(found.summarise(study(name, worlds_of(name)[1], 0))) - {TREATMENT}
    assert set(planted_in(name)) == arms, "plant the effect in every control"
    for arm, worlds in planted_in(name).items():
        for world in worlds:
            kinds = [
                found.verdict(found.summarise(study(name, world, i))[arm]).kind for i in range(8)
            ]
            assert "absent" not in kinds, world.__name__
            assert "observed" in kinds, world.__name__


@pytest.mark.parametrize("name", NAMES)
def test_what_is_missing_never_makes_an_effect(name):
    """A third of the cells failed, diverged or were not run."""
    nulls, effect = worlds_of(name)
    for i, world in enumerate([effect, *nulls[:2]]):
        generator = np.random.default_rng(i)
        for k in range(N_DAMAGES):
            whole = study(name, world, k % 4)
            lost = generator.random(len(whole)) < 1 / 3
            kinds = [(failed,), (diverged,), (unrun,), (failed, diverged, unrun)][k % 4]
            damaged = [
                r if not gone else kinds[generator.integers(len(kinds))](r)
                for r, gone in zip(whole, lost, strict=True)
            ]
            kept = Records([r for r in damaged if r is not None])
            expect_no_more(name, whole, kept, with_figures=k < 4 and i < 2)


@pytest.mark.parametrize("name", NAMES)
def test_whole_parts_that_are_missing_never_make_an_effect(name):
    """A level, a side, an arm, in all seeds or in all but one; all seeds but one."""
    nulls, effect = worlds_of(name)
    for world in (effect, nulls[0]):
        whole = study(name, world, 0)
        for part in parts_of(name):
            for spared in (None, 0):  # the seed in which nothing is missing
                kept = [r for r in whole if r.seed == spared or r.condition not in part]
                expect_no_more(name, whole, Records(kept))
        expect_no_more(name, whole, whole.where(lambda r: r.seed == 0))
        lost = [r if r.seed == 0 else diverged(r) for r in whole]
        expect_no_more(name, whole, Records(lost))


def parts_of(name: str) -> list[set]:
    """Sets of conditions that agree in a field, or lie on one side of its middle."""
    conditions = conditions_of(name)
    parts = []
    for field in dataclasses.fields(conditions[0]):
        values = sorted({getattr(c, field.name) for c in conditions})
        if len(values) < 2:
            continue
        middle = values[len(values) // 2]
        chosen = [{v} for v in values]
        if len(values) > 2:
            chosen += [{v for v in values if v < middle}, {v for v in values if v > middle}]
        parts += [{c for c in conditions if getattr(c, field.name) in some} for some in chosen]
    return [part for part in parts if len(part) < len(conditions)]


@functools.cache
def kinds_by(name: str, whole: Records) -> dict[str, str]:
    return kinds_of(phenomena.find(name), whole)


def expect_no_more(name: str, whole: Records, damaged: Records, with_figures: bool = True) -> None:
    """Demand that no arm is observed that was not, that none vanishes, and that no text has nan."""
    found, before = phenomena.find(name), kinds_by(name, whole)
    if not with_figures:
        found = dataclasses.replace(found, figures=lambda summaries, records: [])
    verdicts, figures, _ = conclude(found, damaged, planned(name, whole))
    if len(damaged.measured):
        assert set(verdicts) == set(before)
    for arm, verdict in verdicts.items():
        assert verdict.kind != "observed" or before.get(arm) == "observed"
        said = [verdict.reason, verdict.rule, *map(str, verdict.clauses)]
        for figure in figures:
            assert not UNMEASURED.search(figure.title), figure.title
        for text in [*said, *(t for f in figures for t in texts_of(f))]:
            assert not NOT_A_NUMBER.search(text), text


def texts_of(figure) -> list[str]:
    """Every text of a figure that a reader sees."""
    texts = [figure.title, figure.caption]
    if isinstance(figure, Chart):
        for panel in figure.panels:
            texts += [
                panel.title,
                *(s.label for s in panel.series),
                *(r.label for r in panel.rules),
            ]
    elif isinstance(figure, Table):
        texts += [str(cell) for column in figure.columns.values() for cell in column]
    elif isinstance(figure, HeatMap):
        texts += [*figure.y_labels, *figure.x_labels]
        texts += [t for panel in figure.notes or () for row in panel for t in row]
    elif isinstance(figure, ImageGrid):
        texts += [*figure.row_labels, *figure.column_labels]
        texts += [t for row in figure.notes or () for t in row]
    elif isinstance(figure, NetworkGallery):
        texts += [t for v in figure.views for t in (v.label, v.note, *v.layer_labels)]
    return [str(t) for t in texts]
