"""OP601: at which step the rows were fitted, and whether error was still falling."""

import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier

from overparam.audits.check import ask
from overparam.audits.checks.training import where_it_stopped
from overparam.audits.one_model import fit_one
from tests.audits.checks.courses import course_of, evidence_of_course
from tests.audits.worlds import evidence_of, subject_of


def ask_of(*course, **options):
    return ask(where_it_stopped.CHECK, evidence_of_course(course_of(*course), **options))


def test_the_step_at_which_all_rows_are_fitted_is_told():
    found = ask_of([0.4, 0.2, 0.0, 0.0, 0.0, 0.0], [0.3, 0.1, 0.1, 0.1, 0.1, 0.1])
    assert found.status == "passed"
    assert found.details["fitted_at"] == 3
    assert "by epoch 3 of 6" in found.sentence


def test_one_that_never_fits_says_what_is_left():
    found = ask_of([0.4, 0.3, 0.25, 0.25, 0.25, 0.25], [0.3, 0.3, 0.3, 0.3, 0.3, 0.3])
    assert found.details["fitted_at"] is None
    assert "25.0% wrong" in found.sentence


def test_an_error_that_still_falls_is_found():
    falling = np.linspace(0.5, 0.1, 6).tolist()
    found = ask_of(falling, falling)
    assert (found.status, found.severity) == ("found", "low")
    assert found.measured.low > 0
    assert "train longer" in found.action


def test_a_few_rows_that_still_become_right_leave_it_open():
    found = ask_of([0.1] * 6, [0.1, 0.1, 0.1, 0.1, 0.1, 0.09])
    assert found.status == "undecided"


def test_without_a_test_set_only_the_fit_is_told():
    found = ask_of([0.4, 0.2, 0.0])
    assert found.status == "passed"
    assert "not seen without a test set" in found.sentence


def test_what_diverged_stopped_nowhere():
    course = course_of([0.4, 0.2])
    course.error[-1] = np.nan
    found = ask(where_it_stopped.CHECK, evidence_of_course(course))
    assert found.status == "undecided"


def test_rounds_of_boosting_are_steps():
    subject = subject_of(GradientBoostingClassifier(n_estimators=30))
    found = ask(where_it_stopped.CHECK, evidence_of(subject, one=fit_one(subject, 0)))
    assert found.details["unit"] == "round"
    assert found.details["steps"] == 30


def test_a_forest_has_no_steps():
    subject = subject_of(RandomForestClassifier(5))
    found = ask(where_it_stopped.CHECK, evidence_of(subject, one=fit_one(subject, 0)))
    assert found.status == "not applicable"
    assert "not trained in steps" in found.sentence


@pytest.mark.parametrize("last", [0.02, 0.0])
def test_the_figure_shows_both_sets(last):
    found = ask_of([0.4, 0.2, last], [0.3, 0.2, 0.2])
    assert [s.label for s in found.figures[0].panels[0].series] == ["training rows", "test rows"]
    assert len(found.figures[0].panels[0].rules) == (last == 0.0)
