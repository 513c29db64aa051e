"""Weak segments: planted ones are found, chance finds none, every form of a table is read."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from overparam.errors import DataError, UsageError
from overparam.measures import SegmentCondition, find_weak_clusters, find_weak_segments
from overparam.measures.subgroups.segment_search import columns_of, rows_in


def table(rng, n):
    return pd.DataFrame(
        {
            "age": rng.uniform(20, 80, n),
            "town": rng.choice(["Bern", "Rome", "Oslo", "Lima"], n),
            "seen": pd.to_datetime("2026-01-01") + pd.to_timedelta(rng.integers(0, 300, n), "D"),
            "size": rng.integers(0, 5, n),
        }
    )


def test_a_planted_crossing_is_found_with_its_rows_and_difference():
    rng = np.random.default_rng(0)
    frame = table(rng, 2000)
    weak = (frame["age"] >= 55) & frame["town"].isin(["Rome", "Oslo"])
    wrong = rng.random(2000) < np.where(weak, 0.5, 0.05)
    found = find_weak_segments(frame, wrong)
    best = found.found[0]
    assert {c.column for c in best.conditions} == {"age", "town"}
    assert "town is one of Oslo, Rome" in best.name
    inside = np.zeros(2000, dtype=bool)
    inside[best.rows] = True
    assert (inside & weak).sum() / (inside | weak).sum() > 0.8
    assert best.low < 0.45 < best.high
    assert found.overall == wrong.mean()
    assert rows_in(best.conditions, columns_of(frame)).tolist() == inside.tolist()


def test_what_is_missing_may_be_the_segment():
    rng = np.random.default_rng(0)
    frame = table(rng, 600).astype({"size": "Int64", "town": "category"})
    gone = rng.random(600) < 0.3
    frame.loc[gone, "size"] = pd.NA
    losses = rng.exponential(size=600) + 2 * gone
    best = find_weak_segments(frame, losses).found[0]
    assert best.name == "size is missing"
    assert best.rows.tolist() == np.flatnonzero(gone).tolist()
    frame["town"] = frame["town"].astype(object).where(~gone, None)
    best = find_weak_segments(frame[["town"]], losses).found[0]
    assert best.conditions == (SegmentCondition("town", missing=True),)
    present = find_weak_segments(frame[["size"]], -losses).found[0]
    assert present.name == "size is not missing"


@pytest.mark.parametrize("kind", ["wrong", "rare", "skewed", "copies"])
def test_chance_finds_nothing_and_intervals_cover_no_difference(kind):
    false, covered = 0, []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        n, groups = 300, None
        rows = rng.normal(size=(n, 3))
        losses = rng.random(n) < (0.02 if kind == "rare" else 0.2)
        if kind == "skewed":
            losses = np.exp(rng.normal(size=n))
        if kind == "copies":  # five rows of each group, with one fate
            groups, rows = np.repeat(np.arange(n), 5), np.repeat(rows, 5, axis=0)
            losses = np.repeat(losses, 5)
        found = find_weak_segments(rows, losses, groups=groups)
        false += bool(found.found)
        covered += [s.low <= 0 <= s.high for s in found.segments]
    assert false <= 7  # nominal 5 % of 60
    assert np.mean(covered) >= 0.88


def test_the_difference_is_free_of_the_bias_of_the_search():
    off, covered = [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        rows = rng.random((400, 2))
        rate = np.where(rows[:, 0] > 0.7, 0.4, 0.1)
        for s in find_weak_segments(rows, rng.random(400) < rate, n_segments=1).segments:
            inside = np.isin(np.arange(400), s.rows)
            true = rate[inside].mean() - rate[~inside].mean()
            off.append(s.difference - true)
            covered.append(s.low <= true <= s.high)
    assert abs(np.mean(off)) < 3 * np.std(off) / len(off) ** 0.5
    assert np.mean(covered) >= 0.9


def test_clusters():
    rng = np.random.default_rng(0)
    of = rng.integers(4, size=800)
    features = rng.normal(size=(800, 6)) + 6 * np.eye(6)[of]
    wrong = np.where(rng.random(800) < np.where(of == 2, 0.5, 0.05), 1.0, 0.0)
    wrong[0] = np.nan
    found = find_weak_clusters(features, wrong, n_clusters=4)
    assert len(found.found) == 2  # once by each half
    assert all((of[s.rows] == 2).mean() > 0.95 and s.low > 0.2 for s in found.found)
    assert (found.n, found.n_unknown) == (799, 1)
    false = sum(
        bool(find_weak_clusters(features, rng.random(800) < 0.1, n_clusters=4).found)
        for _ in range(20)
    )
    assert false <= 4


def test_equal_input_equal_answer_and_constant_losses():
    rng = np.random.default_rng(0)
    rows, losses = rng.random((100, 2)), rng.random(100)
    assert str(find_weak_segments(rows, losses)) == str(find_weak_segments(rows, losses))
    assert find_weak_segments(rows, np.full(100, 0.5)).segments == ()
    assert find_weak_segments(np.ones((100, 1)), losses).segments == ()
    assert find_weak_segments(np.full((100, 1), np.nan), losses).segments == ()
    assert find_weak_clusters(np.ones((100, 2)), losses).segments == ()


def test_conditions_are_read_aloud():
    assert str(SegmentCondition("x", high=2.5)) == "x < 2.5"
    assert str(SegmentCondition("x", low=1)) == "x >= 1"
    assert str(SegmentCondition("x", 1, 2)) == "1 <= x < 2"
    assert str(SegmentCondition("x", categories=("a",))) == "x is a"
    assert str(SegmentCondition("x", 86_400, is_date=True)) == "x >= 1970-01-02"
    assert str(SegmentCondition("x", high=-1, is_date=True)) == "x < 1969-12-31 23:59:59"


def test_bounds_of_what_float64_would_merge_are_exact():
    rng, flag = np.random.default_rng(0), np.arange(1000) % 4 == 0
    losses = rng.random(1000) < np.where(flag, 0.6, 0.1)
    frame = pd.DataFrame({"id": 2**60 + 100 * flag})
    (first, *_) = find_weak_segments(frame, losses).found
    assert first.name == f"id >= {2**60 + 100}"
    assert first.conditions[0].low == 2**60 + 100
    np.testing.assert_array_equal(np.sort(first.rows), np.flatnonzero(flag))
    at = np.datetime64("2026-01-01", "ns") + 100 * flag.astype("timedelta64[ns]")
    (first, *_) = find_weak_segments(pd.DataFrame({"at": at}), losses).found
    assert first.name == "at >= 2026-01-01 00:00:00.000000100"
    np.testing.assert_array_equal(np.sort(first.rows), np.flatnonzero(flag))


def test_groups_in_another_order_of_the_index():
    losses = pd.Series(np.random.default_rng(0).random(100))
    with pytest.raises(DataError, match="groups have the same index in different orders"):
        find_weak_segments(losses.to_frame("x"), losses, groups=pd.Series(range(100))[::-1])


def test_dates_are_dates_and_infinity_is_large():
    rng = np.random.default_rng(1)
    frame = table(rng, 1000)[["seen"]]
    late = frame["seen"] >= "2026-08-01"
    found = find_weak_segments(frame, rng.random(1000) < np.where(late, 0.5, 0.05)).found
    assert found[0].name.startswith("seen >= 2026-0")
    texts = frame.assign(seen=frame["seen"].dt.strftime("%Y-%m-%d"))
    assert (
        find_weak_segments(texts, late).found[0].name
        == find_weak_segments(frame, late).found[0].name
    )
    rows = np.where(np.arange(100) < 50, np.inf, rng.random(100))[:, None]
    best = find_weak_segments(rows, np.arange(100) < 50).found[0]
    assert best.rows.tolist() == list(range(50))


@pytest.mark.parametrize("side", [1, -1])
def test_names_and_rows_agree_where_values_are_infinite_or_missing(side):
    rng = np.random.default_rng(2)
    x = rng.normal(size=400).round(2)  # which names tell exactly
    x[:100], x[100:130], x[130:180] = side * np.inf, -side * np.inf, np.nan
    frame = pd.DataFrame({"x": x})
    worlds = [x == np.inf, x == -np.inf, np.isnan(x), np.isfinite(x), x > 0.5, x < 0]
    for weak in worlds:
        losses = weak + 0.1 * rng.random(400)
        for segment in find_weak_segments(frame, losses).segments:
            name = segment.name.replace("is not missing", "== x").replace("is missing", "!= x")
            inside = frame.query(name, local_dict={"inf": np.inf})
            assert segment.rows.tolist() == inside.index.tolist()


def test_one_index_in_two_orders():
    losses = pd.Series(LOSSES)
    for search in (find_weak_segments, find_weak_clusters):
        with pytest.raises(DataError, match="losses have the same index in different orders"):
            search(pd.DataFrame(ROWS), losses[::-1])
        with pytest.raises(DataError, match="losses and groups have the same index in different"):
            search(ROWS, losses, groups=losses[::-1])


ROWS, LOSSES = np.random.default_rng(0).random((60, 2)), np.arange(60) % 2


@pytest.mark.parametrize(
    ("rows", "losses", "words"),
    [
        (
            sparse.csr_matrix(ROWS),
            LOSSES,
            "segments are searched in a table; got 'a sparse matrix'",
        ),
        (ROWS[:, 0], LOSSES, "a table has rows and columns"),
        ([[1], [1, 2]], LOSSES, "a table has rows and columns"),
        (ROWS * 1j, LOSSES, "holds neither numbers, dates nor words"),
        (ROWS, LOSSES[:-1], "losses are of another number of rows"),
        (ROWS, np.where(LOSSES, np.inf, 0), "losses are infinite"),
        (ROWS[:39], LOSSES[:39], "too few rows to search in one half"),
        (ROWS, LOSSES * np.nan, "too few rows to search in one half"),
        (ROWS, LOSSES.astype(str), "losses must be real numbers"),
    ],
)
def test_wrong_data(rows, losses, words):
    with pytest.raises(DataError, match=words):
        find_weak_segments(rows, losses)


def test_wrong_numbers():
    with pytest.raises(UsageError, match="n_segments is out of range"):
        find_weak_segments(ROWS, LOSSES, n_segments=0)
    with pytest.raises(UsageError, match="min_share is out of range"):
        find_weak_segments(ROWS, LOSSES, min_share=0.5)
    with pytest.raises(UsageError, match="confidence is out of range"):
        find_weak_segments(ROWS, LOSSES, confidence=0)
    with pytest.raises(UsageError, match="n_clusters is out of range"):
        find_weak_clusters(ROWS, LOSSES, n_clusters=1)
    with pytest.raises(UsageError, match="n_segments is out of range"):
        find_weak_clusters(ROWS, LOSSES, n_segments=0)
    with pytest.raises(DataError, match="features hold NaN or infinity"):
        find_weak_clusters(ROWS * np.nan, LOSSES)
