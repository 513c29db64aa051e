"""Memorization scores: brute force, the published bound, coverage and gain on made-up worlds."""

import tracemalloc

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from overparam.errors import DataError, UsageError
from overparam.measures import memorization_scores, subset_arrays
from tests.measures.ensembles import draw_masks, normal_world

FIELDS = ("estimate", "low", "high", "standard_error", "accuracy_in", "accuracy_out")


def world(seed=0, **asked):
    return normal_world(np.random.default_rng(seed), **asked)


def test_counted_by_loop():
    rng = np.random.default_rng(0)
    masks, correct = rng.random((9, 30)) < 0.6, rng.random((9, 30)) < 0.7
    scores = memorization_scores(masks, correct)
    for row in range(30):
        seen = [bool(c) for m, c in zip(masks[:, row], correct[:, row], strict=True) if m]
        unseen = [bool(c) for m, c in zip(masks[:, row], correct[:, row], strict=True) if not m]
        assert (scores.n_in[row], scores.n_out[row]) == (len(seen), len(unseen))
        if seen and unseen:
            wanted = sum(seen) / len(seen) - sum(unseen) / len(unseen)
            assert scores.estimate[row] == pytest.approx(wanted, abs=1e-15)
        else:
            assert np.isnan([scores.estimate[row], scores.high[row]]).all()
    assert (scores.method, scores.n_missing.sum()) == ("counted", 0)


@pytest.mark.parametrize(("t", "ratio"), [(4, 0.7), (12, 0.7), (40, 0.7), (12, 0.3)])
def test_error_is_below_the_published_bound(t, ratio):
    # Feldman and Zhang's lemma 2.1: E (estimate - truth)^2 <= 1/(p t) + (1 - p)^t / 2, with
    # p = min(ratio, 1 - ratio); rows that are never in or never out estimate 0.
    rng = np.random.default_rng(1)
    n = 4000
    masks = rng.random((t, n)) < ratio
    p_in, p_out = np.full(n, 0.9), np.full(n, 0.4)
    correct = rng.random((t, n)) < np.where(masks, p_in, p_out)
    error = np.nan_to_num(memorization_scores(masks, correct).estimate) - (p_in - p_out)
    p = min(ratio, 1 - ratio)
    assert np.mean(error**2) <= 1 / (p * t) + (1 - p) ** t / 2


def test_rows_nobody_tells_apart_have_no_zero_width():
    scores = memorization_scores([[1, 1], [0, 1], [1, 0]], np.ones((3, 2)))
    assert np.all(scores.estimate == 0)
    assert np.all((scores.low < 0) & (scores.high > 0) & (scores.standard_error > 0.2))


@pytest.mark.parametrize("n_models", [5, 10, 20, 40, 80])
@pytest.mark.parametrize("with_prior", [False, True])
def test_intervals_of_the_tail_cover(n_models, with_prior):
    masks, margins, p_in, p_out, score = world(n_models, n_models=n_models)
    scores = memorization_scores(masks, margins=margins, prior=score if with_prior else None)
    truth = p_in - p_out
    known = np.isfinite(scores.estimate)
    covered = (scores.low <= truth) & (truth <= scores.high)
    assert known.mean() == 1
    assert 0.9 < covered.mean() < 0.995
    assert covered[truth > 0.05].mean() > 0.88
    # The standard error is that: root mean squares of the two agree.
    error = np.sqrt(np.mean((scores.estimate - truth) ** 2))
    assert error == pytest.approx(np.sqrt(np.mean(scores.standard_error**2)), rel=0.35)


@pytest.mark.parametrize("n_models", [5, 10, 20])
def test_the_tail_beats_counting_and_a_prior_beats_the_tail(n_models):
    masks, margins, p_in, p_out, score = world(7, n_models=n_models)
    truth = p_in - p_out
    matters = truth > 0.05
    found = [
        memorization_scores(masks, margins > 0),
        memorization_scores(masks, margins=margins),
        memorization_scores(masks, margins=margins, prior=score),
    ]
    ranks = [spearmanr(s.estimate[matters], truth[matters])[0] for s in found]
    errors = [np.mean((s.estimate - truth)[matters] ** 2) for s in found]
    assert ranks[0] < ranks[1] < ranks[2]
    assert errors[0] > errors[1] > errors[2]
    assert [s.method for s in found] == ["counted", "margin tail", "margin tail and prior"]
    # Half the models, at least: in variance that is a factor of two, or nearly at K = 20.
    assert errors[0] / errors[2] > 1.7


