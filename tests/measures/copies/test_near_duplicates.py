"""Near copies: planted ones are found, worlds without any are quiet, CIFAR-10's known ones."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from scipy.ndimage import gaussian_filter
from sklearn.datasets import load_breast_cancer, load_iris, load_wine

from overparam.errors import DataError, UsageError
from overparam.measures import find_near_duplicates
from overparam.measures.copies.neighbor_gaps import fit_tail, gaps, largest_p

KNOWN_OF_CIFAR = [  # test row, training row
    (7293, 9640), (6080, 9148), (2901, 6801), (7052, 2362), (9703, 6844), (4297, 3887),
    (6563, 7524), (4105, 2889), (6668, 8171), (7264, 1148), (9112, 8368), (9677, 3589),
    (3243, 1732), (4809, 9510), (5585, 7998), (5164, 5657), (4891, 2111), (7631, 323),
    (3428, 6963), (2369, 119), (7185, 2323), (7417, 3834), (1712, 5657), (1562, 5291),
    (7799, 4049), (6921, 6463), (8523, 5375), (4603, 2150), (8356, 1901), (2967, 916),
    (7652, 9510), (9610, 1169), (136, 4164), (9951, 5956), (4042, 549), (627, 5038),
    (3530, 5291), (1313, 2582), (1608, 8488), (9896, 5768), (5383, 9913), (2093, 7591),
    (6528, 7679), (6583, 7423), (6003, 5327), (3784, 5837), (1781, 6537), (3197, 7272),
    (3794, 3387), (5382, 8086), (9350, 6566), (856, 3473), (3553, 8884), (5800, 1852),
    (2826, 5669), (9530, 6582), (3768, 9898),
]  # fmt: skip


def scenes(rng, n, side=32):
    """Smooth random pictures: like photographs, they resemble each other in what is coarse."""
    noise = rng.normal(size=(n, 3, side, side))
    return sum(gaussian_filter(noise, (0, 0, s, s)) * s**2 for s in (0.7, 2, 5))


WORLDS = {
    "normal": lambda rng, n: rng.normal(size=(n, 4)),
    "wide": lambda rng, n: rng.normal(size=(n, 20)),
    "heavy tails": lambda rng, n: rng.standard_t(3, size=(n, 5)),
    "skew": lambda rng, n: np.exp(1.5 * rng.normal(size=(n, 4))),
    "mixed scales": lambda rng, n: rng.normal(size=(n, 6)) * rng.choice([0.1, 1, 5], n)[:, None],
    "counts": lambda rng, n: rng.poisson(3, size=(n, 6)),
    "a curve": lambda rng, n: np.sin(rng.random(n)[:, None] * [1, 2, 5]),
}


@pytest.mark.parametrize("world", WORLDS)
def test_nothing_is_found_where_nothing_is(world):
    alarms = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        alarms += len(find_near_duplicates(WORLDS[world](rng, (60, 200)[seed % 2])).pairs) > 0
    assert alarms <= 4


@pytest.mark.parametrize("load", [load_iris, load_wine, load_breast_cancer])
def test_clean_tables_are_quiet(load):
    found = find_near_duplicates(load().data)
    assert found.pairs.shape == (0, 2)
    assert [rows.tolist() for rows in found.sets] == ([[101, 142]] if load is load_iris else [])


def test_planted_rows_of_a_table_are_found_and_nothing_else():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(500, 8)) * 10.0 ** np.arange(8)
    planted = {(i, 490 + i) for i in range(10)}
    for i, j in planted:
        rows[j] = rows[i] * (1 + 1e-3 * rng.normal(size=8))
    found = find_near_duplicates(pd.DataFrame(rows))
    assert {tuple(pair) for pair in found.pairs.tolist()} == planted
    assert (np.diff(found.distance) >= 0).all()
    assert (found.p_value <= found.threshold).all()
    assert found.group[490:].tolist() == list(range(10))
    assert found.expected_false < 1
    again = find_near_duplicates(rows * 1000 - 5)  # units do not count
    assert again.pairs.tolist() == found.pairs.tolist()


def test_three_copies_and_an_exact_one_are_one_group():
    rows = np.random.default_rng(0).normal(size=(300, 6))
    rows[[10, 20]] = rows[5] + [[1e-4], [-1e-4]]
    rows[30] = rows[20]
    found = find_near_duplicates(rows)
    assert [group.tolist() for group in found.sets] == [[5, 10, 20, 30]]
    assert 30 not in found.pairs  # the first of equal rows stands for them


def test_images_mirrored_shifted_darkened_and_noisy_are_found():
    rng = np.random.default_rng(0)
    images = scenes(rng, 400)
    others = scenes(rng, 60)
    others[0] = images[7][..., ::-1]
    others[1] = np.roll(images[8], (1, 2), (1, 2))
    others[2] = 0.5 * images[9] - 1
    others[3] = images[10] + 0.01 * np.ptp(images) * rng.normal(size=images[0].shape)
    others[4] = images[11]
    found = find_near_duplicates(images, others)
    near = {tuple(pair) for pair in found.pairs.tolist()}
    assert {(7, 0), (8, 1), (9, 2), (10, 3)} <= near
    assert len(near) <= 5
    assert found.is_in_first.sum() == len(near) + 1
    assert found.group_of_other[:5].tolist() == [7, 8, 9, 10, 11]
    for kind in ("mirrored", "shifted by a pixel", "darker, with less contrast"):
        assert found.planted[kind].rate > 0.9, kind
    last = find_near_duplicates(images.transpose(0, 2, 3, 1), others.transpose(0, 2, 3, 1))
    assert {tuple(pair) for pair in last.pairs.tolist()} == near


def test_images_without_copies_are_quiet():
    alarms = [
        len(find_near_duplicates(scenes(np.random.default_rng(s), 100)).pairs) for s in range(3)
    ]
    assert sum(n > 0 for n in alarms) == 0


def test_blank_and_huge_images():
    images = scenes(np.random.default_rng(0), 80, 48)[:, 0]
    images[[3, 4, 5]] = [[[0.1]], [[0.2]], [[0.3]]]  # no contrast, no copies
    images[60] = images[61][:, ::-1]
    found = find_near_duplicates(images.astype(np.float32))
    assert found.pairs.tolist() == [[60, 61]]
    assert find_near_duplicates(np.uint8(128 + 20 * images)).pairs.tolist() == [[60, 61]]


def test_the_gap_of_points_in_m_dimensions_has_the_tail_that_is_known():
    """Poisson points: (d_1/d_7)^m is Beta(1, 6), so log(d_7/d_1) is the largest of six Exp(m)."""
    m, n = 5, 20_000
    rng = np.random.default_rng(0)
    volumes = np.cumsum(rng.exponential(size=(n, 7)), axis=1)
    far = volumes ** (1 / m)
    first = gaps(far)[:, 0]
    tail = fit_tail(far)
    for t in (0.9, 1.1, 1.3):
        exact = 1 - (1 - np.exp(-m * t)) ** 6
        assert tail.p_value(np.array([t]))[0] >= exact  # never fewer false ones than there are
        assert np.mean(first > t) == pytest.approx(exact, abs=4 * np.sqrt(exact / n))
    assert fit_tail(np.ones((60, 7))).p_value(np.array([5.0]))[0] == 1  # ties say nothing


def test_the_rule_that_keeps_false_ones_few():
    """As SciPy's adjusted p-values decide."""
    from scipy.stats import false_discovery_control

    p = np.random.default_rng(0).beta(0.3, 3, size=200)
    cut = largest_p(p, 0.1)
    assert ((p <= cut) == (false_discovery_control(p) <= 0.1)).all()
    assert largest_p(np.array([0.5, 0.9]), 0.05) == 0


