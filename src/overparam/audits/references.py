"""Reference models: simple ones of other kinds, that any model should beat."""

from __future__ import annotations

from overparam.audits.subject import Subject
from overparam.audits.variants import Variant


def references_for(subject: Subject) -> tuple[Variant, ...]:
    """Return the reference models that fit the subject's inputs."""
    return ()
