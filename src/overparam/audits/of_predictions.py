"""Predictions that somebody else made, as the models of an audit."""

from __future__ import annotations

from overparam.audits.subject import Subject
from overparam.audits.subset_models import SubsetModels


def models_of_predictions(subject: Subject) -> SubsetModels:
    """Return the models that the subject's predictions are of."""
    from overparam.ensembles import ensemble_of_predictions

    ensemble = ensemble_of_predictions(
        subject.model,
        subject.train.given_labels(),
        subject.mask,
        test=subject.test_predictions,
        task="classes" if subject.has_classes else "numbers",
    )
    return SubsetModels(subject, ensemble)
