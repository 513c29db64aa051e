"""Attack scores: loops, Gaussian worlds with a known answer, null worlds, invariances."""

import math
import tracemalloc

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from overparam.data import draw_subsets
from overparam.errors import DataError, UsageError
from overparam.measures import (
    Population,
    estimate_auc,
    estimate_tpr_at_fpr,
    hinge_margin,
    lira_scores,
    loss_scores,
    ratio_scores,
    reference_models,
    rmia_scores,
    sablayrolles_scores,
    watson_scores,
)
from overparam.measures.reference_models import References, references_of
from overparam.streams import Streams
from overparam.theory import GaussianShift

ATTACKS = {
    "ratio": ratio_scores,
    "sablayrolles": sablayrolles_scores,
    "watson": watson_scores,
    "lira pooled": lambda *a: lira_scores(*a, variance="pooled"),
    "lira shrunk": lambda *a: lira_scores(*a, variance="shrunk"),
    "lira row": lambda *a: lira_scores(*a, variance="row"),
    "lira offline": lambda *a: lira_scores(*a, online=False),
    "rmia": lambda t, r, s: rmia_scores(t, r, s, gamma=1.0),
    "rmia offline": lambda t, r, s: rmia_scores(t, r, s, online=False),
}


def balanced_mask(rng, n_models, n_rows, ratio=0.5):
    """Each row in round(ratio K) of K subsets."""
    return np.argsort(rng.random((n_models, n_rows)), axis=0) < round(ratio * n_models)


def world(rng, n_models, n_rows, gap, mask=None, difficulty=3.0):
    """phi = difficulty of the row + gap if in + N(0, 1)."""
    inside = rng.random((n_models, n_rows)) < 0.5 if mask is None else mask
    rows = difficulty * rng.normal(size=n_rows)
    return rows + gap * inside + rng.normal(size=inside.shape), inside


def as_asked(name, phi):
    """The statistic that an attack takes, of phi."""
    p = 1 / (1 + np.exp(-phi))
    return phi if "lira" in name else p if name.startswith(("ratio", "rmia")) else -np.log(p)


def references_by_loop(inside, k, i, paired):
    """Models that judge model k on row i, from those that had it, and from those that had not."""
    sides = [[j for j in range(len(inside)) if inside[j, i] == side] for side in (True, False)]
    own, other = sides if inside[k, i] else sides[::-1]
    left = [j for j in own if j != k]
    if paired and other:
        partner = other[own.index(k) % len(other)]
        other = [j for j in other if j != partner]
    return (left, other) if inside[k, i] else (other, left)


def score_by_loop(name, x, inside, pooled, k, i, ins, outs, own):
    a, b, v = [x[j, i] for j in ins], [x[j, i] for j in outs], own
    if name == "ratio":
        return v / max(np.mean(a + b), 1e-3)
    if name == "watson":
        return np.mean(b) - v
    if name == "sablayrolles":
        return (np.mean(a) + np.mean(b)) / 2 - v

    def spread(values, s2):
        squares = np.sum((np.array(values) - np.mean(values)) ** 2)
        if name == "lira row":
            return squares / (len(values) - 1) if len(values) > 1 else np.nan
        if name == "lira shrunk":
            return (8 * s2 + squares) / (8 + len(values) - 1)
        return s2

    z_out = (v - np.mean(b)) / math.sqrt(spread(b, pooled[1]))
    if name == "lira offline":
        return z_out
    laws = [
        stats.norm(np.mean(s), math.sqrt(spread(s, q))) for s, q in zip((a, b), pooled, strict=True)
    ]
    return laws[0].logpdf(v) - laws[1].logpdf(v)


def pooled_by_loop(x, inside):
    found = []
    for side in (inside, ~inside):
        groups = [x[side[:, i], i] for i in range(x.shape[1])]
        squares = sum(((g - g.mean()) ** 2).sum() for g in groups if len(g))
        found.append(squares / sum(max(len(g) - 1, 0) for g in groups))
    return found


