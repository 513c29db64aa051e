"""Proper scores, temperature and changes of log loss: scikit-learn, closed forms, known worlds."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import entr, log_softmax, softmax
from sklearn.metrics import brier_score_loss, log_loss

from overparam.errors import DataError, UsageError
from overparam.measures import estimate_temperature, loss_change, proper_scores


def world(rng, n, n_classes=2, sharpness=1.0, shift=0.0):
    """True logits `[n, K]`, what a model makes of them, and labels drawn from the true ones."""
    true = 2 * rng.normal(size=(n, n_classes))
    labels = (true + rng.gumbel(size=true.shape)).argmax(1)
    said = softmax(true * sharpness + shift * (np.arange(n_classes) == 0), axis=1)
    return softmax(true, axis=1), said, labels


def truth(**kind):
    """Log loss, what recalibration takes away, and Brier's, on 200,000 rows."""
    true, said, _ = world(np.random.default_rng(9), 200_000, **kind)
    loss, least = (-(true * np.log(p)).sum(1).mean() for p in (said, true))
    return {
        "log_loss": (loss, loss - least),
        "brier": ((true * (1 - true)).sum(1).mean() + ((said - true) ** 2).sum(1).mean(),
                  ((said - true) ** 2).sum(1).mean()),
    }  # fmt: skip


def test_scores_are_scikit_learns_and_the_split_sums_up():
    _, said, labels = world(np.random.default_rng(0), 200, 3, 1.5)
    found = proper_scores(said, labels)
    assert found.log_loss.score.mean == pytest.approx(log_loss(labels, said), rel=1e-12)
    peer = brier_score_loss(labels, said, labels=[0, 1, 2], scale_by_half=False)
    assert found.brier.score.mean == pytest.approx(peer, rel=1e-12)
    for split in (found.log_loss, found.brier):
        parts = split.uncertainty.mean - split.resolution.mean + split.calibration.mean
        assert split.score.mean == pytest.approx(parts, rel=1e-12)
        assert split.refinement.mean == pytest.approx(split.score.mean - split.calibration.mean)
        for part in (split.score, split.calibration, split.resolution, split.uncertainty):
            assert part.low <= part.mean <= part.high


def test_sure_and_wrong_is_counted_and_not_infinite():
    found = proper_scores(np.repeat([[1.0, 0.0]], 50, axis=0), [1] * 5 + [0] * 45)
    assert found.n_floored == 5
    assert found.log_loss.score.mean == pytest.approx(-0.1 * np.log(np.finfo(float).eps))
    half = proper_scores(np.repeat([[1.0, 0.0]], 50, axis=0).astype(np.float32), [1] * 5 + [0] * 45)
    assert half.log_loss.score.mean == pytest.approx(-0.1 * np.log(np.finfo(np.float32).eps))


@pytest.mark.parametrize(
    ("n", "kind"),
    [
        (100, {}),
        (400, {"sharpness": 2.0}),
        (400, {"n_classes": 4, "sharpness": 1.5, "shift": 0.7}),
    ],
)
def test_parts_of_known_size_are_covered(n, kind):
    known, draws = truth(**kind), 80
    hits = np.zeros((2, 2))
    for seed in range(draws):
        _, said, labels = world(np.random.default_rng(seed), n, **kind)
        found = proper_scores(said, labels)
        for i, name in enumerate(("log_loss", "brier")):
            split = getattr(found, name)
            for j, part in enumerate((split.score, split.calibration)):
                hits[i, j] += part.low - 1e-12 <= known[name][j] <= part.high
    assert (hits / draws >= 0.88).all()  # nominal 95 %, less three standard errors of 80 draws


def test_calibrated_probabilities_gain_nothing():
    gained = shown = 0
    for seed in range(60):
        _, said, labels = world(np.random.default_rng(seed), 150, 3)
        found = estimate_temperature(said, labels)
        gained += found.gain_low > 0
        shown += not found.low <= 1 <= found.high
    assert gained <= 4  # nominal 2.5 % of 60
    assert shown <= 7  # nominal 5 %


def test_the_temperature_is_that_of_least_loss():
    _, said, labels = world(np.random.default_rng(0), 300, 4, 2.0)
    found = estimate_temperature(said, labels)

    def loss(temperature, n_added=0.0):
        logs = log_softmax(np.log(said) / temperature, axis=1)
        top = said.argmax(1)
        hits = [(said[i, c], logs[i, c]) for i in range(300) for c in range(4) if c == top[i]]
        misses = [(said[i, c], logs[i, c]) for i in range(300) for c in range(4) if c != top[i]]
        added = sum(sum(p * log for p, log in of) / sum(p for p, _ in of) for of in (hits, misses))
        return -(logs[np.arange(300), labels].sum() + n_added * added) / 300

    least, with_half = (
        minimize_scalar(
            loss, bounds=(0.1, 10), args=(n,), method="bounded", options={"xatol": 1e-8}
        )
        for n in (0.0, 0.5)
    )
    assert found.temperature == pytest.approx(with_half.x, rel=1e-5)
    assert found.temperature == pytest.approx(least.x, rel=1e-3)
    assert not found.separated
    assert found.gain_high > found.gain > found.gain_low > 0
    assert found.gain < loss(1) - least.fun < found.gain_high
    assert found.low < 2 < found.high


