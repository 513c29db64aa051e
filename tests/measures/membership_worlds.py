"""Attacks, made-up ensembles that leak by a known gap, and attacks as loops."""

import math

import numpy as np
from scipy import stats

from overparam.measures import (
    lira_scores,
    ratio_scores,
    rmia_scores,
    sablayrolles_scores,
    watson_scores,
)

ATTACKS = {
    "ratio": ratio_scores,
    "sablayrolles": sablayrolles_scores,
    "watson": watson_scores,
    "lira pooled": lambda *a: lira_scores(*a, variance="pooled"),
    "lira shrunk": lambda *a: lira_scores(*a, variance="shrunk"),
    "lira row": lambda *a: lira_scores(*a, variance="row"),
    "lira offline": lambda *a: lira_scores(*a, online=False),
    "rmia": lambda t, r, s: rmia_scores(t, r, s, gamma=1.0),
    "rmia offline": lambda t, r, s: rmia_scores(t, r, s, online=False),
}


def balanced_mask(rng, n_models, n_rows, ratio=0.5):
    """Each row in round(ratio K) of K subsets."""
    return np.argsort(rng.random((n_models, n_rows)), axis=0) < round(ratio * n_models)


def world(rng, n_models, n_rows, gap, mask=None, difficulty=3.0):
    """phi = difficulty of the row + gap if in + N(0, 1)."""
    inside = rng.random((n_models, n_rows)) < 0.5 if mask is None else mask
    rows = difficulty * rng.normal(size=n_rows)
    return rows + gap * inside + rng.normal(size=inside.shape), inside


def as_asked(name, phi):
    """The statistic that an attack takes, of phi."""
    p = 1 / (1 + np.exp(-phi))
    return phi if "lira" in name else p if name.startswith(("ratio", "rmia")) else -np.log(p)


def references_by_loop(inside, k, i, paired):
    """Models that judge model k on row i, from those that had it, and from those that had not."""
    sides = [[j for j in range(len(inside)) if inside[j, i] == side] for side in (True, False)]
    own, other = sides if inside[k, i] else sides[::-1]
    left = [j for j in own if j != k]
    if paired and other:
        partner = other[own.index(k) % len(other)]
        other = [j for j in other if j != partner]
    return (left, other) if inside[k, i] else (other, left)


def score_by_loop(name, x, inside, pooled, k, i, ins, outs, own):
    a, b, v = [x[j, i] for j in ins], [x[j, i] for j in outs], own
    if name == "ratio":
        return v / max(np.mean(a + b), 1e-3)
    if name == "watson":
        return np.mean(b) - v
    if name == "sablayrolles":
        return (np.mean(a) + np.mean(b)) / 2 - v

    def spread(values, s2):
        squares = np.sum((np.array(values) - np.mean(values)) ** 2)
        if name == "lira row":
            return squares / (len(values) - 1) if len(values) > 1 else np.nan
        if name == "lira shrunk":
            return (8 * s2 + squares) / (8 + len(values) - 1)
        return s2

    def z(values, s2):
        """In standard deviations of a new model less the mean of these."""
        return (v - np.mean(values)) / math.sqrt(spread(values, s2) * (1 + 1 / len(values)))

    if name == "lira offline":
        return z(b, pooled[1])
    ratio = stats.norm.logpdf(z(a, pooled[0])) - stats.norm.logpdf(z(b, pooled[1]))
    return ratio + math.log(spread(b, pooled[1]) / spread(a, pooled[0])) / 2


def pooled_by_loop(x, inside):
    found = []
    for side in (inside, ~inside):
        groups = [x[side[:, i], i] for i in range(x.shape[1])]
        squares = sum(((g - g.mean()) ** 2).sum() for g in groups if len(g))
        found.append(squares / sum(max(len(g) - 1, 0) for g in groups))
    return found


def pooled_in_turn_by_loop(x, inside, k, paired):
    """Of what judges model k, row by row: without itself, and by equal numbers where paired."""
    sides = [references_by_loop(inside, k, i, paired) for i in range(x.shape[1])]
    found = []
    for s in (0, 1):
        groups = [x[of_row[s], i] for i, of_row in enumerate(sides)]
        squares = sum(((g - g.mean()) ** 2).sum() for g in groups if len(g))
        found.append(squares / sum(max(len(g) - 1, 0) for g in groups))
    return found