@pytest.mark.slow
def test_cifar_10():
    """More than correlation of pixels finds: 63 % of 57 known pairs with 189 flagged at r > .90.

    Known pairs: Barz, Denzler 2020 (J. Imaging 6, 41), `meta/duplicates_cifar10.csv` of their
    repository cvjena/cifair, TrainID < 10,000; here those judged near-duplicates (1).
    """
    data = Path(os.environ.get("OVERPARAM_DATA", "")) / "cifar-10-batches-bin"
    if not (data / "test_batch.bin").is_file():
        pytest.skip("CIFAR-10 in binary is not in the folder OVERPARAM_DATA")
    train, test = (
        np.fromfile(data / f"{part}.bin", np.uint8).reshape(-1, 3073)[:, 1:].reshape(-1, 3, 32, 32)
        for part in ("data_batch_1", "test_batch")
    )
    found = find_near_duplicates(train, test)
    near = {(row, other) for row, other in found.pairs.tolist()}
    assert sum((row, other) in near for other, row in KNOWN_OF_CIFAR) >= 47
    assert len(near) <= 230
    assert not (found.is_in_first & ~np.isin(np.arange(10_000), found.pairs[:, 1])).any()


ROWS = np.random.default_rng(0).normal(size=(60, 3))


@pytest.mark.parametrize(
    ("one", "other", "words"),
    [
        (ROWS[:49], None, "inputs are too few to tell what is near"),
        (np.repeat(ROWS[:20], 5, axis=0), None, "inputs are too few"),
        (ROWS, ROWS[:9] + 1, "other are too few"),
        (np.where(ROWS > 2, np.nan, ROWS), None, "inputs hold NaN or infinity"),
        (["a"] * 60, None, "near copies are of images and of tables"),
        (scipy.sparse.csr_array(ROWS), None, "near copies are of images and of tables"),
        (pd.DataFrame({"a": ["x"] * 60}), None, "inputs are not an array of numbers"),
        (ROWS[:, 0], None, "inputs are no images"),
        (np.zeros((60, 5, 5)), None, "too few"),
        (np.random.default_rng(0).normal(size=(60, 5, 5)), None, "inputs are no images"),
        (np.random.default_rng(0).normal(size=(60, 9, 9, 9)), None, "inputs are no images"),
        (ROWS, ROWS[:, :2], "two sets of rows are not of one form"),
        ((1.5 + ROWS / 9) * np.where(ROWS > 0, 1e308, -1e308), None, "numbers are too large"),
        (np.c_[ROWS, np.full(60, np.inf)], None, "hold NaN or infinity"),
    ],
)
def test_wrong_rows(one, other, words):
    with pytest.raises(DataError, match=words), np.errstate(over="ignore"):
        find_near_duplicates(one, other)


def test_wrong_shares_and_columns():
    with pytest.raises(UsageError, match="false_share is out of range"):
        find_near_duplicates(ROWS, false_share=0)
    one, other = (pd.DataFrame(ROWS, columns=list(names)) for names in ("abc", "abd"))
    with pytest.raises(UsageError, match="column"):
        find_near_duplicates(one, other)
