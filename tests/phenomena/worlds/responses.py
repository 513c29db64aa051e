"""Outputs and layers of made-up networks: starts, dense networks, one linear layer, all layers."""

from __future__ import annotations

import numpy as np

from overparam.phenomena.identity import fully_connected, initialization, one_layer_theorem
from overparam.phenomena.identity import through_layers as through
from tests.phenomena.worlds.preferences import (
    BASELINE,
    BLANK,
    N_INPUTS,
    N_SHOWN,
    SIDE,
    map_of,
)

# Starts.


def disagreeing(by_channels, spread=0.03):
    """Outputs of starts that share a part of their variance: 1 - part is their disagreement."""

    def world(conditions, seed, rng):
        image = np.random.default_rng(seed).standard_normal((N_SHOWN, SIDE, SIDE))
        own = spread * rng.standard_normal()
        outcomes = []
        for c in conditions:
            if c.arm != initialization.STARTS or c.n_channels in (6, 16):
                outcomes.append(map_of(0.5))
                continue
            part = np.clip(1 - by_channels(c.n_channels) - own, 0, 1)
            noise = rng.standard_normal(image.shape, np.float32)
            outputs = np.sqrt(part) * image + np.sqrt(1 - part) * noise
            outcomes.append(map_of(0.5, outputs=outputs.astype(np.float16)))
        return outcomes

    return world


# Fully connected networks.

ONE_LAYER = ("identity", 1)


def dense(
    shortfall, turned=(0.6, 0.75, 0.99), energy=0.33, cosine=0.02, spread=0.02, many_images=0.0
):
    """Networks of a shortfall each, by (activation, depth), and of one layer with many images."""

    def world(conditions, seed, rng):
        outcomes = []
        for c in conditions:
            network = (c.activation, c.depth)
            short = shortfall(network) if c.n_train == 1 else 0.5
            if c.n_train > 300:
                short = many_images
            identity = 1 - (1 - BASELINE) * short + spread * rng.standard_normal()
            place = min(c.depth - 1, 2) if c.activation == "identity" else c.depth // 3
            constant = turned[min(place, 2)] + 0.003 * rng.standard_normal()
            found = map_of(0.0, identity_correlation=identity, constant_correlation=constant)
            lacking = 1e-30 if c.n_train > 196 else 0.8 * (1 - c.n_train / 196)
            outcomes.append(
                fully_connected.Outcome(
                    **vars(found),
                    baseline=BASELINE + 0.01 * rng.standard_normal(),
                    response_energy=energy + 0.05 * rng.standard_normal(),
                    response_cosine=cosine + 0.03 * rng.standard_normal(),
                    relative_error=4 / 3 * lacking,
                    off_span=lacking,
                )
            )
        return outcomes

    return world


# One layer.

COSINES = np.sqrt(np.linspace(0.0, 0.98, N_INPUTS))
SHOWN_ONLY = one_layer_theorem.Outcome(  # layers that no rule looks at
    n_steps=430,
    train_loss=1e-25,
    learned=True,
    rank=25,
    deviation=2e-11,
    deviation_now=3e-15,
    noise=np.nan,
    cosines=COSINES,
    errors=0 * COSINES,
    predicted=0 * COSINES,
    outputs=BLANK,
)


def layers(noise=1.0, deviation=2e-12, off=1.0, spread=0.05, noise_of_zero=1e-24, adam_off=None):
    """One linear layer whose noise, distance from the formula and errors are given."""

    def world(conditions, seed, rng):
        outcomes = []
        for c in conditions:
            if c.layer == "convolution" or c.optimizer == "momentum":
                outcomes.append(SHOWN_ONLY)
                continue
            zero, adam = c.start == "zero", c.optimizer == "adam"
            predicted = (1 if zero else 4 / 3) * (1 - COSINES**2)
            own = np.exp(spread * rng.standard_normal(N_INPUTS))
            level = noise_of_zero if zero else noise
            largest = deviation if not adam else 0.5 if adam_off is None else adam_off
            outcomes.append(
                one_layer_theorem.Outcome(
                    n_steps=40,
                    train_loss=1e-25,
                    learned=True,
                    rank=1,
                    deviation=largest * rng.uniform(0.5, 1),
                    deviation_now=np.nan if adam else 1e-15,
                    noise=level * np.exp(0.1 * rng.standard_normal()),
                    cosines=COSINES,
                    errors=predicted * own * (1 if zero else off),
                    predicted=predicted,
                    outputs=BLANK,
                )
            )
        return outcomes

    return world


# Through the layers.


def seen(trained, random, *, end=0.02, shuffled=0.0, constant=0.98, spread=0.07):
    """Visible shapes in the middle layers of the trained network and of its start."""

    def world(conditions, seed, rng):
        outcomes = []
        for c in conditions:
            middle = trained if c.state == through.TRAINED else random
            curve = np.full(c.depth, middle + spread * rng.standard_normal())
            more = shuffled if c.state == through.TRAINED else 0.0
            hidden = np.full(c.depth, random + more + spread * rng.standard_normal())
            curve[int(0.7 * c.depth) :] = end + 0.03 * rng.standard_normal()
            to_image = np.full(c.depth, 0.4)
            to_image[-1] = constant + 0.01 * rng.standard_normal()
            outcomes.append(
                through.Outcome(
                    **vars(map_of(0.0)),
                    visible=curve,
                    constant=to_image,
                    dependence=curve,
                    read_by_pixel=curve,
                    read_by_layer=curve,
                    visible_shuffled=hidden,
                )
            )
        return outcomes

    return world
