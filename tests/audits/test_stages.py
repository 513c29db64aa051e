"""Stages: kept as they end, gone on with, dropped when late, and ended when they never end."""

import time

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier

from overparam.audits import stages as stages_module
from overparam.audits.evidence import Evidence
from overparam.audits.plan import RATIO
from overparam.audits.run import run_audit
from overparam.audits.subject import make_subject
from overparam.audits.trial import Trial, read_trial
from overparam.ensembles import create
from overparam.ensembles.prepare import prepare
from overparam.errors import StoreError
from overparam.lab.runner import run_study
from overparam.stopping import Stopped
from tests.audits.worlds import blobs, subject_of


def audited(subject, folder=None, budget=40, **options):
    """Audit within a budget, planned as if a fit took half a second: it takes far less."""
    if folder is not None and not (folder / "trial.json").exists():
        setup = prepare(
            subject.model, subject.train, ratio=RATIO, evaluate=subject.test,
            groups=Evidence(subject).groups, one_run=False,
        )  # fmt: skip
        Trial(setup.digest, 0.5, 0, 0.0, is_measured=True).keep(folder)
    return run_audit(subject, budget=budget, **{"workers": 0, "folder": folder, **options})


def sentences(result):
    return {code: finding.sentence for code, finding in result.findings.items()}


@pytest.fixture
def trained(monkeypatch):
    """How many models each study trains anew."""
    counts = []

    def counting(study, *, on_progress, **options):
        seen = []

        def tell(advance):
            seen.append(advance.cells_done)
            on_progress(advance)

        try:
            return run_study(study, on_progress=tell, **options)
        finally:
            counts.append(seen[-1] - seen[0])

    monkeypatch.setattr(create, "run_study", counting)
    return counts


@pytest.fixture
def patient(monkeypatch):
    monkeypatch.setattr(stages_module, "_PATIENCE", 600.0)  # other work makes a machine slow


def test_a_second_audit_in_the_folder_trains_nothing_and_says_the_same(tmp_path, trained, patient):
    subject = subject_of(DecisionTreeClassifier(random_state=0), wrong=0.1)
    first = audited(subject, tmp_path)
    assert sum(trained) == sum(s.n_models for s in first.plan.stages) - 1  # one is fitted again
    trained.clear()
    again = audited(subject, tmp_path)
    assert sum(trained) == 0
    assert sentences(again) == sentences(first)
    assert again.plan == first.plan


def test_a_larger_budget_trains_only_what_is_missing(tmp_path, trained, patient):
    subject = subject_of()
    small, large = (audited(subject, tmp_path, budget) for budget in (16, 40))
    n_small, n_large = (sum(s.n_models for s in r.plan.stages) - 1 for r in (small, large))
    assert 0 < n_small < n_large
    assert sum(trained) == n_large


def test_an_audit_that_was_stopped_goes_on_where_it_was(tmp_path, trained, patient):
    subject = subject_of(DecisionTreeClassifier(random_state=0), wrong=0.1)

    def stop(stand):
        if stand.stage == "models" and stand.done == 7:
            raise Stopped

    with pytest.raises(Stopped):
        audited(subject, tmp_path, 16, on_progress=stop)
    found = audited(subject, tmp_path, 16)
    n_models = sum(s.n_models for s in found.plan.stages) - 1
    assert sum(trained) <= n_models + 1  # the seventh was told of before it was written
    (tmp_path / "other").mkdir()
    assert sentences(audited(subject, tmp_path / "other", 16)) == sentences(found)


def test_the_folder_of_another_audit_is_refused(tmp_path):
    audited(subject_of(), tmp_path, 1e-6)
    with pytest.raises(StoreError, match="is of other data, another model or another seed"):
        audited(subject_of(wrong=0.2), tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"of": 1}', "\x00", '{"of":"a","spent":NaN}'])
def test_a_trial_that_cannot_be_read_is_made_again(tmp_path, text):
    (tmp_path / "trial.json").write_text(text)
    assert read_trial(tmp_path, "digest") is None
    assert read_trial(tmp_path / "nowhere", "digest") is None
    kept = Trial("digest", 1.0, 2, 3.0).keep(tmp_path)
    assert read_trial(tmp_path, "digest") == kept


def test_a_trial_of_impossible_numbers_is_made_again(tmp_path):
    Trial("digest", -1.0, 2, 3.0).keep(tmp_path)
    assert read_trial(tmp_path, "digest") is None


