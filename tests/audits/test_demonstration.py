"""The demonstration: what is planted is there, what is found is counted, and all of it is found."""

import numpy as np
import pytest

from overparam.audits.demonstration import DEFAULTED, Fault, make_demonstration
from overparam.audits.finding import Finding
from overparam.audits.run import run_audit
from overparam.measures.copies.conflicts import label_conflicts
from overparam.measures.copies.duplicates import find_duplicates


@pytest.fixture(scope="module")
def made():
    return make_demonstration()


@pytest.fixture(scope="module")
def planted(made):
    return {fault.code: fault for fault in made.faults}


def first_rows(fault):
    return np.array([place[0] for place in fault.rows])


def test_copies_and_conflicts_are_there(made, planted):
    train, test = made.subject.train, made.subject.test
    copies = find_duplicates(train.inputs, test.inputs)
    assert copies.is_copy.sum() == planted["OP204"].n_planted + planted["OP203"].n_planted
    assert copies.is_in_first.sum() == planted["OP206"].n_planted
    conflicts = label_conflicts(copies, train.labels)
    assert sorted(map(sorted, planted["OP203"].rows)) == sorted(
        sorted(map(int, rows)) for rows in conflicts.rows
    )


def test_the_columns_are_as_they_are_said_to_be(made):
    table = made.subject.train.inputs
    is_default = made.subject.train.given_labels() == DEFAULTED
    assert table["branch"].nunique() == 1
    omitted = table["income"].isna()
    assert omitted[is_default].mean() > 3 * omitted[~is_default].mean()
    young = table["age"] < 65
    assert ((table["fee"] > 0) == is_default)[young].mean() > 0.9
    assert 0.3 < is_default[~young].mean() < 0.7


def test_faults_do_not_overlap(made):
    rows = [row for fault in made.faults for place in fault.rows for row in place]
    assert len(rows) == len(set(rows))


def test_wrong_labels_are_against_the_fee(made, planted):
    rows = first_rows(planted["OP202"])
    fee = made.subject.train.inputs["fee"].to_numpy()[rows] > 0
    label = made.subject.train.given_labels(rows) == DEFAULTED
    assert (fee != label).mean() > 0.9


def test_what_is_found_is_counted_by_rows_or_by_name():
    twice = Fault("OP204", "twice", ((1, 2), (5, 6), (7, 8)))
    found = Finding("found", "so", "low", rows=np.array([2, 5, 6, 9]))
    assert twice.n_planted == 3
    assert twice.n_found({"OP204": found}) == 2
    assert twice.n_found({"OP204": Finding("undecided", "so")}) == 0
    assert twice.n_found({}) == 0
    column = Fault("OP504", "constant", columns=("branch",))
    assert column.n_found({"OP504": Finding("found", "branch never changes", "low")}) == 1
    assert column.n_found({"OP504": Finding("found", "branches never change", "low")}) == 0
    numbered = Fault("OP504", "constant", columns=("7",))
    assert numbered.n_found({"OP504": Finding("found", "7 columns", "low")}) == 0
    told = Finding("found", "so", "low", details={"constant": [{"columns": ("7",)}]})
    assert numbered.n_found({"OP504": told}) == 1


@pytest.mark.slow
def test_every_planted_fault_is_found(made):
    result = run_audit(made.subject, budget=60, workers=0)
    found = {f.code: (f.n_found(result.findings), f.n_planted) for f in made.faults}
    assert all(n >= 0.7 * of for n, of in found.values()), found
