"""Recipes: what is refused, schedules by their formulas, traced epochs."""

from __future__ import annotations

import math

import numpy as np
import pytest

from overparam.errors import UsageError
from overparam.training.recipe import Recipe, Schedule


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"loss": "cross_entrpy"}, "did you mean 'cross_entropy'"),
        ({"optimizer": "sdg"}, "did you mean 'sgd'"),
        ({"precision": "float16"}, "unknown precision"),
        ({"learning_rate": 0}, "learning_rate is out of range"),
        ({"momentum": 1.0}, "momentum is out of range"),
        ({"weight_decay": -1}, "weight_decay is out of range"),
        ({"betas": (0.9, 1.0)}, "betas is out of range"),
        ({"batch_size": 0}, "batch_size is out of range"),
        ({"steps": 3}, "either epochs or steps"),
        ({"epochs": None}, "either epochs or steps"),
        ({"epochs": 0}, "epochs is out of range"),
        ({"stop_at_error": 2}, "stop_at_error is out of range"),
        ({"stop_at_loss": -1}, "stop_at_loss is out of range"),
        ({"trace": "all"}, "unknown trace"),
        ({"trace": 0}, "trace is out of range"),
        ({"learning_rate": math.nan}, "learning_rate is out of range"),
        ({"epochs": 1.5}, "must be a whole number"),
        (
            {"schedule": "cosine"},
            r"must be a Schedule; got 'cosine'.*op\.Schedule\('cosine', \.\.\.\)",
        ),
        ({"schedule": None}, r"must be a Schedule.*allowed: op\.Schedule\(\.\.\.\)"),
        (
            {"optimizer": "adam", "momentum": 0.9},
            "momentum has no effect with 'adam'.*with sgd; leave momentum",
        ),
        ({"betas": (0.1, 0.1)}, "betas has no effect with 'sgd'.*adam, adamw; leave betas out"),
        ({"eps": 1e-3}, "eps has no effect with 'sgd'"),
    ],
)
def test_what_makes_no_sense_is_refused(wrong, message):
    with pytest.raises(UsageError, match=message):
        Recipe(**({"epochs": 1} | wrong))


def test_schedules():
    at = lambda s, step, total=100: s.at(step, total)  # noqa: E731
    assert [at(Schedule("exponential", rate=0.5, period=10), t) for t in (0, 9, 10, 25)] == [
        1, 1, 0.5, 0.25]  # fmt: skip
    assert [at(Schedule("inverse_sqrt", period=4), t) for t in (0, 12)] == [1, 0.5]
    assert at(Schedule("cosine"), 50) == pytest.approx(0.5)
    steps = Schedule("milestones", rate=0.2, milestones=(0.3, 0.6))
    assert [at(steps, t) for t in (29, 30, 60)] == pytest.approx([1, 0.2, 0.04])
    assert [at(Schedule(warmup=3), t) for t in range(4)] == [0.25, 0.5, 0.75, 1]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "linear"}, "unknown schedule"),
        ({"kind": "milestones"}, r"milestones has none.*such as \(0\.5, 0\.75\)"),
        ({"kind": "milestones", "milestones": []}, "milestones has none"),
        ({"kind": "milestones", "milestones": (0.75, 0.25)}, "milestones must rise.*sort them"),
        ({"kind": "milestones", "milestones": (0.5, 0.5)}, "milestones must rise"),
        ({"kind": "milestones", "milestones": (50,)}, "milestones is out of range; got 50"),
        ({"kind": "milestones", "milestones": (-1.0, 1.5)}, "milestones is out of range"),
        ({"kind": "milestones", "milestones": (math.nan,)}, "milestones is out of range"),
        ({"kind": "milestones", "milestones": (0.0, 1.0)}, "milestones is out of range"),
        ({"kind": "milestones", "milestones": ("a",)}, "milestones must be a number"),
        ({"kind": "milestones", "milestones": "ab"}, "milestones are numbers; got 'ab'"),
        ({"kind": "milestones", "milestones": 0.5}, "milestones are numbers; got 0.5"),
        ({"kind": "cosine", "rate": 0.5}, "rate has no effect with 'cosine'; got 0.5; allowed: rate"
         " with exponential, milestones; leave rate out"),
        ({"milestones": (0.5,), "rate": 0.1}, "rate has no effect with 'constant'"),
        ({"kind": "exponential", "milestones": (0.5,)}, "milestones has no effect"),
        ({"kind": "milestones", "milestones": (0.5,), "period": 3}, "period has no effect"),
    ],
)  # fmt: skip
def test_schedules_that_make_no_sense_are_refused(settings, message):
    with pytest.raises(UsageError, match=message):
        Schedule(**settings)


