"""The stages of mended and of planted labels: what they train, and on what."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from overparam.audits.check import ask
from overparam.audits.checks.memorization.label_errors import CHECK
from overparam.audits.evidence import STAGES, Evidence, Missing
from overparam.audits.plan import RATIO, AuditPlan, Stage
from overparam.audits.stages import Machine, Stages
from overparam.audits.subject import make_subject
from overparam.ensembles.prepare import prepare
from overparam.lab.pool import Pool
from tests.audits.worlds import blobs


def run_stages(subject, folder, **models):
    evidence = Evidence(subject)
    plan = AuditPlan(1e4, 1, 1e-3, tuple(Stage(s, models.get(s, 0), 0.0) for s in STAGES))
    setup = prepare(subject.model, subject.train, ratio=RATIO, one_run=False)
    with Pool(0) as pool:
        Stages(evidence, plan, Machine(folder, pool), setup).run(["models", "cleaned", "canaries"])
    return evidence


def subject_with(wrong=0.1, model=None, n=300):
    X, y, rows = blobs(n, spread=0.3, wrong=wrong)
    return make_subject(LogisticRegression() if model is None else model, X, y), rows


def test_labels_are_mended_on_equal_subsets_and_planted_in_a_copy(tmp_path):
    subject, rows = subject_with()
    evidence = run_stages(subject, tmp_path, models=12, cleaned=10, canaries=10)
    models, cleaned, canaries = evidence.models, evidence.cleaned, evidence.canaries
    assert np.array_equal(cleaned.in_subset, models.in_subset[:10])
    changed = np.flatnonzero(cleaned.ensemble.labels != models.ensemble.labels)
    assert np.array_equal(changed, np.sort(evidence.suspects.rows))
    assert np.isin(changed, rows).mean() > 0.9
    planted = np.flatnonzero(canaries.models.ensemble.labels != models.ensemble.labels)
    assert np.array_equal(planted, canaries.rows)
    found = ask(CHECK, evidence)
    assert found.gain is not None
    assert found.details["canaries"]["recall"]["value"] > 60
    # The same again trains nothing, and says the same.
    folders = sorted(p.name for p in tmp_path.iterdir())
    again = ask(CHECK, run_stages(subject, tmp_path, models=12, cleaned=10, canaries=10))
    assert sorted(p.name for p in tmp_path.iterdir()) == folders
    assert again.sentence == found.sentence


def test_where_no_label_is_doubted_there_is_none_to_mend(tmp_path):
    subject, _ = subject_with(wrong=0.0)
    evidence = run_stages(subject, tmp_path, models=12, cleaned=10)
    with pytest.raises(Missing, match="no label is doubted") as missing:
        evidence.require("cleaned")
    assert missing.value.status == "not applicable"
    with pytest.raises(Missing, match="the budget"):
        evidence.require("canaries")


def test_without_models_on_subsets_nothing_is_mended(tmp_path):
    subject, _ = subject_with()
    evidence = run_stages(subject, tmp_path, cleaned=10)
    with pytest.raises(Missing, match=STAGES["models"]):
        evidence.require("cleaned")


def test_a_function_is_fitted_without_the_doubted_rows(tmp_path):
    X, y, _ = blobs(300, spread=0.3, wrong=0.1)

    def fit(rows, seed):
        model = LogisticRegression().fit(X[rows], y[rows])
        return lambda inputs: model.predict_proba(np.asarray(inputs))

    subject, _ = subject_with(model=fit)
    evidence = run_stages(subject, tmp_path, models=12, cleaned=8, canaries=8)
    assert not evidence.cleaned.in_subset[:, evidence.suspects.rows].any()
    with pytest.raises(Missing, match="holds its labels itself"):
        evidence.require("canaries")
    assert ask(CHECK, evidence).gain is not None


def test_too_few_rows_to_plant_in_are_said(tmp_path):
    subject, _ = subject_with(n=60)
    evidence = run_stages(subject, tmp_path, models=6, canaries=6)
    with pytest.raises(Missing, match="fewer than 100 rows") as missing:
        evidence.require("canaries")
    assert missing.value.status == "skipped"
