"""Worlds of memorization: networks that fit whatever they are given, and that do not."""

from __future__ import annotations

import math

import numpy as np

from overparam.phenomena.memorization import autoencoders, random_labels
from overparam.phenomena.memorization._autoencoder_networks import N_UNSEEN
from tests.phenomena.worlds import (
    differential_privacy,
    hash_table,
    labels_one_by_one,
    long_tail,
    model_size,
    narrow_bottleneck,
    overfitting_leaks,
    proxies,
)

N_TEST = 1000
SLOW = {"dropout": 10.3}  # times as long as true labels take


def small_fails(c):
    return 0.3 + 0.3 * c.corruption_rate


def fits(c):
    return 0.0


def fitting(
    worst=lambda c: 0.0,
    epochs=lambda c: 12 * (1 + c.corruption_rate),
    chance=0.9,
    small=small_fails,
):
    """A world of random labels.

    Args:
        worst: expected training error of a network of the treatment in a setting.
        epochs: to fit. chance: expected test error after wholly random labels. small: expected
            training error of the network too small.
    """

    def world(conditions, seed, rng):
        shared = 0.01 * rng.standard_normal()
        outcomes = []
        for c in conditions:
            is_small = c.model == random_labels.TOO_SMALL
            train = small(c) if is_small else worst(c)
            train = rng.binomial(c.n_train, min(max(train + (train > 0) * shared, 0), 1))
            train /= c.n_train
            is_noise = c.inputs in ("random pixels", "gaussian")
            test = 0.9 if is_noise else 0.2 + (chance - 0.2) * c.corruption_rate
            test = rng.binomial(N_TEST, min(test + shared, 1)) / N_TEST
            time = math.nan
            if train <= random_labels.FITTED and c.model != random_labels.CONSTRUCTION:
                time = float(max(1, round(epochs(c) * math.exp(0.1 * rng.standard_normal()))))
            losses = np.geomspace(2, 0.01, c.max_epochs)
            losses[30 + int(20 * c.corruption_rate) :] = math.nan
            outcomes.append(random_labels.Outcome(1000, train, test, time, losses))
        return outcomes

    return world


def named(name, world):
    world.__name__ = name
    return world


NULLS = {
    "memorization/random_labels": [
        named(
            "one_setting_is_not_fitted",
            fitting(lambda c: 0.02 if c.regularizer == "dropout" else 0.0),
        ),
        named("nearly_fitted", fitting(lambda c: 0.0105)),
        named("takes_long", fitting(epochs=lambda c: 12 * (1 + 9.2 * c.corruption_rate))),
        named("learns_from_random_labels", fitting(chance=0.845)),
        named(
            "a_regularizer_takes_long",
            fitting(epochs=lambda c: 12 * SLOW.get(c.regularizer, 1 + c.corruption_rate)),
        ),
    ]
}
PLANTED = {
    "memorization/random_labels": {
        random_labels.TOO_SMALL: [
            named("fits_all", fitting(small=fits)),
            named("slowly", fitting(epochs=lambda c: 10 + 130 * c.corruption_rate, small=fits)),
            named("and_learns_from_them", fitting(chance=0.8, small=fits)),
            named("but_not_true_labels", fitting(small=lambda c: 0.02 * (c.corruption_rate == 0))),
        ]
    }
}
EFFECTS = {"memorization/random_labels": fitting()}


# ------------------------------------------------------------------ autoencoders

PATH = np.zeros((1, len(autoencoders.SHOWN_STEPS), 2, 2))


def storing(deep, shallow, recalled, control=lambda c: (0.0, 0.1)):
    """A world of autoencoders: expected rates at the largest depths and at all others.

    Args:
        control: rate, and share of unseen images that end at a training image, of a control.
    """

    def world(conditions, seed, rng):
        shared = 0.05 * rng.standard_normal()
        outcomes = []
        for c in conditions:
            treated = c.arm == "treatment"
            is_deep = treated and c.depth == autoencoders.depths_of(c, c.kind)[-1]
            rate = (deep if is_deep else shallow) + shared if treated else control(c)[0]
            rate = rng.binomial(c.n_judged, min(max(rate, 0), 1)) / c.n_judged
            ends = recalled + shared if treated else control(c)[1]
            ends = rng.binomial(N_UNSEEN, min(max(ends, 0), 1))
            loss = 1e-8 * math.exp(-rng.random())
            radius = 1.5 - rate
            outcomes.append(
                autoencoders.Outcome(
                    *(5000, 1000, loss, True, rate, ends / N_UNSEEN),
                    *(radius, radius + 0.2, 1e-4, 0.9, 0.7, math.nan),
                    *(PATH, np.ones((1, 2, 2))),
                )
            )
        return outcomes

    return world


NULLS["memorization/autoencoders"] = [
    named("stores_nothing", storing(0.02, 0.02, 0.02)),
    named("stores_half", storing(0.5, 0.2, 0.9)),
    named("depth_changes_nothing", storing(0.8, 0.8, 0.9)),
    named("iterating_ends_elsewhere", storing(0.9, 0.2, 0.5)),
]
EFFECTS["memorization/autoencoders"] = storing(0.85, 0.3, 0.9)
PLANTED["memorization/autoencoders"] = {
    arm: [
        named("all_stored", storing(0.85, 0.3, 0.9, lambda c: (1.0, 0.9))),
        named("half_stored_some_recalled", storing(0.85, 0.3, 0.9, lambda c: (0.5, 0.4))),
        named("all_stored_none_recalled", storing(0.85, 0.3, 0.9, lambda c: (1.0, 0.0))),
    ]
    for arm in (autoencoders.MANY_IMAGES, autoencoders.LINEAR)
}


# ------------------------------------------------------------------ worlds of their own files

for name, worlds in (
    ("memorization/hash_table", hash_table),
    ("memorization/overfitting_leaks", overfitting_leaks),
    ("memorization/labels_one_by_one", labels_one_by_one),
    ("memorization/long_tail", long_tail),
    ("memorization/model_size", model_size),
    ("memorization/narrow_bottleneck", narrow_bottleneck),
    ("memorization/proxies", proxies),
    ("memorization/differential_privacy", differential_privacy),
):
    NULLS[name], EFFECTS[name], PLANTED[name] = worlds.NULLS, worlds.EFFECT, worlds.PLANTED
