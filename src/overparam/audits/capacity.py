"""The knob of a model's capacity, and the variants that turning it makes."""

from __future__ import annotations

from overparam.audits.subject import Subject
from overparam.audits.variants import Variant


def variants_of(subject: Subject) -> tuple[Variant, ...]:
    """Return the same recipe, smaller, larger, shorter, longer or regularized."""
    return ()
