"""Training rows whose labels are suspect, to be followed apart from the others."""

from __future__ import annotations

import numpy as np

from overparam.audits.course import Course
from overparam.audits.evidence import Evidence

_SUSPECT = 0.5  # probability of the label out of sample, below which another class is likelier


def suspects_of(evidence: Evidence, course: Course) -> np.ndarray | None:
    """Return which of the followed training rows have suspect labels, bool `[r]`.

    Those that models which did not see them take for another class, and not for theirs by more
    than half. None where there are no such models, or no classes.
    """
    if not evidence.subject.has_classes or not evidence.has("models"):
        return None
    errors = evidence.models.ensemble.label_errors()
    labels = evidence.subject.train.labels
    likelier = (errors.suggested >= 0) & (errors.suggested != labels)
    found: np.ndarray = (likelier & (errors.suspicion > _SUSPECT))[course.rows]
    return found