def test_a_variant_that_cannot_be_fitted_costs_no_other(tmp_path, patient):
    model = KNeighborsClassifier(5)
    subject = subject_of(model, capacity={"n_neighbors": [3, 10_000, 7]})
    found = audited(subject, tmp_path, 30)
    assert set(found.findings["OP307"].details) == {"n_neighbors=3", "n_neighbors=7"}
    (note,) = [n for n in found.notes if "could not be measured" in n]
    assert note.startswith("n_neighbors=10000 could not be measured")


def test_where_no_variant_can_be_fitted_the_stage_has_failed(tmp_path, patient):
    subject = subject_of(KNeighborsClassifier(5), capacity={"n_neighbors": [10_000]})
    found = audited(subject, tmp_path, 30).findings
    assert found["OP307"].status == "failed"
    assert found["OP301"].status == "passed"


def test_a_stage_for_which_no_time_is_left_is_skipped(tmp_path, monkeypatch, patient):
    subject, clock = subject_of(), [0.0]

    def stand(told):  # the models take longer than planned
        clock[0] = 39.5 if told.stage == "models" and told.done > 3 else clock[0]

    monotonic = time.monotonic
    monkeypatch.setattr(stages_module.time, "monotonic", lambda: monotonic() + clock[0])
    found = audited(subject, tmp_path, 40, on_progress=stand).findings
    assert found["OP307"].status == "skipped"
    assert "took longer than planned" in found["OP307"].sentence


def test_groups_are_never_parted(tmp_path, monkeypatch, patient):
    made = []

    def keeping(*args, **options):
        made.append(create.subset_ensemble(*args, **options))
        return made[-1]

    monkeypatch.setattr(stages_module, "subset_ensemble", keeping)
    groups = np.arange(160) // 4
    subject = subject_of(groups=groups)
    audited(subject, tmp_path, 40)
    assert len({e.members.folder for e in made}) >= 1 + 2 + 2 + 1 + 3  # each has its own
    for ensemble in made:
        inside = np.asarray(ensemble.in_subset).reshape(len(ensemble.in_subset), 40, 4)
        assert (inside.all(2) == inside.any(2)).all()


def test_replaced_labels_are_wrong_and_shuffled_ones_the_same_labels(
    tmp_path, monkeypatch, patient
):
    seen = {}

    def keeping(model, data, **options):
        seen[options["folder"].name] = data
        return create.subset_ensemble(model, data, **options)

    monkeypatch.setattr(stages_module, "subset_ensemble", keeping)
    subject = subject_of()
    audited(subject, tmp_path, 40)
    labels = subject.train.labels
    assert (seen["shuffled-0.2"].labels != labels).mean() == 0.2
    assert sorted(seen["shuffled-1"].labels) == sorted(labels)
    assert 0.3 < (seen["shuffled-1"].labels != labels).mean() < 0.7
    assert seen["models"] is subject.train


def never(rows, seed):
    time.sleep(3600)


def test_a_fit_that_never_ends_leaves_the_data(tmp_path):
    begun = time.monotonic()
    X, y, _ = blobs()
    found = run_audit(make_subject(never, X, y), budget=4, workers=1)
    assert time.monotonic() - begun < 60
    assert found.findings["OP201"].status == "skipped"
    assert "not even a short trial of a fit has ended" in found.findings["OP201"].sentence
    assert "took longer" in found.findings["OP201"].sentence
    assert found.findings["OP505"].status == "passed"


@pytest.mark.slow
def test_a_fit_that_never_ends_costs_only_itself(tmp_path, monkeypatch):
    X, y, _ = blobs()
    (tmp_path / "fits").mkdir()

    def fit(rows, seed, folder=str(tmp_path / "fits")):
        import os

        if len(os.listdir(folder)) >= 8:
            time.sleep(3600)
        open(os.path.join(folder, str(seed)), "w").close()
        return DecisionTreeClassifier(random_state=seed).fit(X[rows], y[rows]).predict_proba

    monkeypatch.setattr(stages_module, "_PATIENCE", 4.0)
    monkeypatch.setattr(stages_module, "_LONGEST", 0.0)
    found = run_audit(make_subject(fit, X, y), budget=25, workers=1)
    ended = [n for n in found.notes if "did not end well" in n]
    assert any("it took longer than the time that there was, and was ended" in n for n in ended)
    assert found.findings["OP201"].status in ("found", "passed", "undecided")
    assert found.findings["OP306"].status == "skipped"  # none of its models has ended
    assert "took longer" in found.findings["OP306"].sentence


def test_what_an_audit_takes_is_what_its_plan_is_corrected_by(monkeypatch):
    plans = []
    found = run_audit(subject_of(), budget=3, workers=0, on_plan=plans.append)
    assert len(plans) == 2
    assert found.plan == plans[-1]
