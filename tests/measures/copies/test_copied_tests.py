"""What leaks flatter: by hand, coverage over worlds, harmless copies, bad input."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.special import expit

from overparam.errors import DataError, UsageError
from overparam.measures import cost_of_leaks, find_duplicates


def test_compared_by_hand():
    loss = [[1, 0, 1, 0, 0], [1, 1, 1, 0, 1]]
    found = cost_of_leaks(loss, list("vwxab"), list("abc"))
    assert (found.loss, found.loss_with_copies) == (0.6, 0.25)
    assert found.loss_without_copies == pytest.approx(5 / 6)
    assert found.cost == pytest.approx(5 / 6 - 0.6)
    assert (found.n, found.n_leaked, found.n_judged, found.n_models) == (5, 2, 2, 2)
    assert not found.is_causal
    assert found.low < found.cost < found.high


def test_causal_by_hand():
    """Row 0 is wrong but for models that saw its copy; row 1 always right; row 2 has no copy."""
    in_subset = np.array([[1, 0], [1, 1], [0, 1], [0, 0]])
    loss = [[0, 0, 1], [0, 0, 1], [1, 0, 1], [1, 0, 0]]
    found = cost_of_leaks(loss, [5, 6, 7], [5, 6], in_subset)
    assert found.cost == pytest.approx(1 / 3)
    assert (found.loss_without_copies, found.n_judged, found.is_causal) == (0.5, 2, True)
    single = cost_of_leaks([row[:1] for row in loss], [5], [5, 6], in_subset)
    assert single.cost == 1


def test_any_of_several_copies_teaches():
    in_subset = np.array([[1, 0], [0, 1], [0, 0], [0, 0]])
    found = cost_of_leaks([[0.0], [0.0], [2.0], [4.0]], ["a"], ["a", "a"], in_subset)
    assert found.cost == 3


def test_no_leak_costs_nothing():
    found = cost_of_leaks([0, 1], [1, 2], [3])
    assert (found.cost, found.low, found.high, found.is_found) == (0, 0, 0, False)
    assert (found.loss, found.loss_without_copies) == (0.5, 0.5)
    assert np.isnan(found.loss_with_copies)


def test_groups_of_duplicates():
    train, test = [[1], [2], [2]], [[2], [9], [9]]
    found = find_duplicates(train, test)
    cost = cost_of_leaks([0, 1, 1], found.group_of_other, found.group)
    assert cost.n_leaked == 1
    assert cost.cost == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("n", "n_leaked", "clean", "copied"),
    [(200, 20, 0.2, 0.05), (500, 15, 0.1, 0.0), (2000, 100, 0.05, 0.01), (60, 12, 0.1, 0.1)],
)
def test_one_model_is_covered(n, n_leaked, clean, copied):
    truth = n_leaked / n * (clean - copied)
    hits = found = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        loss = rng.random(n) < np.where(np.arange(n) < n - n_leaked, clean, copied)
        cost = cost_of_leaks(loss, np.arange(n), np.arange(n - n_leaked, n))
        hits += cost.low <= truth <= cost.high
        found += cost.is_found
    assert hits / 300 >= 0.93
    if clean == copied:
        assert found / 300 <= 0.06


def world(rng, n_models, n, n_leaked, helps, real=False):
    """Rows of different difficulty and models of different skill; a copy lowers the log odds."""
    in_subset = rng.random((n_models, n_leaked + 30)) < 0.6
    has = np.zeros((n_models, n), bool)
    has[:, n - n_leaked :] = in_subset[:, :n_leaked]
    odds = rng.normal(-1, 2, n) + rng.normal(0, 0.5, n_models)[:, None]
    wrong = expit(odds - helps * has)
    loss = wrong + 0.1 * rng.normal(size=wrong.shape) if real else rng.random(wrong.shape) < wrong
    return loss, np.arange(n), np.arange(n - n_leaked, n + 30), in_subset


@pytest.mark.parametrize(
    ("n_models", "n", "n_leaked", "helps", "real"),
    [(20, 200, 20, 1.0, False), (10, 100, 20, 0.0, False), (8, 300, 40, 3.0, False),
     (12, 100, 30, 1.0, True), (12, 100, 30, 0.0, True)],
)  # fmt: skip
def test_the_causal_cost_is_covered(n_models, n, n_leaked, helps, real):
    odds = np.random.default_rng(99).normal(-1, np.hypot(2, 0.5), 200_000)
    truth = (expit(odds) - expit(odds - helps)).mean() * n_leaked / n
    hits = found = 0
    for seed in range(150):
        made = world(np.random.default_rng(seed), n_models, n, n_leaked, helps, real)
        cost = cost_of_leaks(*made)
        hits += cost.low <= truth <= cost.high
        found += cost.is_found
    assert hits / 150 >= 0.92
    if helps == 0:
        assert found / 150 <= 0.08
    if helps == 3:
        assert found / 150 > 0.9


def test_leaked_rows_that_are_easy_anyway_are_cleared_by_the_causal_version():
    rng = np.random.default_rng(0)
    n, n_leaked, n_models = 400, 100, 12
    in_subset = rng.random((n_models, n_leaked)) < 0.5
    loss = rng.random((n_models, n)) < np.where(np.arange(n) < n - n_leaked, 0.4, 0.0)
    groups = np.arange(n), np.arange(n - n_leaked, n)
    assert cost_of_leaks(loss, *groups).is_found  # as if the copies were what makes them right
    causal = cost_of_leaks(loss, *groups, in_subset)
    assert not causal.is_found
    assert causal.cost == 0
    assert 0 < causal.high < 0.02  # harmless, and known to be


@pytest.mark.parametrize("kind", ["one model", "numbers", "several models", "causal"])
def test_copies_within_the_test_set_are_one_draw(kind):
    loss, test, train, in_subset = world(
        np.random.default_rng(1), 10, 60, 20, 1.0, real=kind == "numbers"
    )
    loss = loss[0] if kind == "one model" else loss
    masks = in_subset if kind == "causal" else None
    once = cost_of_leaks(loss, test, train, masks)
    often = cost_of_leaks(np.tile(loss, 5), np.tile(test, 5), train, masks)
    np.testing.assert_allclose(
        [often.cost, often.low, often.high], [once.cost, once.low, once.high], rtol=1e-9
    )
    assert (often.n, often.n_leaked) == (5 * once.n, 5 * once.n_leaked)


def test_two_inputs_written_down_often_tell_nothing():
    found = cost_of_leaks(np.repeat([0, 1], 20), np.repeat([0, 7], 20), [0, 1, 2])
    assert (found.cost, found.is_found) == (0.5, False)


@pytest.mark.parametrize(
    ("sizes", "n_leaked", "n_models"),
    [([5] * 12, 4, 1), ([5] * 10 + [1] * 100, 10, 1), ([5] * 12, 4, 6)],
)
def test_leaks_with_copies_are_not_found_where_there_is_nothing(sizes, n_leaked, n_models):
    inputs, found = np.repeat(np.arange(len(sizes)), sizes), 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        hard = rng.beta(0.2, 0.8, len(sizes))
        loss = (rng.random((n_models, len(sizes))) < hard)[:, inputs]
        found += cost_of_leaks(loss, inputs, np.arange(n_leaked)).is_found
    assert found / 300 <= 0.08  # nominal .05


@pytest.mark.parametrize(("n_leaked", "n_others"), [(10, 50), (30, 200)])
def test_no_cost_is_found_in_losses_with_a_long_tail(n_leaked, n_others):
    found, n = 0, n_leaked + n_others
    for seed in range(300):
        rng = np.random.default_rng(seed)
        odds = 3 * rng.standard_normal(n)
        loss = np.logaddexp(0, np.where(rng.random(n) < expit(odds), -odds, odds))
        found += cost_of_leaks(loss, np.arange(n), np.arange(n_leaked)).is_found
    assert found / 300 <= 0.06  # nominal .05


def test_unknown_losses_are_left_out():
    rng = np.random.default_rng(0)
    loss, test, train, in_subset = world(rng, 10, 80, 20, 1.0, real=True)
    more = np.vstack([loss, np.full(80, 0.5)])
    more[-1, 70:] = np.nan
    more[-1, 60:70] = loss[0, 60:70]
    less = cost_of_leaks(np.where(np.arange(80) >= 70, np.nan, loss), test, train)
    assert less.loss_with_copies == pytest.approx(loss[:, 60:70].mean())
    masks = np.vstack([in_subset, in_subset[:1]])
    assert np.isfinite(cost_of_leaks(more, test, train, masks).low)
    gone = cost_of_leaks(np.where(np.arange(80) >= 60, np.nan, loss), test, train)
    assert np.isnan([gone.cost, gone.low, gone.high]).all()
    assert not gone.is_found


def test_kinds_of_which_some_may_be_equal_are_taken():
    assert cost_of_leaks([0, 1], [1, "b"], ["a", 1.0]).n_leaked == 1
    assert cost_of_leaks([0, 1], [(1, 2), (3, 4)], [(1, 2)]).n_leaked == 1
    assert cost_of_leaks([0, 1], torch.tensor([1, 2]), torch.tensor([2])).n_leaked == 1


def test_one_leaked_row_with_a_real_loss_has_no_interval():
    found = cost_of_leaks([0.1, 0.7, 0.4], [0, 1, 2], [2])
    assert (found.low, found.high) == (-np.inf, np.inf)


MASKS = np.array([[1, 0], [1, 1], [0, 1], [0, 0]])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (([0, np.inf], [1, 2], [2]), "loss is infinite"),
        (([[0, 1], [np.nan, np.nan]], [1, 2], [2]), "loss is infinite, or a model's is nowhere"),
        ((["a", "b"], [1, 2], [2]), "loss holds no numbers"),
        (([0, 1, 1], [1, 2], [2]), "loss and test_groups are not of the same rows"),
        (([0, 1], [1, 2], []), "there are no training rows"),
        (([0, 1], 1, [1]), "groups must be one value for each row"),
        (([0, 1], [1, None], [1]), "groups are missing in places"),
        (([0, 1], [1, 2], [1, 2]), "every test row has a copy"),
        (([0, 1], ["1", "2"], [1, 3]), "are of kinds that are never equal"),
        (([0, 1], np.array([1, 2]), np.array(["1", "3"])), "got 'numbers and texts'"),
        ((pd.Series([0, 1]), pd.Series([1, 2])[::-1], [1]), "loss and test_groups have the same"),
        ((pd.DataFrame([[0, 1]]), pd.Series([1, 2])[::-1], [1]), "loss and test_groups have the"),
        ((np.zeros((3, 1)), [1], [1, 2], MASKS), "are not of the same models"),
        ((np.zeros((4, 1)), [1], [1, 2, 3], MASKS), "in_subset and train_groups are not of the"),
        ((np.zeros((4, 1)), [1], [1, 2], MASKS[::-1] * 2), "in_subset holds other values"),
        ((np.zeros((4, 1)), [1], [1, 2], MASKS | 1), "no test row has a copy in training rows"),
        (
            (np.zeros((4, 1)), [1], pd.Series([1, 2])[::-1], pd.DataFrame(MASKS)),
            "in_subset and train_groups have the same index in different orders",
        ),
        (([0], [1], [1, 2], MASKS[:1]), "one model cannot have a row both in and out"),
    ],
)
def test_wrong_data(arguments, words):
    with pytest.raises(DataError, match=words):
        cost_of_leaks(*arguments)


def test_wrong_confidence():
    with pytest.raises(UsageError, match="confidence is out of range"):
        cost_of_leaks([0, 1], [1, 2], [2], confidence=0)
