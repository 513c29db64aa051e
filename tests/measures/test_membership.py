"""Attack scores against loops: members of an ensemble, targets of their own, populations."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overparam.measures import (
    Population,
    rmia_scores,
)
from tests.measures.membership_worlds import (
    ATTACKS,
    as_asked,
    balanced_mask,
    pooled_by_loop,
    pooled_in_turn_by_loop,
    references_by_loop,
    score_by_loop,
    world,
)


@pytest.mark.parametrize("name", [n for n in ATTACKS if "rmia" not in n])
@pytest.mark.parametrize("design", ["balanced", "drawn"])
def test_members_of_an_ensemble_by_loop(name, design):
    rng = np.random.default_rng(0)
    mask = balanced_mask(rng, 9, 12, 0.6) if design == "balanced" else rng.random((9, 12)) < 0.5
    phi, inside = world(rng, 9, 12, 1.0, mask)
    x = as_asked(name, phi)
    pooled = [pooled_in_turn_by_loop(x, inside, k, design == "balanced") for k in range(9)]
    wanted = np.array([
        [
            score_by_loop(
                name, x, inside, pooled[k], k, i,
                *references_by_loop(inside, k, i, design == "balanced"), x[k, i],
            )
            for i in range(12)
        ]
        for k in range(9)
    ])  # fmt: skip
    np.testing.assert_allclose(ATTACKS[name](None, x, inside).scores, wanted, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", [n for n in ATTACKS if "rmia" not in n])
def test_targets_of_their_own_by_loop(name):
    rng = np.random.default_rng(1)
    phi, inside = world(rng, 9, 12, 1.0, balanced_mask(rng, 9, 12))
    x, targets = as_asked(name, phi), as_asked(name, rng.normal(size=(2, 12)))
    pooled = pooled_by_loop(x, inside)
    wanted = [
        [
            score_by_loop(
                name, x, inside, pooled, k, i,
                np.flatnonzero(inside[:, i]).tolist(), np.flatnonzero(~inside[:, i]).tolist(), v,
            )
            for i, v in enumerate(targets[k])
        ]
        for k in range(2)
    ]  # fmt: skip
    found = ATTACKS[name](targets, x, inside).scores
    np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(ATTACKS[name](targets[0], x, inside).scores, found[0])


@pytest.mark.parametrize("online", [True, False])
@pytest.mark.parametrize("own_rows", [True, False])
def test_rmia_by_loop(online, own_rows):
    rng = np.random.default_rng(2)
    phi, inside = world(rng, 7, 10, 1.0)
    inside[:2] = [[True], [False]]
    p, target = as_asked("rmia", phi), rng.random(10)
    z, target_z = rng.random((7, 6)), rng.random(6)
    inside_z = inside[:, :6] if own_rows else None
    gamma, a = 1.5, 0.4
    found = rmia_scores(
        target,
        p,
        inside,
        Population(z, target_z, inside_z),
        online=online,
        gamma=gamma,
        offline_a=a,
    ).scores

    def prior(values, held):
        p_out = np.mean(values[~held])
        if online and held.any():
            return (np.mean(values[held]) + p_out) / 2
        return ((1 + a) * p_out + 1 - a) / 2

    held = np.zeros((7, 6), bool) if inside_z is None else inside_z
    ratios = [target[i] / prior(p[:, i], inside[:, i]) for i in range(10)]
    ratios_z = [target_z[j] / prior(z[:, j], held[:, j]) for j in range(6)]
    wanted = [np.mean([r / q >= gamma for q in ratios_z]) for r in ratios]
    np.testing.assert_allclose(found, wanted, atol=1e-8)  # ties are decided by less


@pytest.mark.parametrize("gamma", [1.0, 1.5])
def test_rmia_compares_with_rows_that_the_target_had_not_and_half_with_itself(gamma):
    rng = np.random.default_rng(3)
    phi, inside = world(rng, 8, 20, 2.0, balanced_mask(rng, 8, 20))
    p = as_asked("rmia", phi)
    found = rmia_scores(None, p, inside, gamma=gamma).scores
    ratios = np.empty((8, 20))
    for k in range(8):
        for i in range(20):
            ins, outs = references_by_loop(inside, k, i, paired=True)
            ratios[k, i] = p[k, i] / ((p[ins, i].mean() + p[outs, i].mean()) / 2)
    for k in range(8):
        for i in range(20):
            others = [z for z in range(20) if not inside[k, z]]
            wins = [(ratios[k, i] >= gamma * ratios[k, z]) / (1 + (z == i)) for z in others]
            assert found[k, i] == pytest.approx(np.mean(wins), abs=1e-8)


def test_a_population_of_its_own_leaves_out_what_the_target_had():
    rng = np.random.default_rng(3)
    phi, inside = world(rng, 8, 20, 2.0)
    z, _ = world(rng, 8, 5, 0.0)
    p, z, inside_z = as_asked("rmia", phi), as_asked("rmia", z), np.zeros((8, 5), bool)
    inside_z[0, :4] = True
    found = rmia_scores(None, p, inside, Population(z, None, inside_z)).scores.round(6)
    assert set(np.unique(found[0])) <= {0.0, 1.0}  # one row of the population is left
    assert len(np.unique(found)) > 2
    inside_z[0] = True
    nobody = rmia_scores(None, p, inside, Population(z, None, inside_z))
    assert np.isnan(nobody.scores[0]).all()
    assert nobody.n_unjudged == 20


@given(st.integers(0, 2**32 - 1), st.floats(1, 4), st.floats(0, 1))
def test_rmia_of_one_target_is_monotone_in_the_ratio(seed, gamma, a):
    rng = np.random.default_rng(seed)
    p, target = rng.random((6, 15)), rng.random(15)
    nobody = np.zeros((6, 15), bool)
    population = Population(rng.random((6, 9)), rng.random(9))
    found = rmia_scores(
        target, p, nobody, population, online=False, gamma=gamma, offline_a=a
    ).scores
    ratio = target / (((1 + a) * p.mean(0) + 1 - a) / 2)
    assert (np.diff(found[np.argsort(ratio)]) >= 0).all()
