"""The error budget: it adds up, brute force, other libraries, coverage, null worlds, bad input."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import ndtr
from sklearn.metrics import brier_score_loss, log_loss, zero_one_loss

from overparam.errors import DataError, UsageError
from overparam.measures import estimate_error_budget, subset_arrays


def probabilities(rng, n_models=6, n=60, n_classes=3):
    scores = rng.standard_normal((1, n, n_classes)) + 0.8 * rng.standard_normal(
        (n_models, n, n_classes)
    )
    said = np.exp(scores)
    return said / said.sum(2, keepdims=True), rng.integers(n_classes, size=n)


def numbers(rng, n_models=8, n=200, bias=0.7, shift=0.1, noise=0.5):
    model = shift * rng.standard_normal((n_models, 1))
    hard = bias * rng.standard_normal(n)
    return hard + model + noise * rng.standard_normal((n_models, n)), np.zeros(n)


def votes(rng, n_models=9, n=300, mean=1.0, spread=1.0, luck=0.1):
    """Class 0 is right; a row is answered so with probability ndtr of its ease."""
    ease = mean + spread * rng.standard_normal(n) + luck * rng.standard_normal((n_models, 1))
    return (rng.random((n_models, n)) >= ndtr(ease)).astype(int), np.zeros(n, int)


@pytest.mark.parametrize("loss", ["zero_one", "squared", "log"])
def test_parts_add_up_and_are_those_of_a_loop(loss):
    said, labels = probabilities(np.random.default_rng(0))
    inputs = np.arange(60) // 2  # pairs of equal inputs, some of them in conflict
    truth = np.eye(3)[labels] * 0.7 + 0.1
    found = estimate_error_budget(said, labels, loss=loss, truth=truth, inputs=inputs)
    parts = found.averaging, found.labels, found.conflicts, found.rest
    assert sum(p.value for p in parts) == pytest.approx(found.total.value, abs=1e-12)
    assert found.ensemble.value == pytest.approx(found.total.value - found.averaging.value)
    assert all(p.low <= p.value <= p.high for p in (*parts, found.total, found.at_hand))
    metric = {
        "zero_one": lambda p: zero_one_loss(labels, p.argmax(1)),
        "log": lambda p: log_loss(labels, p),
        "squared": lambda p: brier_score_loss(labels, p, scale_by_half=False),
    }[loss]
    assert found.total.value == pytest.approx(np.mean([metric(p) for p in said]), rel=1e-9)
    assert found.at_hand.value == pytest.approx(metric(said.mean(0)), rel=1e-9)
    differ = (labels[::2] != labels[1::2]).mean()
    each = {"zero_one": 0.5, "squared": 0.5, "log": np.log(2)}[loss]
    assert found.conflicts.value == pytest.approx(differ * each)


def test_squared_loss_splits_into_variance_and_the_rest_without_bias():
    said, targets = numbers(np.random.default_rng(1), n_models=3, n=20)
    found = estimate_error_budget(said, targets, loss="squared")
    assert found.averaging.value == pytest.approx(said.var(0, ddof=1).mean(), rel=1e-12)
    assert found.total.value == pytest.approx(np.square(said).mean(), rel=1e-12)
    assert found.baseline == 0  # all targets are 0
    pairs = np.array([1.0, 3.0] * 10)
    conflicts = estimate_error_budget(
        said + pairs, pairs, loss="squared", inputs=np.repeat(np.arange(10), 2)
    ).conflicts
    assert conflicts.value == 1  # the variance of 1 and 3


def test_the_answer_to_the_vote_is_domingos_main_prediction():
    rng = np.random.default_rng(2)
    said = np.where(rng.random((51, 400)) < 0.8, 0, rng.integers(1, 4, (51, 400)))
    labels = np.where(np.arange(400) < 300, 0, 1)  # the main prediction is 0 everywhere
    found = estimate_error_budget(said, labels)
    assert found.ensemble.value == pytest.approx(0.25, abs=1e-9)
    assert found.averaging.value == pytest.approx((said != labels).mean() - 0.25, abs=1e-9)
    assert found.combine == "vote"
    # Where the main prediction is wrong, deviations from it only help.
    wrong = estimate_error_budget(said, np.full(400, 1))
    assert wrong.averaging.high < 0


@pytest.mark.parametrize(
    ("make", "options", "true"),
    [
        (votes, {}, {"total": ndtr(-1 / np.sqrt(2.01)), "ensemble": ndtr(-1)}),
        (numbers, {"loss": "squared"}, {"total": 0.75, "averaging": 0.26, "ensemble": 0.49}),
    ],
)
def test_intervals_cover(make, options, true):
    true["averaging"] = true["total"] - true["ensemble"]
    hits, draws = dict.fromkeys(true, 0), 60
    for seed in range(draws):
        found = estimate_error_budget(*make(np.random.default_rng(seed)), **options)
        for name, value in true.items():
            part = getattr(found, name)
            hits[name] += part.low <= value <= part.high
    assert all(hit >= 0.88 * draws for hit in hits.values()), hits  # nominal .95, of 60 draws


@pytest.mark.parametrize("loss", ["zero_one", "squared", "log"])
def test_models_that_are_alike_have_no_variance(loss):
    said, labels = probabilities(np.random.default_rng(3), n_models=1, n=100)
    found = estimate_error_budget(np.repeat(said, 5, 0), labels, loss=loss)
    assert found.averaging.value == pytest.approx(0, abs=1e-12)
    assert found.averaging.low <= 1e-12
    assert found.averaging.high < 0.05
    assert found.at_hand.value == pytest.approx(found.total.value)


def test_nothing_wrong_and_everything_wrong():
    right = estimate_error_budget(np.zeros((5, 100), int), np.arange(100) % 100 == 99)
    assert right.total.value == pytest.approx(0.01)
    none = estimate_error_budget(np.tile(np.arange(100) % 2, (5, 1)), np.arange(100) % 2)
    assert (none.total.value, none.total.low) == (0, 0)
    assert 0.02 < none.total.high < 0.05  # 1 - .025^(1/100) is .036
    # Predictions of the other class everywhere.
    all_wrong = estimate_error_budget(np.tile(1 - np.arange(100) % 2, (5, 1)), np.arange(100) % 2)
    assert (all_wrong.total.value, all_wrong.total.high) == (1, 1)
    assert all_wrong.baseline == 0.5


def test_wrong_labels_cost_and_flatter():
    labels = np.arange(100) % 2
    said = np.tile(labels, (5, 1))
    said[:, :20] = 1 - said[:, :20]  # all models agree, and are wrong on twenty rows
    costs = np.where(np.arange(100) < 10, 1.0, 0.0)  # ten of these labels are wrong
    found = estimate_error_budget(said, labels, truth=costs)
    assert (found.labels.value, found.rest.value) == pytest.approx((0.1, 0.1))
    flatters = np.where(np.arange(100) >= 90, 1.0, 0.0)
    assert estimate_error_budget(said, labels, truth=flatters).labels.value == pytest.approx(-0.1)
    # The same in all classes' probabilities; a row in a conflict is no wrong label.
    full = np.where(np.eye(2)[labels] == 1, 1 - costs[:, None], costs[:, None])
    inputs = np.where(np.arange(100) < 2, 0, np.arange(100))
    both = estimate_error_budget(said, labels, truth=full, inputs=inputs)
    assert (both.labels.value, both.conflicts.value) == pytest.approx((0.08, 0.01))


def test_names_numbers_and_columns_are_classes_alike():
    said, labels = probabilities(np.random.default_rng(4))
    names = np.array(["ox", "cow", "bee"])
    votes_of = estimate_error_budget(said, labels, combine="vote")
    assert estimate_error_budget(said.argmax(2), labels) == votes_of
    as_text = estimate_error_budget(names[said.argmax(2)], names[labels])
    assert as_text.total == votes_of.total
    assert as_text.averaging.value == pytest.approx(votes_of.averaging.value)
    as_objects = estimate_error_budget(names[said.argmax(2)].astype(object), names[labels].tolist())
    assert as_objects == as_text
    assert estimate_error_budget(said, names[labels], classes=names) == estimate_error_budget(
        said, labels
    )
    in_order = {"classes": names, "truth": np.eye(3)[labels]}
    given = estimate_error_budget(names[said.argmax(2)], names[labels], **in_order)
    assert given.labels.value == 0
    assert given.total == votes_of.total


def test_rows_of_one_class_may_have_no_error():
    never = np.zeros((5, 40), int)
    found = estimate_error_budget(never, never[0], classes=[0, 1])
    assert (found.total.value, found.baseline) == (0, 0)
    assert 0 < found.total.high < 0.2


def test_rows_that_were_seen_or_not_said_do_not_count(monkeypatch):
    rng = np.random.default_rng(5)
    said, labels = probabilities(rng, n_models=10, n=80)
    masks = rng.random((10, 80)) < 0.5
    hidden = said.copy()
    hidden[masks] = np.nan
    for loss in ("zero_one", "log"):
        masked = estimate_error_budget(said, labels, loss=loss, in_subset=masks)
        assert masked == estimate_error_budget(hidden, labels, loss=loss)
        fewest = {"zero_one": 4, "log": 3}[loss]
        assert masked.n_unknown == ((~masks).sum(0) < fewest).sum() > 0
        assert masked.n_rows == 80 - masked.n_unknown
        with monkeypatch.context() as small:
            small.setattr(subset_arrays, "_BLOCK_BYTES", 2**12)
            blocks = estimate_error_budget(said, labels, loss=loss, in_subset=masks)
        assert blocks.rest.value == pytest.approx(masked.rest.value)
        assert blocks.rest.high == pytest.approx(masked.rest.high)
    whole = np.array(said.argmax(2), float)
    gaps = np.where(masks, np.nan, whole)
    assert estimate_error_budget(gaps, labels * 1.0) == estimate_error_budget(
        whole, labels * 1.0, in_subset=masks
    )


def test_what_pandas_holds():
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(7)
    labels = pd.Series(["a", "b"] * 30, dtype="string")
    said = pd.DataFrame(rng.choice(["a", "b"], (6, 60))).astype("string")
    said.iloc[:4, 0] = pd.NA
    found = estimate_error_budget(said, labels)
    assert (found.n_unknown, found.n_rows) == (1, 59)
    whole = estimate_error_budget(said.iloc[:, 1:], labels.iloc[1:].astype("category"))
    assert whole.total == found.total
    with pytest.raises(DataError, match="targets hold missing"):
        estimate_error_budget(said, labels.mask(labels == "b"))


def test_log_loss_of_hard_answers_is_not_extrapolated():
    # Forests of few trees say 0 and 1: a single model keeps the average's loss finite.
    hard = np.eye(2)[np.random.default_rng(8).integers(0, 2, (4, 200))]
    found = estimate_error_budget(hard, np.zeros(200, int), loss="log")
    assert found.ensemble.value > 0
    alone = hard[:, :, 0].sum(0) <= 1
    assert alone.sum() > 20
    assert found.ensemble.value >= (found.at_hand.value - np.log(4))


@pytest.mark.parametrize("loss", ["log", "squared"])
def test_errors_that_no_row_shows_yet_are_in_the_bounds(loss):
    said = np.tile([0.005, 0.995], (4, 100, 1))
    found = estimate_error_budget(said, np.ones(100, int), loss=loss)
    right, wrong = {
        "log": (-np.log(0.995), -np.log(0.005)),
        "squared": (2 * 0.005**2, 2 * 0.995**2),
    }[loss]
    most = 1 - 0.025 ** (1 / 100)  # Clopper and Pearson's bound of the rate of errors
    for part in (found.total, found.ensemble, found.rest, found.at_hand):
        assert part.value == pytest.approx(right)
        assert part.low <= right * 0.995 + wrong * 0.005  # the mean if probabilities are right
        assert part.high == pytest.approx(right + most * (wrong - right), rel=0.1)
    # Copies are one row; so is the error that was not seen.
    copies = estimate_error_budget(
        np.tile(said, (1, 3, 1)), np.ones(300, int), loss=loss, inputs=np.tile(np.arange(100), 3)
    )
    assert copies.total.high == pytest.approx(found.total.high)


def test_outliers_that_rows_hardly_hold_are_missed_as_the_page_says():
    rng, missed, true = np.random.default_rng(0), np.zeros(2), 0.02 * 100 + 0.98 * 0.01
    for _ in range(100):
        numbers_of = np.where(rng.random(100) < 0.02, 10, 0.1) * rng.standard_normal(100)
        total = estimate_error_budget([numbers_of] * 3, np.zeros(100), loss="squared").total
        missed += [total.high < true, total.low > true]
    assert 15 <= missed.sum() <= 50
    assert missed[0] > 2 * missed[1]


def test_copies_of_rows_are_no_more_rows():
    said, targets = numbers(np.random.default_rng(6), n=100)
    once = estimate_error_budget(said, targets, loss="squared")
    thrice = estimate_error_budget(
        np.tile(said, 3), np.tile(targets, 3), loss="squared", inputs=[*range(100)] * 3
    )
    assert thrice.ensemble.value == pytest.approx(once.ensemble.value)
    width = [f.ensemble.high - f.ensemble.low for f in (once, thrice)]
    assert width[1] == pytest.approx(width[0], rel=0.15)


def test_one_index_in_two_orders_and_inputs_of_any_kind():
    said, labels = probabilities(np.random.default_rng(0), n=20)
    right, turned = pd.Series(labels), pd.Series(range(20))[::-1]
    with pytest.raises(DataError, match="targets and inputs have the same index in different"):
        estimate_error_budget(said, right, inputs=turned)
    with pytest.raises(DataError, match="targets and truth have the same index in different"):
        estimate_error_budget(said, right, truth=pd.DataFrame(np.ones((20, 3)))[::-1])
    with pytest.raises(DataError, match="outputs and targets have the same index in different"):
        estimate_error_budget(pd.DataFrame(said.argmax(2)), right[::-1])
    texts = [str(i) for i in range(10)]
    apart = estimate_error_budget(said, labels, inputs=[*range(10), *texts])
    assert apart.total == estimate_error_budget(said, labels).total  # 1 is not "1"


SAID, LABELS = probabilities(np.random.default_rng(0), n=20)
NAMES = np.array(["a", "b", "c"])[SAID.argmax(2)]
NUMBERS = SAID[:, :, 0]


@pytest.mark.parametrize(
    ("outputs", "targets", "options", "kind", "words"),
    [
        (SAID[0, :, 0], LABELS, {}, DataError, "outputs have a wrong shape"),
        ([[1, 2], [1]], LABELS, {}, DataError, "outputs are no array"),
        (SAID, LABELS[:-1], {}, DataError, "targets are not of the same rows"),
        (SAID, np.where(LABELS, LABELS, np.nan), {}, DataError, "targets hold missing"),
        (NAMES, [None, *["a"] * 19], {}, DataError, "targets hold missing"),
        (NAMES, LABELS.astype(str), {}, DataError, "no model ever answers with a class"),
        (NAMES.astype(object), LABELS, {}, DataError, "classes are of several types"),
        (SAID, LABELS + 1, {}, DataError, "targets are none of the classes"),
        (NAMES, NAMES[0], {"classes": ["a", "b"]}, DataError, "outputs are none of the classes"),
        (NAMES[:, :1], ["a"], {"classes": 3}, DataError, "classes do not name every column"),
        (SAID, LABELS, {"classes": ["a", "a", "b"]}, DataError, "classes do not name every column"),
        (SAID * 5, LABELS, {}, DataError, "probabilities lie outside"),
        (NAMES[:, :, None], LABELS, {}, DataError, "outputs or targets are no numbers"),
        (SAID[:, :, :1] * 0 + 1, LABELS * 0, {}, DataError, "one class has no errors"),
        (NAMES[:3], NAMES[0], {}, DataError, "too few models"),
        (SAID[:2], LABELS, {"loss": "log"}, DataError, "too few models"),
        (SAID[:, :9], LABELS[:9], {}, DataError, "too few rows that enough models"),
        (SAID, LABELS, {"in_subset": np.ones((6, 20))}, DataError, "too few rows that enough"),
        (SAID, LABELS, {"in_subset": np.ones((5, 20))}, DataError, "in_subset and outputs"),
        (SAID, LABELS, {"inputs": [1, 2]}, DataError, "inputs do not fit the rows"),
        (SAID, LABELS, {"inputs": [np.nan] * 20}, DataError, "inputs are missing in places"),
        (SAID, LABELS, {"inputs": [None, *range(19)]}, DataError, "inputs are missing in places"),
        (
            SAID,
            LABELS,
            {"inputs": [pd.NA, *range(19)]},
            DataError,
            "got '1 of 20 are None, NaN or NA",
        ),
        (SAID, LABELS, {"truth": np.ones(20)}, DataError, "which class is right instead"),
        (SAID, LABELS, {"truth": np.ones((20, 2)) / 2}, DataError, "truth is not of the same"),
        (SAID, LABELS, {"truth": np.full((20, 3), np.nan)}, DataError, "truth holds NaN"),
        (SAID, LABELS, {"truth": np.ones((20, 3))}, DataError, "do not sum to 1"),
        (NUMBERS, LABELS, {"loss": "log"}, DataError, "log loss is of probabilities"),
        (
            NUMBERS * np.inf,
            LABELS,
            {"loss": "squared"},
            DataError,
            "outputs or targets hold infinity",
        ),
        (NAMES, NAMES[0], {"loss": "squared"}, DataError, "outputs or targets are no numbers"),
        (
            NUMBERS,
            LABELS,
            {"loss": "squared", "truth": np.ones(20)},
            UsageError,
            "truth is of classes",
        ),
        (NAMES, NAMES[0], {"combine": "average"}, UsageError, "cannot be combined by average"),
        (
            SAID,
            LABELS,
            {"loss": "log", "combine": "vote"},
            UsageError,
            "cannot be combined by vote",
        ),
        (SAID, LABELS, {"combine": "mean"}, UsageError, "unknown combine"),
        (SAID, LABELS, {"loss": "hinge"}, UsageError, "unknown loss"),
        (SAID, LABELS, {"confidence": 1}, UsageError, "confidence is out of range"),
    ],
)
def test_wrong_data(outputs, targets, options, kind, words):
    with pytest.raises(kind, match=words):
        estimate_error_budget(outputs, targets, **options)
