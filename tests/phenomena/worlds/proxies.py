"""Worlds of proxies: how far scores of one run follow what retrained models say."""

from __future__ import annotations

import numpy as np

from overparam.phenomena.memorization import proxies as it
from overparam.phenomena.memorization._league import MEMBER, SCORES

N = 120
N_FLIPPED = 12
RATIO = 0.7


def following(name, *, run=0.9, final=0.3, neighbors=0.6, found=0.97, untrained=-0.1, unfitted=0.0):
    """A world of proxies.

    Args:
        run, final, neighbors, untrained: correlation of the cumulative and the final loss, of
            neighbours, and of an untrained network's loss with how hard a row is.
        found: chance of a flipped row to lie above all others in the cumulative loss; the others
            lie anywhere. unfitted: share of its own rows that a member does not fit.
    """

    def world(conditions, seed, rng):
        flipped = rng.permutation(N) < N_FLIPPED
        hard = rng.standard_normal(N)
        masks = rng.random((max(c.member for c in conditions) + 1, N)) < RATIO
        level = np.where(flipped, -2.0, 1.0 - 1.5 * hard)  # of margins when the row is out

        def score(weight):
            return weight * hard + np.sqrt(1 - weight**2) * rng.standard_normal(N)

        outcomes = []
        for c in conditions:
            scores = np.empty((len(SCORES), 0), np.float32)
            mask = masks[c.member]
            margins = np.where(mask, 3.0, level + rng.standard_normal(N))
            margins += 0.5 * mask * rng.standard_normal(N)
            if c.part == MEMBER:
                margins[mask & (rng.random(N) < unfitted)] = -1.0
            else:
                mask, margins = np.ones(N, bool), np.full(N, 3.0)
                scores = np.stack([score(final) for _ in SCORES]).astype(np.float32)
                scores += np.float32(6 * final) * (flipped & (rng.random(N) < found))
                own = score(run if c.part == it.RUN else untrained)
                if c.part == it.RUN:
                    own += 6.0 * (flipped & (rng.random(N) < found))
                scores[SCORES.index("cumulative_loss")] = own
                around = score(neighbors) + 3.0 * neighbors * flipped
                scores[SCORES.index("neighbor_disagreement")] = around
            error = rng.binomial(1000, 0.3) / 1000
            outcomes.append(it.Outcome(margins.astype(np.float32), mask, flipped, error, scores))
        return outcomes

    world.__name__ = name
    return world


NULLS = [
    following("the_loss_says_little", run=0.0),
    following("the_final_loss_says_as_much", final=0.9),
    following("flipped_labels_are_not_found", run=0.95, found=0.0),
]
EFFECT = following("as_claimed")
PLANTED = {
    it.UNTRAINED: [
        following("what_is_odd_is_seen_untrained", untrained=0.7),
        following("and_training_adds_nothing", untrained=0.7, run=0.7),
    ]
}
