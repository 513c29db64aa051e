"""What attacks are given: gaps, queries, blocks, memory maps, and what they refuse."""

import tracemalloc

import numpy as np
import pytest
import torch

from overparam.errors import DataError, UsageError
from overparam.measures import (
    Population,
    hinge_margin,
    lira_scores,
    loss_scores,
    ratio_scores,
    reference_models,
    rmia_scores,
    sablayrolles_scores,
    watson_scores,
)
from tests.measures.membership_worlds import (
    ATTACKS,
    as_asked,
    balanced_mask,
    world,
)


@pytest.mark.parametrize("attack", [loss_scores, watson_scores, sablayrolles_scores])
def test_logarithms_of_probabilities_are_no_losses(attack):
    logs = np.log(np.random.default_rng(0).uniform(0.1, 0.9, (4, 30)))
    rest = () if attack is loss_scores else (logs[1:], np.arange(90).reshape(3, 30) % 2)
    with pytest.raises(DataError, match="losses look like logarithms of probabilities"):
        attack(logs[0], *rest)


def test_margins_of_probabilities_are_refused():
    with pytest.raises(DataError, match="look like probabilities"):
        hinge_margin(np.array([[0.9, 0.1], [0.2, 0.8]]), np.array([0, 1]))


@pytest.mark.parametrize("name", ATTACKS)
def test_a_diverged_model_is_as_one_that_is_not_there(name):
    rng = np.random.default_rng(9)
    phi, inside = world(rng, 9, 15, 1.0)
    inside[:4] = [[True], [True], [False], [False]]
    x, target = as_asked(name, phi), as_asked(name, rng.normal(size=15))
    x[8] = np.nan
    both = [ATTACKS[name](target, x[:n], inside[:n]) for n in (8, 9)]
    np.testing.assert_allclose(both[0].scores, both[1].scores, rtol=1e-9, atol=1e-9)
    turns = ATTACKS[name](None, x, inside)
    assert np.isnan(turns.scores[8]).all()
    assert turns.n_unseen == 15
    assert (
        np.isfinite(turns.scores[:8]).all() or turns.n_unjudged == np.isnan(turns.scores[:8]).sum()
    )


def test_rows_that_cannot_be_judged_are_nan_and_counted():
    rng = np.random.default_rng(10)
    phi, inside = world(rng, 6, 5, 0.0)
    inside[:, :] = np.array([[1, 0, 1, 1, 0]] * 3 + [[1, 0, 0, 0, 1]] * 3, bool)  # always, never in
    target = rng.normal(size=5)
    target[4] = np.nan
    online = lira_scores(target, phi, inside)
    assert np.isnan(online.scores).tolist() == [True, True, False, False, True]
    assert (online.n_unseen, online.n_unjudged) == (1, 2)
    offline = lira_scores(target, phi, inside, online=False)
    assert np.isnan(offline.scores).tolist() == [True, False, False, False, True]
    assert ratio_scores(np.full(5, 0.5), np.full((6, 5), 0.5), inside).n_unjudged == 0
    single = ratio_scores(None, np.full((1, 5), 0.5), inside[:1])  # the only model judges nobody
    assert (single.n_unjudged, np.isnan(single.scores).all()) == (5, True)


def test_rounding_is_no_spread():
    inside = np.arange(10)[:, None] < 5
    phi = np.where(inside, 0.3, 0.1) * np.ones(6)  # sums of .1 and .3 are not exact
    phi[:, 1:] += np.random.default_rng(0).normal(size=(10, 5))
    target = np.full(6, 0.2)
    found = lira_scores(target, phi, np.tile(inside, 6), variance="row")
    assert np.isnan(found.scores).tolist() == [True] + [False] * 5
    assert found.n_unjudged == 1
    assert np.isfinite(lira_scores(target, phi, np.tile(inside, 6), variance="shrunk").scores).all()


def test_the_prior_takes_over_below_64_references():
    rng = np.random.default_rng(11)
    for n_models, same in ((63, "pooled"), (64, "shrunk")):
        phi, inside = world(rng, n_models, 20, 1.0)
        auto, named = (lira_scores(None, phi, inside, variance=v) for v in ("auto", same))
        np.testing.assert_array_equal(auto.scores, named.scores)


@pytest.mark.parametrize("name", ["ratio", "lira shrunk", "rmia"])
def test_several_queries_are_averaged(name):
    rng = np.random.default_rng(12)
    (one, inside), (two, _) = (world(rng, 8, 10, 1.0) for _ in range(2))
    inside[:4] = [[True], [True], [False], [False]]
    x = np.stack([as_asked(name, one), as_asked(name, two)], axis=2)
    target = as_asked(name, rng.normal(size=(10, 2)))
    if name == "lira shrunk":  # one pooled variance for both queries
        same = ATTACKS[name](target[:, [0, 0]], x[:, :, [0, 0]], inside).scores
        np.testing.assert_allclose(same, ATTACKS[name](target[:, 0], x[:, :, 0], inside).scores)
        return
    apart = [ATTACKS[name](target[:, q], x[:, :, q], inside).scores for q in (0, 1)]
    np.testing.assert_allclose(ATTACKS[name](target, x, inside).scores, np.mean(apart, 0))


@pytest.mark.parametrize("name", ATTACKS)
def test_blocks_and_the_order_of_rows_change_nothing(name, monkeypatch):
    rng = np.random.default_rng(13)
    phi, inside = world(rng, 8, 40, 1.0, balanced_mask(rng, 8, 40))
    x, order = as_asked(name, phi), rng.permutation(40)
    whole = ATTACKS[name](None, x, inside).scores
    np.testing.assert_allclose(
        ATTACKS[name](None, x[:, order], inside[:, order]).scores, whole[:, order], rtol=1e-9
    )
    monkeypatch.setattr(reference_models, "_BLOCK", 24)  # three rows at a time
    np.testing.assert_allclose(ATTACKS[name](None, x, inside).scores, whole, rtol=1e-9)


