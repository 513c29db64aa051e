"""Small subjects with a known answer, for the tests of an audit."""

from types import SimpleNamespace

import numpy as np
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from overparam.audits.evidence import Evidence
from overparam.audits.one_model import fit_one
from overparam.audits.plan import RATIO
from overparam.audits.subject import make_subject
from overparam.audits.subset_models import SubsetModels
from overparam.audits.variants import Variant
from overparam.ensembles import subset_ensemble
from overparam.ensembles.prepare import prepare


def blobs(n=160, seed=0, spread=0.6, wrong=0.0):
    """Two classes around (-1, 0) and (1, 0); a share of the labels wrong."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    X = rng.normal(size=(n, 2)) * spread + np.stack([2.0 * y - 1, np.zeros(n)], axis=1)
    flipped = rng.permutation(n)[: round(wrong * n)]
    labels = y.copy()
    labels[flipped] = 1 - labels[flipped]
    return X, labels, np.sort(flipped)


def subject_of(model=None, n=160, *, wrong=0.0, tested=True, **options):
    X, y, _ = blobs(n, wrong=wrong)
    test = blobs(200, seed=1)[:2] if tested else None
    model = DecisionTreeClassifier() if model is None else model
    return make_subject(model, X, y, test=test, **options)


def line_subject(n=120):
    """Numbers to predict: y = x with noise of a tenth of its spread."""
    rng = np.random.default_rng(2)
    x = rng.uniform(-1, 1, (n, 1))
    y = x[:, 0] + 0.06 * rng.normal(size=n)
    return make_subject(DecisionTreeRegressor(), x, y)


def models_of(subject, n_models=6, model=None, ratio=RATIO, data=None):
    """Models on subsets, in this process."""
    model, data = (subject.model if model is None else model), data or subject.train
    ensemble = subset_ensemble(
        model, data, n_models=n_models, ratio=ratio,
        evaluate=subject.test, recipe=subject.recipe, workers=0, one_run=False,
    )  # fmt: skip
    return SubsetModels(subject, ensemble)


def said_models(subject, n_models=6, *, seen=0.0, unseen=0.2, seed=0, trained=RATIO, drawn=0):
    """Models that were never trained: wrong on so many of the rows that they saw, or did not.

    `unseen` may be a chance for each row, training rows and then test rows. Subsets are those of
    the seed `drawn`, what is wrong that of `seed`.
    """
    n, m = subject.n_rows, 0 if subject.test is None else len(subject.test)
    order = np.random.default_rng(drawn).random((n_models, n)).argsort(1)
    inside = order < round(trained * n)
    rng, chance = np.random.default_rng(seed), np.broadcast_to(unseen, n + m)
    loss = (rng.random((n_models, n)) < np.where(inside, seen, chance[:n])).astype(float)
    test_loss = (rng.random((n_models, m)) < chance[n:]).astype(float) if m else None
    said = SimpleNamespace(n_models=n_models, in_subset=inside, labels=subject.train.labels)
    models = SubsetModels(subject, said)
    vars(models).update(loss=loss, test_loss=test_loss)
    return models


def one_of(subject, seed=0):
    """The one model, trained in this process."""
    setup = prepare(
        subject.model, subject.train, recipe=subject.recipe, seed=seed,
        arguments=subject.arguments, evaluate=subject.test,
    )  # fmt: skip
    return fit_one(setup.learner, subject, seed)


def variant(name, direction="regularized", **options):
    return Variant(name, direction, f"variants-{name}", None, knob=name, **options)


def evidence_of(subject, **parts):
    evidence = Evidence(subject)
    for name, part in parts.items():
        evidence.put(name, part)
    return evidence
