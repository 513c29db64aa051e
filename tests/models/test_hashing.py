"""Tables and projected neighbours: by loops, by another library, by the laws of projections."""

import math

import numpy as np
import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier

from overparam.errors import DataError, UsageError
from overparam.models import AverageHash, FingerprintTable, ProjectedNeighbors
from overparam.streams import Streams


def task(n=40, d=3, n_classes=3, seed=0):
    rng = np.random.default_rng(seed)
    return torch.from_numpy(rng.standard_normal((n, d))), rng.integers(0, n_classes, n)


def test_a_table_is_a_dictionary():
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 2, (60, 1, 2, 2)), rng.integers(0, 4, 60)
    asked = rng.integers(0, 3, (30, 1, 2, 2))
    table = FingerprintTable().fit(x, y)
    assert table.n_keys == len({tuple(row.flatten()) for row in x})
    slow = []
    for row in asked:
        own = [label for other, label in zip(x, y, strict=True) if (other == row).all()]
        counts = np.bincount(own or y, minlength=4)
        slow.append(counts / counts.sum())
    torch.testing.assert_close(table.predict(asked), torch.tensor(np.array(slow)))
    inside = [any((other == row).all() for other in x) for row in asked]
    assert table.contains(asked).tolist() == inside
    assert 0 < sum(inside) < 30


def test_distinct_rows_are_fitted_whatever_their_labels_and_new_ones_are_unknown():
    x, y = task(200)
    table = FingerprintTable().fit(x, y)
    assert (table.predict(x).argmax(1).numpy() == y).all()
    assert not table.contains(x + 1e-12).any()
    shares = torch.tensor(np.bincount(y) / 200).expand(200, 3)
    torch.testing.assert_close(table.predict(x + 1e-12), shares)


def test_keys_are_values_and_not_bytes():
    table = FingerprintTable().fit(torch.tensor([[0.0], [2.0]], dtype=torch.float32), [0, 1])
    assert table.contains(torch.tensor([[-0.0], [2.0]], dtype=torch.float64)).all()
    assert table.contains(torch.tensor([[0], [2]])).all()


def test_a_table_of_invariant_keys_knows_altered_copies():
    images = torch.from_numpy(np.random.default_rng(0).random((30, 1, 8, 8)))
    labels = np.arange(30)
    altered = 0.5 * images + 0.2
    for fingerprint, right in ((AverageHash(6), 30), (lambda x: x.flatten(1), 0)):
        table = FingerprintTable(fingerprint).fit(images, labels)
        assert int(table.contains(altered).sum()) == right


@pytest.mark.parametrize("k", [1, 5])
def test_projected_neighbours_are_neighbours_of_the_projections(k):
    x, y = task(80, 6)
    new, _ = task(50, 6, seed=1)
    fitted = ProjectedNeighbors(n_directions=4, n_neighbors=k).fit(x, y, Streams(3))
    a, b = ((v - x.mean(0)).numpy() @ fitted.directions.T for v in (x, new))
    other = KNeighborsClassifier(k).fit(a, y).predict_proba(b)
    np.testing.assert_allclose(fitted.predict(new).numpy(), other, rtol=0, atol=1e-12)
    nearest = [min(np.linalg.norm(row - stored) for stored in a) for row in b]
    np.testing.assert_allclose(fitted.nearest_distance(new).numpy(), nearest, rtol=1e-9)


def test_bits_are_signs_and_ties_are_shared():
    x, y = task(60, 4)
    new, _ = task(20, 4, seed=1)
    fitted = ProjectedNeighbors(n_directions=5, signs=True).fit(x, y, Streams(0))
    bits, asked = ((v - x.mean(0)).numpy() @ fitted.directions.T > 0 for v in (x, new))
    slow = []
    for row in asked:
        differ = (bits != row).sum(1)
        slow.append(np.bincount(y[differ == differ.min()], minlength=3))
    slow = [counts / counts.sum() for counts in slow]
    np.testing.assert_allclose(fitted.predict(new).numpy(), slow, rtol=0, atol=1e-12)


def test_distances_are_kept_on_average_and_bits_differ_by_the_angle():
    p = 4000
    x = torch.tensor([[1.0, 0.0, 2.0], [-1.0, 1.0, 0.0], [0.0, -1.0, -2.0]], dtype=torch.float64)
    true = float(((x[0] - x[1]) ** 2).sum())
    codes = ProjectedNeighbors(p).fit(x, [0, 1, 2], Streams(0)).codes
    found = ((codes[0] - codes[1]) ** 2).sum()
    assert abs(found - true) < 4 * true * math.sqrt(2 / p)  # the mean of p squares

    bits = ProjectedNeighbors(p, signs=True).fit(x, [0, 1, 2], Streams(0)).codes
    a, b = x[0] - x.mean(0), x[1] - x.mean(0)
    rate = math.acos(float(a @ b / a.norm() / b.norm())) / math.pi
    assert abs((bits[0] != bits[1]).mean() - rate) < 4 * math.sqrt(rate * (1 - rate) / p)


def test_directions_of_fewer_are_the_first_of_more():
    x, y = task()
    few, many = (ProjectedNeighbors(p).fit(x, y, Streams(0)).directions for p in (2, 8))
    np.testing.assert_allclose(few * 2**0.5, many[:2] * 8**0.5, rtol=1e-15)


@pytest.mark.parametrize("model", [FingerprintTable(), ProjectedNeighbors()])
def test_what_does_not_fit_is_refused(model):
    more = (Streams(0),) if isinstance(model, ProjectedNeighbors) else ()
    x, y = task()
    for inputs, labels, match in (
        (x[:0], y[:0], "inputs do not fit"),
        (x[:, 0], y, "inputs do not fit"),
        (x * float("nan"), y, "NaN or infinity"),
        (x, y[:5], r"one class for each input; got 'torch.int64 \[5\] for 40 inputs"),
        (x, y + 0.5, "one class for each input"),
        (x, y - 1, "one class for each input"),
    ):
        with pytest.raises(DataError, match=match):
            model.fit(inputs, labels, *more)
    with pytest.raises(DataError, match=r"outside the classes; got 2; allowed: 0\.\.1"):
        model.fit(x, y, *more, n_classes=2)
    fitted = model.fit(x, y, *more, n_classes=7)
    assert fitted.predict(x).shape == (40, 7)
    with pytest.raises(DataError, match=r"inputs do not fit; got \[40, 2\]"):
        fitted.predict(x[:, :2])


def test_a_fingerprint_of_other_rows_and_too_many_neighbours_are_refused():
    x, y = task(10)
    with pytest.raises(DataError, match=r"one code for each input; got \[30\]"):
        FingerprintTable(lambda rows: rows.flatten()).fit(x, y)
    with pytest.raises(DataError, match="fewer rows than neighbours"):
        ProjectedNeighbors(n_neighbors=11).fit(x, y, Streams(0))
    with pytest.raises(UsageError, match="n_directions"):
        ProjectedNeighbors(n_directions=0).fit(x, y, Streams(0))
