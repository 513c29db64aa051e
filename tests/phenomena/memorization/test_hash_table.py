"""Tables and the network that is held against them: what they must say whatever the data."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

import overparam as op
from overparam.phenomena.memorization import _hash_tables as tables
from overparam.phenomena.memorization import hash_table as it
from overparam.phenomena.memorization._hash_table_summary import beyond_chance

SMALL = it.Condition(n_train=60, max_epochs=2, width=4, dataset="digits")


def outcome_of(**fields):
    return op.solve(it.run(replace(SMALL, **fields), op.Streams(3)))


@pytest.mark.parametrize("labels", [it.TRUE, it.RANDOM])
def test_exact_keys_are_right_on_what_they_store_and_guess_elsewhere(labels):
    found = outcome_of(answerer=it.EXACT, labels=labels)
    assert found.train_error == 0
    assert len(set(found.answers.tolist())) == 1  # the class that is most frequent in training
    assert found.relit_error >= 0.5
    stored = outcome_of(answerer=it.EXACT, labels=labels, asked=it.STORED)
    assert stored.test_error == 0


def test_neighbors_are_at_no_distance_of_themselves():
    found = outcome_of(answerer=tables.NEIGHBORS, asked=it.STORED)
    assert found.train_error == found.test_error == 0
    assert found.distance.max() < 1e-6
    assert outcome_of(answerer=tables.NEIGHBORS).distance.min() > 0.1


def test_invariant_keys_answer_alike_in_any_light():
    found = outcome_of(answerer=tables.INVARIANT)
    assert found.relit_error == found.train_error


def test_other_light_is_of_each_image_and_within_its_bounds():
    images = torch.rand(500, 1, 4, 4, dtype=torch.float64)
    relit = tables.in_other_light(images, op.Streams(0))
    contrast = (relit.flatten(1).std(1) / images.flatten(1).std(1)).numpy()
    brightness = (relit.flatten(1).mean(1).numpy()) - contrast * images.flatten(1).mean(1).numpy()
    for values, (low, high) in ((contrast, tables.CONTRAST), (brightness, tables.BRIGHTNESS)):
        assert low <= values.min() < low + 0.05
        assert high - 0.05 < values.max() <= high


def test_agreement_by_chance_is_that_of_all_pairs():
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 3, 40), rng.integers(1, 5, 40)
    by_chance = np.mean([x == y for x in a for y in b])
    assert beyond_chance(a, b) == pytest.approx(np.mean(a == b) - by_chance, abs=1e-12)
    assert beyond_chance(a, np.full(40, 2)) == pytest.approx(0, abs=1e-12)


def test_the_network_is_asked_what_the_tables_are():
    network = outcome_of(answerer=it.NETWORK, asked=it.STORED, labels=it.RANDOM)
    table = outcome_of(answerer=it.EXACT, asked=it.STORED, labels=it.RANDOM)
    # The exact table's answers are the labels of the rows that are asked.
    assert network.test_error == np.mean(network.answers != table.answers)
