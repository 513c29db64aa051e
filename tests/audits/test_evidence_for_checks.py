"""What evidence tells every check: its time, the course of the one model, copies of test rows."""

import random

import numpy as np
import pytest

from overparam.audits.check import Check, ask
from overparam.audits.evidence import Evidence, Missing
from overparam.audits.finding import Finding
from overparam.audits.subject import make_subject
from tests.audits.worlds import blobs, evidence_of, subject_of


@pytest.mark.parametrize(("budget", "seconds"), [(10, 1.0), (60, 3.0), (600, 12.0), (6000, 120.0)])
def test_a_check_takes_a_fiftieth_of_the_budget_and_never_more_than_a_tenth(budget, seconds):
    assert Evidence(subject_of(), budget=budget).seconds_per_check == pytest.approx(seconds)


def test_without_a_model_there_is_no_course():
    with pytest.raises(Missing, match="one model on all rows: not measured"):
        _ = Evidence(subject_of()).course


def test_copies_among_test_rows_belong_together():
    X, y, _ = blobs(40)
    Z, z, _ = blobs(10, seed=1)
    subject = make_subject(subject_of().model, X, y, test=(Z[[0, 0, 1, 2, 2]], z[[0, 0, 1, 0, 0]]))
    groups = evidence_of(subject).test_groups
    assert len(np.unique(groups)) == 3
    assert groups[0] == groups[1]
    assert groups[3] == groups[4]


def test_without_a_test_set_nothing_belongs_together():
    assert Evidence(subject_of(tested=False)).test_groups is None


def test_what_a_check_draws_is_the_same_each_time_and_nobody_elses():
    def run(evidence):
        return Finding("passed", str(random.random()))

    check, evidence = Check("MY101", "A check that draws", run), Evidence(subject_of())
    random.seed(7)
    said = [ask(check, evidence).sentence for _ in range(2)]
    assert said[0] == said[1]
    assert random.random() == random.Random(7).random()