@pytest.mark.parametrize("name", [n for n in ATTACKS if "rmia" not in n])
@pytest.mark.parametrize("design", ["balanced", "drawn"])
def test_members_of_an_ensemble_by_loop(name, design):
    rng = np.random.default_rng(0)
    mask = balanced_mask(rng, 9, 12, 0.6) if design == "balanced" else rng.random((9, 12)) < 0.5
    phi, inside = world(rng, 9, 12, 1.0, mask)
    x = as_asked(name, phi)
    pooled = pooled_by_loop(x, inside)
    wanted = np.array([
        [
            score_by_loop(
                name, x, inside, pooled, k, i,
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
    np.testing.assert_allclose(found, wanted)


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
            assert found[k, i] == pytest.approx(np.mean(wins))


def test_a_population_of_its_own_leaves_out_what_the_target_had():
    rng = np.random.default_rng(3)
    phi, inside = world(rng, 8, 20, 2.0)
    z, _ = world(rng, 8, 5, 0.0)
    p, z, inside_z = as_asked("rmia", phi), as_asked("rmia", z), np.zeros((8, 5), bool)
    inside_z[0, :4] = True
    found = rmia_scores(None, p, inside, Population(z, None, inside_z)).scores
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


def test_gaussian_worlds_have_the_power_of_the_likelihood_ratio():
    rng = np.random.default_rng(4)
    for gap in (1.0, 2.0):
        phi, inside = world(rng, 129, 4000, gap)
        phi, target, inside, members = phi[1:], phi[0], inside[1:], inside[0]
        truth = GaussianShift(gap)
        for online in (True, False):
            scores = lira_scores(target, phi, inside, online=online).scores
            auc = estimate_auc(scores, members)
            # 128 references add 1/64 to the variance, some .002 of AUC.
            assert abs(auc.auc - truth.auc) < 4 * auc.standard_error + 0.003
            found = estimate_tpr_at_fpr(scores, members, 0.01)
            assert found.low < truth.tpr_at_fpr(0.01) < found.high
        easy = estimate_auc(loss_scores(-target), members)
        assert easy.high < truth.auc - 0.1  # difficulty of 3 standard deviations hides the gap


def test_an_ensemble_shows_the_same_power():
    rng = np.random.default_rng(5)
    phi, inside = world(rng, 64, 1500, 1.0, balanced_mask(rng, 64, 1500))
    found = estimate_auc(lira_scores(None, phi, inside).scores, inside)
    # References of 31 and 31 models: the gap shrinks to 1 / sqrt(1 + 1/31).
    truth = GaussianShift(1 / math.sqrt(1 + 1 / 31)).auc
    assert abs(found.auc - truth) < 4 * found.standard_error + 0.005


@pytest.mark.parametrize("n_models", [4, 12])
def test_intervals_of_one_ensemble_cover_although_its_targets_share_rows_and_references(n_models):
    rng = np.random.default_rng(16)
    areas, rates = [], []
    for _ in range(200):
        mask = balanced_mask(rng, n_models, 150)
        exposed = 3.0 * (rng.random(150) < 0.3)  # rows differ in what membership does
        phi, inside = world(rng, n_models, 150, exposed, mask)
        scores = lira_scores(None, phi, inside).scores
        areas.append(estimate_auc(scores, inside))
        rates.append(estimate_tpr_at_fpr(scores, inside, 0.1))
    for found, value in ((areas, "auc"), (rates, "tpr")):
        kept = [e for e in found if not math.isnan(e.low)]
        truth = np.mean([getattr(e, value) for e in kept])
        cover = np.mean([e.low <= truth <= e.high for e in kept])
        assert len(kept) > 150
        assert cover > 0.93 - 2 * math.sqrt(0.93 * 0.07 / 200)


@pytest.mark.parametrize("name", ATTACKS)
@pytest.mark.parametrize("design", ["balanced", "drawn"])
def test_where_nothing_leaks_no_attack_finds_anything(name, design):
    rng = np.random.default_rng(6)
    areas, above = [], 0
    for _ in range(60):
        mask = balanced_mask(rng, 8, 100, 0.6) if design == "balanced" else None
        phi, inside = world(rng, 8, 100, 0.0, mask)
        found = estimate_auc(ATTACKS[name](None, as_asked(name, phi), inside).scores, inside)
        areas.append(found.auc)
        above += found.low > 0.5
    assert abs(np.mean(areas) - 0.5) < 4 * np.std(areas) / math.sqrt(60)
    assert above / 60 <= 0.025 + 2 * math.sqrt(0.025 * 0.975 / 60)


@pytest.mark.parametrize(("n_models", "ratio"), [(7, 0.7), (12, 0.7), (8, 0.6), (10, 0.7)])
def test_a_round_that_is_cut_short_tells_nothing_either(n_models, ratio):
    """Counts of rows differ by more than one there, and less than in independent draws."""
    rng, areas = np.random.default_rng(11), []
    for repeat in range(12):
        inside = draw_subsets(n_models, 400, ratio, Streams(repeat))
        phi = rng.normal(size=400) + rng.normal(size=(n_models, 400))
        areas.append(estimate_auc(lira_scores(None, phi, inside).scores, inside).auc)
    assert abs(np.mean(areas) - 0.5) < 0.01 + 3 * np.std(areas) / math.sqrt(12)


@pytest.mark.parametrize("attack", [loss_scores, watson_scores, sablayrolles_scores])
def test_logarithms_of_probabilities_are_no_losses(attack):
    logs = np.log(np.random.default_rng(0).uniform(0.1, 0.9, (4, 30)))
    rest = () if attack is loss_scores else (logs[1:], np.arange(90).reshape(3, 30) % 2)
    with pytest.raises(DataError, match="losses look like logarithms of probabilities"):
        attack(logs[0], *rest)


def test_margins_of_probabilities_are_refused():
    with pytest.raises(DataError, match="look like probabilities"):
        hinge_margin(np.array([[0.9, 0.1], [0.2, 0.8]]), np.array([0, 1]))


def test_without_pairs_a_balanced_ensemble_would_hide_what_it_leaks(monkeypatch):
    def alone(statistics, in_subset, leave_one_out):
        given = references_of(statistics, in_subset, leave_one_out)
        return References(given.statistics, given.in_subset, leave_one_out, paired=False)

    monkeypatch.setattr("overparam.measures.membership.references_of", alone)
    rng, areas = np.random.default_rng(7), []
    for _ in range(60):
        phi, inside = world(rng, 8, 100, 0.0, balanced_mask(rng, 8, 100, 0.6))
        scores = lira_scores(None, phi, inside, variance="row").scores
        areas.append(estimate_auc(scores, inside).auc)
    # Where a row was in, one fewer is left to say how it behaves then, and that is looser.
    assert np.mean(areas) == pytest.approx(0.41, abs=0.02)


def test_pairs_make_the_numbers_of_references_equal():
    rng = np.random.default_rng(8)
    inside = balanced_mask(rng, 10, 30, 0.7)
    given = references_of(rng.normal(size=(10, 30)), inside, True)
    assert given.paired
    members, others = given.sides(slice(None), 0)
    assert (members.count == 6).all()
    assert (others.count == 2).all()
    assert not references_of(given.statistics, rng.random((10, 30)) < 0.7, True).paired
    assert not references_of(given.statistics, inside, False).paired


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