def test_a_useless_prior_does_little_harm():
    masks, margins, p_in, p_out, _ = world(3, n_models=10)
    noise = np.random.default_rng(5).random(masks.shape[1])
    truth = p_in - p_out
    plain = memorization_scores(masks, margins=margins).estimate - truth
    shrunk = memorization_scores(masks, margins=margins, prior=noise).estimate - truth
    assert np.mean(shrunk**2) < 1.05 * np.mean(plain**2)


def test_with_many_models_the_tail_becomes_the_count():
    # Margins of two peaks, which no normal tail describes: right in exactly 9 of 10.
    rng = np.random.default_rng(0)
    masks = draw_masks(rng, 1000, 60)
    margins = np.where(rng.random(masks.shape) < 0.9, 5.0, -0.1) + 0.01 * rng.random(masks.shape)
    counted = memorization_scores(masks, margins > 0)
    tail = memorization_scores(masks, margins=margins)
    assert np.abs(tail.accuracy_out - counted.accuracy_out).max() < 0.03


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["counted", "tail", "prior"]))
def test_what_does_not_matter(seed, way):
    rng = np.random.default_rng(seed)
    masks, margins, _, _, score = normal_world(rng, n_models=7, n_rows=60)

    def scored(masks, margins, score):
        if way == "counted":
            return memorization_scores(masks, margins > 0)
        return memorization_scores(masks, margins=margins, prior=score if way == "prior" else None)

    plain = scored(masks, margins, score)
    models = rng.permutation(7)
    for other in (
        scored(masks[models], margins[models], score),  # the order of models
        scored(masks, margins * 3.0, score),  # the unit of margins
        scored(masks, margins, np.log(score)),  # the scale of the prior
    ):
        for field in FIELDS:
            np.testing.assert_allclose(getattr(other, field), getattr(plain, field), atol=1e-9)
    assert np.nanmax(np.abs(plain.estimate)) <= 1
    assert np.all((plain.low <= plain.estimate + 1e-12) & (plain.estimate <= plain.high + 1e-12))
    rows = rng.permutation(60)
    moved = scored(masks[:, rows], margins[:, rows], score[rows])
    np.testing.assert_allclose(moved.estimate, plain.estimate[rows], atol=1e-9)


@pytest.mark.parametrize("way", ["counted", "tail"])
def test_blocks_files_tensors_and_inputs_left_alone(way, monkeypatch, tmp_path):
    masks, margins, *_, score = world(2, n_models=6, n_rows=60)
    np.save(tmp_path / "margins.npy", margins.astype(np.float32))
    mapped = np.load(tmp_path / "margins.npy", mmap_mode="r")
    values = {"correct": mapped > 0} if way == "counted" else {"margins": mapped, "prior": score}
    whole = memorization_scores(masks, **values)
    monkeypatch.setattr(subset_arrays, "_BLOCK_BYTES", 6 * 8 * 7)  # seven rows at a time
    in_blocks = memorization_scores(masks, **values)
    tensors = {k: torch.from_numpy(np.array(v)) for k, v in values.items()}
    before = {k: v.clone() for k, v in tensors.items()}
    as_tensors = memorization_scores(torch.from_numpy(masks), **tensors)
    for field in FIELDS:
        np.testing.assert_allclose(getattr(in_blocks, field), getattr(whole, field), rtol=1e-12)
        np.testing.assert_allclose(getattr(as_tensors, field), getattr(whole, field), rtol=1e-12)
        assert getattr(whole, field).dtype == np.float64
    assert all(torch.equal(before[k], tensors[k]) for k in tensors)