def test_scores_of_lira_do_not_depend_on_the_unit_of_phi():
    rng = np.random.default_rng(14)
    phi, inside = world(rng, 12, 30, 1.0)
    for variance in ("pooled", "shrunk", "row"):
        plain, scaled = (
            lira_scores(None, f, inside, variance=variance).scores for f in (phi, 5 * phi - 1000)
        )
        np.testing.assert_allclose(plain, scaled, rtol=1e-7, atol=1e-9)


def test_memory_maps_tensors_and_other_masks_serve_and_stay_as_they_are(tmp_path):
    rng = np.random.default_rng(15)
    phi, inside = world(rng, 8, 30, 1.0)
    wanted = lira_scores(None, phi, inside).scores
    np.save(tmp_path / "phi.npy", phi)
    mapped = np.load(tmp_path / "phi.npy", mmap_mode="r")
    np.testing.assert_array_equal(lira_scores(None, mapped, inside.astype(int)).scores, wanted)
    masked = np.ma.masked_where(np.arange(9)[:, None] + 0 * phi[0] == 8, np.vstack([phi, phi[:1]]))
    nine = lira_scores(phi[0], masked, np.vstack([inside, inside[:1]])).scores
    np.testing.assert_allclose(nine, lira_scores(phi[0], phi, inside).scores)
    tensor = torch.from_numpy(phi.copy()).requires_grad_()
    np.testing.assert_array_equal(lira_scores(None, tensor, torch.tensor(inside)).scores, wanted)
    np.testing.assert_array_equal(tensor.detach().numpy(), phi)


def test_ratio_does_not_blow_up_where_no_reference_believes_the_label():
    p = np.full((4, 1), 1e-9)
    inside = np.array([[1], [1], [0], [0]])
    assert ratio_scores(np.array([1e-6]), p, inside).scores[0] == pytest.approx(1e-3)
    assert ratio_scores(np.array([1e-6]), p, inside, floor=1e-9).scores[0] == pytest.approx(1000)


HALVES = np.array([[True, True], [True, True], [False, False], [False, False]])


P = np.array([[0.9, 0.6], [0.8, 0.7], [0.2, 0.5], [0.1, 0.4]])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: ratio_scores(None, P, HALVES[:, :1]), "do not fit together.*of this data set"),
        (lambda: ratio_scores(None, P[0], HALVES[0]), "do not fit together"),
        (lambda: ratio_scores(None, P[:0], HALVES[:0]), "there are no references"),
        (lambda: ratio_scores(P[0, :1], P, HALVES), "target and of the references do not fit"),
        (lambda: ratio_scores(None, P, [0, 1, 2, 3]), r"a mask says of each row"),
        (lambda: ratio_scores(None, 10 * P, HALVES), r"probabilities lie outside.*softmax"),
        (lambda: ratio_scores(None, P.astype(complex), HALVES), "an array of numbers is needed"),
        (lambda: ratio_scores(None, [[0.1], [0.2, 0.3]], HALVES), "an array of numbers is needed"),
        (lambda: lira_scores(None, np.log(P) / 0.0, HALVES), "infinite in places.*stable_logit"),
        (lambda: lira_scores(np.array([np.inf, 0]), P, HALVES), "the target are infinite"),
        (lambda: lira_scores(None, 0 * P, HALVES), "do not vary.*ratio_scores"),
        (lambda: lira_scores(P[0], 0 * P + 0.1, HALVES), "do not vary.*squares of 0.0"),
        (lambda: lira_scores(None, P[1:3], HALVES[1:3]), "do not vary.*0 degrees of freedom"),
        (lambda: loss_scores(np.zeros((0,))), "there are no losses"),
        (
            lambda: rmia_scores(P[0], P, HALVES, Population(P)),
            "rows and population are of different targets",
        ),
        (
            lambda: rmia_scores(None, P, HALVES, Population(P[:3])),
            "rows and population are of different models",
        ),
        (
            lambda: rmia_scores(P[:2], P, HALVES, Population(P, P[:3])),
            "rows and population are of different models",
        ),
    ],
)  # fmt: skip
def test_hostile_input(call, words):
    with pytest.raises(DataError, match=words), np.errstate(divide="ignore"):
        call()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: ratio_scores(None, P, HALVES, floor=0.0), "floor is out of range"),
        (lambda: lira_scores(None, P, HALVES, variance="global"), "unknown variance.*pooled"),
        (lambda: rmia_scores(None, P, HALVES, Population(P), gamma=0.5), "gamma is out of range"),
        (lambda: rmia_scores(None, P, HALVES, Population(P), offline_a=2), "offline_a is out of"),
    ],
)
def test_options_out_of_range(call, words):
    with pytest.raises(UsageError, match=words):
        call()


def test_memory_is_that_of_the_scores_and_a_block(tmp_path, monkeypatch):
    monkeypatch.setattr(reference_models, "_BLOCK", 2**14)
    rng = np.random.default_rng(17)
    phi, inside = world(rng, 200, 5000, 1.0)
    np.save(tmp_path / "phi.npy", phi.astype(np.float32))
    mapped = np.load(tmp_path / "phi.npy", mmap_mode="r")
    for attack in (lira_scores, lambda *a: lira_scores(*a, online=False)):
        tracemalloc.start()
        scores = attack(None, mapped, inside).scores
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        # The scores twice (sum over queries), two masks, and a block: not one more array of all.
        assert peak < 2.9 * scores.nbytes
