"""OP203 to OP206: conflicts, exact and near copies, planted or not there."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from overparam.audits.check import ask
from overparam.audits.checks.memorization import (
    _copies,
    conflicts,
    copied_tests,
    duplicates,
    near_duplicates,
)
from overparam.audits.evidence import Evidence
from overparam.audits.subject import make_subject
from overparam.audits.subset_models import SubsetModels
from overparam.ensembles import subset_ensemble
from tests.audits.worlds import blobs, evidence_of, models_of, subject_of


def with_groups(subject, n_models=12):
    """Models whose subsets keep copies together, as an audit has them."""
    ensemble = subset_ensemble(
        subject.model, subject.train, n_models=n_models, groups=Evidence(subject).groups,
        evaluate=subject.test, workers=0, one_run=False,
    )  # fmt: skip
    return SubsetModels(subject, ensemble)


class TestConflicts:
    def ambiguous(self):
        """Ten inputs that decide, and ten that do not: each of twenty rows."""
        x = np.repeat(np.arange(20.0), 20)
        y = (x % 2).astype(int)
        y[x >= 10] = np.arange(200) % 20 < 9
        return make_subject(DecisionTreeClassifier(), x[:, None], y)

    def test_inputs_that_do_not_decide_cost_what_no_model_gets_right(self):
        found = ask(conflicts.CHECK, evidence_of(self.ambiguous()))
        assert found.severity in ("high", "critical")
        # 9 of 20 rows of half of the inputs are in a minority: 22.5 points on new rows.
        assert found.cost.low < 22.5 < found.cost.high
        assert found.details["least_error"] == pytest.approx(0.225)
        assert len(found.rows) == 200
        assert "wrong labels alone do not explain" in found.sentence

    def test_few_wrong_labels_among_copies_are_not_called_irreducible(self):
        x = np.repeat(np.arange(20.0), 20)
        y = (x % 2).astype(int)
        y[[3, 77, 150]] = 1 - y[[3, 77, 150]]
        subject = make_subject(DecisionTreeClassifier(), x[:, None], y)
        found = ask(conflicts.CHECK, evidence_of(subject))
        assert (found.status, found.severity, found.cost) == ("found", "low", None)
        assert np.isin([3, 77, 150], found.rows).all()

    def test_copies_that_agree_pass_and_so_do_rows_without_copies(self):
        x = np.repeat(np.arange(20.0), 20)
        subject = make_subject(DecisionTreeClassifier(), x[:, None], (x % 2).astype(int))
        assert "agree with their copies" in ask(conflicts.CHECK, evidence_of(subject)).sentence
        found = ask(conflicts.CHECK, evidence_of(subject_of()))
        assert found.status == "passed"
        assert "No two of 160 rows" in found.sentence

    def test_numbers_do_not_apply(self):
        subject = make_subject(DecisionTreeClassifier(), *blobs()[:2], task="numbers")
        assert ask(conflicts.CHECK, evidence_of(subject)).status == "not applicable"


class TestDuplicates:
    def twice(self, spread, wrong=0.0):
        X, y, _ = blobs(120, spread=spread, wrong=wrong)
        return make_subject(DecisionTreeClassifier(), np.r_[X, X], np.r_[y, y])

    def test_harmless_ones_rank_low(self):
        subject = self.twice(0.2)
        found = ask(duplicates.CHECK, evidence_of(subject, models=with_groups(subject)))
        assert (found.status, found.severity) == ("found", "low")
        assert found.cost.low <= 0 <= found.cost.high
        assert found.details["n_copies"] == 120
        assert found.details["canaries"] == {"n_planted": 100, "caught": 100}
        assert "all with equal labels" in found.sentence

    def test_those_that_a_random_split_would_be_flattered_by_cost(self):
        subject = self.twice(0.6, wrong=0.3)
        found = ask(duplicates.CHECK, evidence_of(subject, models=with_groups(subject)))
        assert found.severity in ("high", "critical")
        assert found.cost.low > 10  # of some forty points on rows left out, none on those seen

    def test_without_models_the_cost_is_not_measured(self):
        found = ask(duplicates.CHECK, evidence_of(self.twice(0.6)))
        assert (found.severity, found.cost) == ("low", None)
        assert "was not measured" in found.sentence

    def test_different_rows_pass(self):
        found = ask(duplicates.CHECK, evidence_of(subject_of()))
        assert found.status == "passed"
        assert "catches 100 of 100" in found.sentence


class TestNearDuplicates:
    def nearly_twice(self, k=8, wrong=0.0):
        rng = np.random.default_rng(0)
        X, y, _ = blobs(200, spread=0.6, wrong=wrong)
        X = np.c_[X, rng.normal(size=(200, 3))]
        return np.r_[X, X[:k] + 1e-5], np.r_[y, y[:k]]

    def test_planted_pairs_are_found(self):
        subject = make_subject(LogisticRegression(), *self.nearly_twice())
        found = ask(near_duplicates.CHECK, evidence_of(subject, models=models_of(subject, 30)))
        assert (found.status, found.severity) == ("found", "low")
        pairs = set(zip(found.rows, found.row_columns["near copy of"], strict=True))
        assert len({(i, 200 + i) for i in range(8)} & pairs) >= 7
        assert found.details["canaries"]["noise of a hundredth of the spread"]["recall"] > 0.5
        assert found.cost.low <= 0 <= found.cost.high

    def test_what_they_flatter_is_read_from_rows_left_out(self):
        X, y = self.nearly_twice(9, wrong=0.5)
        subject = make_subject(DecisionTreeClassifier(), X, y)
        found = ask(near_duplicates.CHECK, evidence_of(subject, models=models_of(subject, 30)))
        # Labels say nothing: half right without the copy, all right with it, on 18 of 209 rows.
        assert found.cost.low > 0
        assert found.cost.high > 100 * 18 / 209 / 2

    def test_rows_without_copies_pass(self):
        rng = np.random.default_rng(1)
        subject = make_subject(LogisticRegression(), rng.normal(size=(200, 5)), np.arange(200) % 2)
        assert ask(near_duplicates.CHECK, evidence_of(subject)).status == "passed"

    def test_a_search_that_misses_what_was_planted_does_not_pass(self):
        # More than a tenth of the rows have a near copy: no gap is beyond those of the others.
        subject = make_subject(LogisticRegression(), *self.nearly_twice(200))
        found = ask(near_duplicates.CHECK, evidence_of(subject))
        assert found.status == "undecided"
        assert "the search misses most" in found.sentence

    def test_what_is_not_searched_is_said(self, monkeypatch):
        X, y, _ = blobs()
        missing = X.copy()
        missing[3, 0] = np.nan
        for inputs, status, why in (
            (sparse.csr_matrix(X), "not applicable", "in images and in numbers alone"),
            (["a b", "c"] * 80, "not applicable", "in images and in numbers alone"),
            (missing, "not applicable", "missing values"),
            (X[:40], "skipped", "fewer than 50 rows"),
            (np.zeros((160, 2)), "skipped", "near copies: "),
        ):
            n = inputs.shape[0] if hasattr(inputs, "shape") else len(inputs)
            subject = make_subject(LogisticRegression(), inputs, y[:n])
            found = ask(near_duplicates.CHECK, evidence_of(subject))
            assert (found.status, why in found.sentence) == (status, True), found
        monkeypatch.setattr(_copies, "_PER_SECOND", 1e2)
        found = ask(near_duplicates.CHECK, evidence_of(make_subject(LogisticRegression(), X, y)))
        assert found.status == "skipped"
        assert "take too long to compare" in found.sentence


class TestCopiedTests:
    def leaked(self, k=60, wrong=0.4):
        X, y, _ = blobs(160, wrong=wrong)
        other = blobs(200, seed=1, wrong=wrong)
        test = np.r_[X[:k], other[0]], np.r_[y[:k], other[1]]
        return make_subject(DecisionTreeClassifier(), X, y, test=test)

    def test_leaks_that_flatter_cost_as_many_points(self):
        subject = self.leaked()
        found = ask(copied_tests.CHECK, evidence_of(subject, models=models_of(subject, 20)))
        assert found.severity in ("high", "critical")
        # 60 of 260 rows: right where trained on, else wrong nearly half of the time.
        assert 3 < found.cost.low < 100 * 60 / 260 * 0.5 < found.cost.high + 3
        assert found.details["n_exact"] == 60
        assert np.isin(np.arange(60), found.rows).all()
        at = list(found.rows).index(7)
        assert found.row_columns["test row"][at] == 7

    def test_harmless_leaks_rank_low(self):
        X, y, _ = blobs(160, spread=0.1)
        subject = make_subject(DecisionTreeClassifier(), X, y, test=(X[:40], y[:40]))
        found = ask(copied_tests.CHECK, evidence_of(subject, models=models_of(subject, 12)))
        assert (found.status, found.severity) == ("found", "low")
        assert "does not surely flatter" in found.sentence

    def test_without_models_the_cost_is_not_measured(self):
        found = ask(copied_tests.CHECK, evidence_of(self.leaked()))
        assert (found.severity, found.cost) == ("low", None)

    def test_other_rows_pass_and_no_test_set_does_not_apply(self):
        found = ask(copied_tests.CHECK, evidence_of(subject_of()))
        assert found.status == "passed"
        found = ask(copied_tests.CHECK, evidence_of(subject_of(tested=False)))
        assert found.status == "not applicable"

    def test_where_near_copies_are_not_searched_exact_ones_are(self):
        words = [f"{i} {i % 7}" for i in range(100)]
        y = np.arange(100) % 2
        subject = make_subject(LogisticRegression(), words, y, test=(words[:5], y[:5]))
        found = ask(copied_tests.CHECK, evidence_of(subject))
        assert found.details["n_exact"] == 5
        assert "in images and in numbers" in found.details["near_copies"]
