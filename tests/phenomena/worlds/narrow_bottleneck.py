"""Worlds of a narrow bottleneck: shares of random labels that are not fitted, and test errors."""

from __future__ import annotations

from overparam.phenomena.memorization import narrow_bottleneck
from overparam.phenomena.memorization.narrow_bottleneck import PLAIN, RANDOM

N_TEST = 1000


def few(c):
    return {2: 0.7, 4: 0.4, 8: 0.15, 16: 0.04}.get(c.bottleneck, 0.0)


def slightly(c):
    return 0.23 + 0.16 / c.bottleneck**1.2


def at_eight(share, otherwise):
    """A value at eight units, and what it is at all others."""
    return lambda c: share if c.bottleneck == 8 else otherwise(c)


def limited(unfitted=few, test_error=slightly, plain=lambda c: 0.0):
    """A world of bottlenecks.

    Args:
        unfitted: expected share of random labels that is not fitted. test_error: after true
            labels. plain: share that is not fitted without a bottleneck.
    """

    def world(conditions, seed, rng):
        shared = 0.02 * rng.standard_normal()
        outcomes = []
        for c in conditions:
            share = plain(c) if c.arm == PLAIN else unfitted(c)
            share = min(max(share + (share > 0) * (shared + 0.01 * rng.standard_normal()), 0), 1)
            train = rng.binomial(c.n_train, share) / c.n_train if c.labels == RANDOM else 0.0
            test = 0.9 if c.labels == RANDOM else 0.23 if c.arm == PLAIN else test_error(c)
            # All networks are asked about the same images, so that their errors go together.
            test = round((test + shared / 2 + 0.006 * rng.standard_normal()) * N_TEST) / N_TEST
            outcomes.append(narrow_bottleneck.Outcome(train, test, 8000 + 250 * c.bottleneck))
        return outcomes

    return world


def named(name, world):
    world.__name__ = name
    return world


EFFECT = limited()
NULLS = [
    named("nothing_is_limited", limited(lambda c: 0.0)),
    named("eight_units_fit_all_but_some", limited(at_eight(0.045, few))),
    named("fewer_units_fit_as_many", limited(lambda c: min(few(c), 0.24))),
    named("accuracy_is_lost", limited(test_error=at_eight(0.275, lambda c: 0.23))),
    named("nothing_is_fitted", limited(lambda c: few(c) + 0.1)),
]
PLANTED = {
    PLAIN: [
        named("none_fits", limited(plain=lambda c: 0.3)),
        named("few_parameters_do_not_fit", limited(plain=few)),
        named("one_size_does_not_fit", limited(plain=lambda c: 0.15 * (c.bottleneck == 16))),
    ]
}