def test_temperatures_without_an_end():
    right = estimate_temperature(np.repeat([[0.9, 0.1]], 30, axis=0), [0] * 30)
    assert right.temperature == pytest.approx(np.log(9) / np.log(30.5 / 0.5), rel=1e-6)
    assert (right.low, right.separated) == (0, True)
    chance = estimate_temperature(np.repeat([[0.9, 0.1]], 40, axis=0), [0, 1] * 20)
    assert (chance.temperature, chance.high) == (pytest.approx(100), np.inf)
    assert chance.low > 1
    flat = estimate_temperature(np.full((30, 2), 0.5), [0, 1] * 15)  # no temperature matters
    assert (flat.gain, flat.low, flat.high) == (pytest.approx(0), 0, np.inf)
    assert (flat.temperature, flat.separated) == (1, False)


def test_a_model_that_is_right_on_every_row_is_not_shown_too_unsure():
    said, labels = np.full(100, 0.995), np.ones(100, int)
    found = estimate_temperature(said, labels)
    exact = np.log(0.995 / 0.005) / np.log(1 / (1 - 0.025 ** (1 / 100)) - 1)  # Clopper, Pearson
    assert found.low == 0 >= found.gain_low
    assert found.high == pytest.approx(exact, rel=0.05)
    scores = proper_scores(said, labels)
    true = -(0.995 * np.log(0.995) + 0.005 * np.log(0.005))
    for part in (scores.log_loss.score, scores.log_loss.refinement):
        assert part.low <= true <= part.high < 0.04 * -np.log(0.005)
    assert max(s.calibration.low for s in (scores.log_loss, scores.brier)) <= 0
    assert scores.brier.score.high > 2 * 0.005 * 0.995
    # Nobody was wrong yet: a surer model has not shown that it is better.
    change = loss_change([said, np.full(100, 0.996)], labels).log_loss_change[1]
    assert change.mean < 0 < change.high
    # Nor is one that was always wrong so for ever.
    wrong = proper_scores(said, 1 - labels).log_loss.score
    assert wrong.low < wrong.mean - 0.03 * np.log(0.995 / 0.005)


@pytest.mark.parametrize(
    ("n", "draw"),
    [
        (100, lambda rng, n: np.full(n, 0.995)),
        (100, lambda rng, n: rng.beta(200, 1, n).clip(1e-6, 1 - 1e-6)),
        (100, lambda rng, n: softmax(10 * rng.normal(size=(n, 2)), axis=1)[:, 1]),
    ],
)
def test_calibrated_models_that_are_hardly_ever_wrong(n, draw):
    rng, draws, missed = np.random.default_rng(0), 40, np.zeros(5)
    many = draw(rng, 200_000)
    true = entr(np.stack([many, 1 - many])).sum(0).mean()
    for _ in range(draws):
        said = draw(rng, n)
        labels = (rng.random(n) < said).astype(int)
        heat, scores = estimate_temperature(said, labels), proper_scores(said, labels).log_loss
        kept = [p.low <= true <= p.high for p in (scores.score, scores.refinement)]
        kept += [heat.low <= 1 <= heat.high, heat.gain_low <= 0, scores.calibration.low <= 0]
        missed += ~np.array(kept)
    assert (missed <= 5).all(), missed  # nominal 5 %; more than 5 of 40 in 1 %


def test_groups_of_copies_count_once():
    _, said, labels = world(np.random.default_rng(0), 200)
    once = proper_scores(said, labels).log_loss.score
    groups = np.repeat(np.arange(200), 4)
    copies = proper_scores(np.repeat(said, 4, axis=0), np.repeat(labels, 4), groups=groups)
    assert copies.log_loss.score.low == pytest.approx(once.low)
    assert copies.log_loss.score.high == pytest.approx(once.high)


def test_a_rising_loss_of_a_model_that_grows_too_sure_is_calibration():
    rng = np.random.default_rng(0)
    true = 2 * rng.normal(size=(2000, 2))
    labels = (true + rng.gumbel(size=true.shape)).argmax(1)
    blurred = true + 1.5 * rng.normal(size=true.shape)  # an early epoch: less is known
    early, late = softmax(blurred * 0.6, axis=1), softmax(true * 5, axis=1)
    found = loss_change([early, late], labels)
    assert found.log_loss_change[1].low > 0  # loss rises
    assert found.error_change[1].high < 0  # and accuracy too
    assert found.refinement_change[1].high < 0
    assert found.calibration_change[1].low > 0
    summed = found.calibration_change[1].mean + found.refinement_change[1].mean
    assert found.log_loss_change[1].mean == pytest.approx(summed, rel=1e-12)
    assert found.log_loss_change[0].mean == found.log_loss_change[0].high == 0
    turned = loss_change([early, late], labels, reference=1)
    assert turned.refinement_change[0].low == pytest.approx(-found.refinement_change[1].high)
    of_second = loss_change(np.stack([early, late])[:, :, 1], labels)
    assert of_second.log_loss[1].mean == pytest.approx(found.log_loss[1].mean)