def test_blocks_keep_memory_flat(monkeypatch, tmp_path):
    rng = np.random.default_rng(0)
    np.save(tmp_path / "masks.npy", rng.random((200, 20_000)) < 0.7)
    np.save(tmp_path / "margins.npy", rng.standard_normal((200, 20_000), dtype=np.float32))
    masks, margins = (np.load(tmp_path / f"{n}.npy", mmap_mode="r") for n in ("masks", "margins"))
    monkeypatch.setattr(subset_arrays, "_BLOCK_BYTES", 2**19)
    tracemalloc.start()
    memorization_scores(masks, margins=margins, prior=rng.random(20_000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20e6  # the margins alone take 32 MB in float64; arrays [n] 0.16 MB each


def test_a_diverged_model_is_left_out_and_counted():
    masks, margins, *_ = world(4, n_models=8, n_rows=60)
    broken = margins.copy()
    broken[2] = np.nan
    broken[3, 5] = np.inf
    found = memorization_scores(masks, margins=broken)
    without = np.arange(8) != 2
    assert np.all(found.n_missing == np.where(np.arange(60) == 5, 2, 1))
    assert np.all((found.n_in + found.n_out + found.n_missing) == 8)
    rest = memorization_scores(
        masks[without], np.where(np.isinf(broken), np.nan, broken)[without] > 0
    )
    counted = memorization_scores(masks, np.where(np.isfinite(broken), broken > 0, np.nan))
    others = np.arange(60) != 5
    np.testing.assert_array_equal(counted.estimate[others], rest.estimate[others])


def test_rows_always_in_or_out_are_nan_with_their_counts():
    masks, margins, *_, score = world(5, n_models=6, n_rows=60)
    masks[:, 0], masks[:, 1] = True, False
    for values in (
        {"correct": margins > 0},
        {"margins": margins},
        {"margins": margins, "prior": score},
    ):
        scores = memorization_scores(masks, **values)
        assert np.isnan(scores.estimate).tolist() == [True] * 2 + [False] * 58
        assert (scores.n_out[0], scores.n_in[1]) == (0, 0)
        assert np.isnan([scores.accuracy_out[0], scores.accuracy_in[0]]).tolist() == [True, False]


GOOD = np.isin((np.arange(4)[:, None] - np.arange(6)) % 4, (0, 1))  # each in two, out of two
MARGINS = np.random.default_rng(0).standard_normal((4, 6))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((GOOD,), "one of correct and margins is needed; got 'neither'"),
        ((GOOD, GOOD, GOOD * 1.0), "one of correct and margins is needed; got 'both'"),
        ((GOOD, GOOD, None, np.ones(6)), "a prior is for margins"),
    ],
)
def test_wrong_use(arguments, words):
    with pytest.raises(UsageError, match=words):
        memorization_scores(*arguments)


def test_confidence_out_of_range():
    with pytest.raises(UsageError, match="confidence is out of range"):
        memorization_scores(GOOD, GOOD, confidence=1)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((GOOD.T, GOOD), "not of the same models and rows"),
        ((GOOD[:, :5], GOOD), "not of the same models and rows"),
        ((GOOD[0], GOOD[0]), "in_subset has a wrong shape"),
        ((GOOD[:1], GOOD[:1]), "one model cannot have a row both in and out"),
        ((np.zeros((4, 0)), np.zeros((4, 0))), "in_subset has a wrong shape"),
        ((GOOD.astype(str), GOOD), "in_subset holds no numbers"),
        (([[0, 1], [1]], GOOD), "in_subset holds no numbers"),
        ((GOOD, {1, 2}), "correct holds no numbers"),
        ((GOOD * 0.7, GOOD), "in_subset holds other values than 0 and 1"),
        ((GOOD, GOOD * 0.3), "correct holds other values than 0 and 1"),
        ((np.ones((4, 6)), GOOD), "no row is both in and out of some model"),
        ((GOOD, np.full((4, 6), np.nan)), "no row is both in and out of some model"),
        ((GOOD, None, np.full((4, 6), 2.0)), "the spread of margins is not known"),
        (
            (GOOD, None, MARGINS, np.ones(5)),
            "prior is not of the same rows",
        ),
        (
            (GOOD, None, MARGINS, np.full(6, np.nan)),
            "prior holds NaN",
        ),
    ],
)
def test_wrong_data(arguments, words):
    with pytest.raises(DataError, match=words):
        memorization_scores(*arguments)


@pytest.mark.parametrize(
    "given", [lambda m: 1 / (1 + np.exp(-m)), lambda m: -np.logaddexp(0, -m), lambda m: m > 0]
)
def test_probabilities_are_no_margins(given):
    rng = np.random.default_rng(0)
    margins = rng.normal(size=(10, 200))
    with pytest.raises(DataError, match="margins are no margins: none says that a model is"):
        memorization_scores(rng.random((10, 200)) < 0.7, margins=given(margins))


@pytest.mark.parametrize("largest", [1e200, np.finfo(float).max])
def test_margins_of_any_size_have_a_score(largest):
    rng = np.random.default_rng(0)
    masks, margins = rng.random((20, 100)) < 0.7, rng.normal(size=(20, 100))
    margins[3, 7] = largest
    scores = memorization_scores(masks, margins=margins)
    known = (scores.n_in > 0) & (scores.n_out > 0)
    assert np.isfinite(scores.estimate[known]).all()
    assert np.isfinite(memorization_scores(masks, margins=margins * 1e-3).estimate[known]).all()