def test_milestones_may_be_any_sequence():
    kept = Schedule("milestones", rate=0.1, milestones=(0.25, 0.5))
    for given in ([0.25, 0.5], np.array([0.25, 0.5])):
        assert Schedule("milestones", rate=0.1, milestones=given) == kept
    assert hash(Schedule("milestones", rate=0.1, milestones=[0.25, 0.5])) == hash(kept)


def test_steps_and_epochs():
    recipe = Recipe(epochs=3, batch_size=32)
    assert (recipe.steps_per_epoch(100), recipe.n_steps(100)) == (4, 12)
    assert Recipe(steps=9, batch_size=32).n_epochs(100) == 3
    assert Recipe(epochs=3, batch_size=None).n_steps(100) == 3
    assert Recipe(epochs=3, batch_size=500).n_steps(100) == 3


def test_traced_epochs():
    assert Recipe(epochs=5, trace="every").traced_epochs(10) == (1, 2, 3, 4, 5)
    assert Recipe(epochs=5).traced_epochs(10) == (5,)
    grid = Recipe(epochs=1000, trace="log").traced_epochs(10)
    assert grid[:8] == (1, 2, 3, 4, 5, 6, 7, 8)
    assert grid[-1] == 1000
    assert len(grid) < 90


def test_recipes_of_one_stack_may_differ_in_rates_only():
    one = Recipe(epochs=1, learning_rate=0.1, weight_decay=0.1)
    assert one.stack_key() == Recipe(epochs=1, learning_rate=0.3, momentum=0.5).stack_key()
    assert one.stack_key() != Recipe(epochs=2).stack_key()


def test_a_stop_rule_needs_epochs_at_which_it_is_asked():
    for rule in ({"stop_at_error": 0.0}, {"stop_at_loss": 0.1}):
        with pytest.raises(UsageError, match=r"asked at traced epochs.*add trace='every'"):
            Recipe(epochs=3, **rule)
        assert Recipe(epochs=3, trace="every", **rule).trace == "every"


def test_betas_may_be_any_pair():
    listed = Recipe(epochs=1, optimizer="adam", betas=[0.8, 0.9])
    assert listed == Recipe(epochs=1, optimizer="adam", betas=(0.8, 0.9))
    assert hash(listed.stack_key()) == hash(
        Recipe(epochs=1, optimizer="adam", betas=(0.8, 0.9)).stack_key()
    )
    for wrong in (0.9, (0.9,), (0.9, 0.9, 0.9)):
        with pytest.raises(UsageError, match="betas are two numbers"):
            Recipe(epochs=1, optimizer="adam", betas=wrong)


def test_losses_of_the_users_own_are_one_where_they_compute_the_same():
    def scaled(by):
        return lambda outputs, labels: by * outputs.square().sum(1)

    keys = [Recipe(epochs=1, loss=scaled(by)).stack_key() for by in (1, 1, 2)]
    assert keys[0] == keys[1] != keys[2]
    assert "0x" not in repr(keys[0])
    generators = [(lambda g: lambda f, y: f.sum(1) * next(g))(iter([1.0])) for _ in range(2)]
    unknown = [Recipe(epochs=1, loss=loss).stack_key() for loss in generators]
    assert unknown[0] != unknown[1]
