"""Plans: within the budget, more of everything with more of it, and dropped from the end."""

import numpy as np
import pytest

from overparam.audits.evidence import STAGES
from overparam.audits.plan import FEWEST_MODELS, MOST_MODELS, plan_audit

BUDGETS = np.geomspace(0.1, 20_000, 120)


def planned(budget, each=1.0, workers=2, **options):
    costs = {"variants": [0.25, 2.0], "references": [1.0] * 3} | options
    return plan_audit(budget, each, workers=workers, **costs)


def counts(plan):
    return [plan.models_of(name) for name in STAGES]


@pytest.mark.parametrize("each", [0.0, 0.001, 1.0, 300.0])
@pytest.mark.parametrize("workers", [1, 2, 16])
def test_a_plan_stays_within_its_budget(each, workers):
    for budget in BUDGETS:
        assert planned(budget, each, workers).seconds <= budget


@pytest.mark.parametrize("each", [0.001, 1.0, 30.0])
@pytest.mark.parametrize("nothing", [{}, {"variants": []}, {"references": []}])
def test_more_budget_buys_more_of_everything(each, nothing):
    found = np.array([counts(planned(budget, each, **nothing)) for budget in BUDGETS])
    assert (np.diff(found, axis=0) >= 0).all()
    assert found[-1].max() == MOST_MODELS or each == 30.0


def test_stages_are_dropped_from_the_end():
    for budget in BUDGETS:
        has = [n > 0 for n in counts(planned(budget))]
        assert has == sorted(has, reverse=True)


def test_models_are_none_or_enough_for_every_row():
    found = {planned(budget).models_of("models") for budget in BUDGETS}
    assert not found & set(range(1, FEWEST_MODELS))


def test_some_of_each_stage_is_trained_before_more_of_any():
    plan = planned(600)
    some, more = plan.rounds
    assert {s.name: s.n_models for s in some} == {
        "one": 1, "models": 10, "variants": 10, "shuffled": 4, "curve": 15, "references": 15,
        "canaries": 10,
    }  # fmt: skip
    assert [(s.name, s.n_models) for s in more] == [
        ("models", MOST_MODELS), ("variants", 20), ("curve", 30), ("references", 30),
        ("cleaned", 20), ("canaries", 20),
    ]  # fmt: skip
    assert sum(s.seconds for s in (*some, *more)) == pytest.approx(plan.seconds)
    some, more = planned(6).rounds
    assert not more
    assert [s.n_models for s in some] == counts(planned(6))


def test_what_is_spent_already_is_not_spent_again():
    assert counts(planned(100, spent=60.0)) == counts(planned(40))
    assert counts(planned(100, spent=200.0)) == [0] * len(STAGES)


def test_what_there_is_nothing_of_keeps_nothing_from_the_rest():
    plan = planned(600, variants=[])
    assert plan.models_of("variants") == 0
    assert plan.models_of("references") > 0


def test_longer_variants_cost_more():
    short, long = (planned(600, variants=[cost]) for cost in (0.25, 2.0))
    seconds = [next(s.seconds for s in p.stages if s.name == "variants") for p in (short, long)]
    assert seconds[1] == pytest.approx(8 * seconds[0])


def test_a_plan_says_what_it_does_not_pay_for():
    told = planned(8).lines()
    assert told[0].startswith("plan: ")
    assert "the budget does not pay for it" in told[-2]
    assert "memorization score" in told[-1]