def test_changes_of_known_size_are_covered_and_none_is_found_where_there_is_none():
    # Temperatures alone: calibration changes by what the world says, refinement not at all.
    known = [truth(sharpness=s)["log_loss"][1] for s in (1.5, 2.0)]
    covered = invented = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        _, said, labels = world(rng, 300, sharpness=1.5)
        sharper = softmax(np.log(said) * 4 / 3, axis=1)
        found = loss_change([said, sharper], labels)
        change = found.calibration_change[1]
        covered += change.low <= known[1] - known[0] <= change.high
        refined = found.refinement_change[1]
        invented += refined.low > 1e-6 or refined.high < -1e-6
    assert covered / 40 >= 0.85
    assert invented <= 5


def test_models_that_are_as_good_do_not_differ_and_that_agree_may():
    rng, draws, told = np.random.default_rng(0), 60, np.zeros(2)
    for _ in range(draws):
        true, _, labels = world(rng, 100, 3, 1.0)
        true = softmax(4 * np.log(true), axis=1)  # sure: few rows on which models differ
        labels = (np.log(true) + rng.gumbel(size=true.shape)).argmax(1)
        blurred = [softmax(np.log(true) + 0.5 * rng.normal(size=true.shape), axis=1) for _ in "ab"]
        found = loss_change(blurred, labels)
        for i, change in enumerate((found.log_loss_change[1], found.error_change[1])):
            told[i] += not change.low <= 0 <= change.high
    assert (told <= 7).all(), told  # nominal 5 %; more than 7 of 60 in 1 %
    agree = loss_change([true, softmax(0.9 * np.log(true), axis=1)], labels).error_change
    assert (agree[0].low, agree[0].high) == (0, 0)  # a model and itself
    assert agree[1].mean == 0
    assert agree[1].high == -agree[1].low == pytest.approx(2.8 / 100, rel=0.02)


def test_a_row_that_one_model_does_not_know_is_left_out_of_all():
    _, said, labels = world(np.random.default_rng(0), 100)
    other = said.copy()
    other[3] = np.nan
    found = loss_change([said, other], labels)
    assert (found.n, found.n_unknown) == (99, 1)
    assert found.log_loss_change[1].mean == 0


def test_tables_of_models_name_the_classes():
    _, said, labels = world(np.random.default_rng(0), 60)
    flat = 0.5 * said + 0.25
    plain = loss_change([said, flat], labels)
    turned = [pd.DataFrame(p[:, ::-1], columns=["b", "a"]) for p in (said, flat)]
    words = np.array(["a", "b"])[labels]
    change = loss_change(turned, words).log_loss_change[1]
    assert change.mean == pytest.approx(plain.log_loss_change[1].mean, rel=1e-12)
    with pytest.raises(UsageError, match="the table's columns are not those of the first model"):
        loss_change([turned[0], turned[1][["a", "b"]]], words)
    with pytest.raises(DataError, match="probabilities and labels have the same index in diff"):
        loss_change([turned[0][::-1], turned[1][::-1]], pd.Series(words))
    with pytest.raises(DataError, match="probabilities and those of another model have the same"):
        loss_change([turned[0], turned[1][::-1]], words)
    # The columns of a table [T, n] are rows.
    second = pd.DataFrame([said[:, 1], flat[:, 1]], columns=np.arange(60)[::-1])
    change = loss_change(second, labels).log_loss_change[1]
    assert change.mean == pytest.approx(plain.log_loss_change[1].mean, rel=1e-12)


def test_no_estimate_lies_outside_its_interval():
    below = 0
    for seed in range(30):
        _, said, labels = world(np.random.default_rng(seed), 12, 3)
        found = proper_scores(said, labels)
        for split in (found.log_loss, found.brier):
            for part in vars(split).values():
                assert part.low <= part.mean <= part.high
            assert split.calibration.high >= 0
            below += split.calibration.mean < 0
        gain = estimate_temperature(said, labels)
        assert gain.gain_low <= gain.gain <= gain.gain_high
    assert below > 0  # so few rows are overfitted by a recalibration


_, SAID, LABELS = world(np.random.default_rng(0), 20)


@pytest.mark.parametrize("measure", [proper_scores, estimate_temperature])
def test_wrong_data(measure):
    with pytest.raises(DataError, match="labels are no classes of these probabilities"):
        measure(SAID, LABELS + 5)
    with pytest.raises(UsageError, match="confidence is out of range"):
        measure(SAID, LABELS, confidence=0)


def test_wrong_models():
    with pytest.raises(UsageError, match="reference is out of range"):
        loss_change([SAID], LABELS, reference=1)
    with pytest.raises(UsageError, match="confidence is out of range"):
        loss_change([SAID], LABELS, confidence=0)
    with pytest.raises(DataError, match="probabilities has a wrong shape"):
        loss_change(SAID[0], LABELS)
