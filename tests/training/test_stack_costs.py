"""How stacks are cut, by cost and memory, and what they are estimated to cost."""

from __future__ import annotations

import pytest

from overparam.streams import Streams
from overparam.training.recipe import Recipe
from overparam.training.request import Context
from overparam.training.stacks import cut, dense_buckets, model_bytes, step_flops
from overparam.training.train import TrainRequest
from tests.training.test_stacks import data, without_weights


def test_cut_is_optimal_against_all_cuts():
    costs = [3e-4, 1e-5, 2e-4, 5e-5, 9e-4, 4e-5]
    overhead = 150e-6

    def total(buckets):
        return sum(overhead + len(b) * max(costs[i] for i in b) for b in buckets)

    ordered = sorted(range(6), key=lambda i: costs[i])
    every = []
    for mask in range(32):
        buckets, bucket = [], [ordered[0]]
        for j in range(1, 6):
            if mask >> (j - 1) & 1:
                buckets, bucket = [*buckets, bucket], []
            bucket.append(ordered[j])
        every.append(total([*buckets, bucket]))
    assert total(cut(costs, [1] * 6, 100)) == pytest.approx(min(every))


def test_buckets_respect_memory():
    nets = [without_weights("mlp", w) for w in (64, 64, 64, 64)]
    one = model_bytes(nets[0], 32)
    assert sorted(map(len, dense_buckets(nets, 32, 2 * one, "float32"))) == [2, 2]
    assert dense_buckets(nets, 32, 1, "float32") == [[3], [2], [1], [0]]


def test_step_flops_of_a_dense_net():
    # 2 B (16 h + h h + 3 h) forward, twice that backward without the inputs' own gradient.
    assert step_flops(without_weights("mlp", 5), 10, (1, 4, 4)) == 3 * 20 * 120 - 20 * 80


def test_estimate_counts_what_execute_does():
    requests = [
        TrainRequest(without_weights("mlp", 5), data(), Recipe(epochs=2, batch_size=45), Streams(i))
        for i in range(3)
    ]
    done = []
    stand_ins, cost = TrainRequest.estimate(requests, Context())
    TrainRequest.execute(requests, Context(progress=done.append))
    assert cost.n_models == 3
    assert cost.flops == pytest.approx(sum(done))
    assert stand_ins[0].state["1.weight"].shape == (5, 16)
