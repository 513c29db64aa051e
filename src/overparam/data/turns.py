"""Turns: in which models of a round each row, or group of rows, is.

A round is so many models that a ratio of them is a whole number, where that is possible. Units
(rows, or groups) that are dealt together take one pattern, each from another model on, so that
together they are in every model equally often.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import combinations

import numpy as np

_LONGEST_ROUND = 20  # models, within which a ratio is met exactly where that is possible
_USUAL_ROUND = 10


def round_of(ratio: float) -> tuple[int, list[int]]:
    """Return the number of models of a round, and in how many of them a row may be."""
    for length in range(2, _LONGEST_ROUND + 1):
        n_in = round(ratio * length)
        if abs(ratio * length - n_in) < 1e-9 and 0 < n_in < length:
            return length, [n_in]
    length = max(_USUAL_ROUND, math.ceil(1 / min(ratio, 1 - ratio) - 1e-9))
    low = math.floor(ratio * length + 1e-9)
    counts = (low,) if abs(ratio * length - low) < 1e-9 else (low, low + 1)
    return length, [n_in for n_in in counts if 0 < n_in < length]


def longest_wait(ratio: float) -> int:
    """Return the number of models within which a unit can be both in and out of some."""
    length, counts = round_of(ratio)
    return max(-(-length // min(n_in, length - n_in)) for n_in in counts)


def deal(n: int, ratio: float, rng: np.random.Generator, *, short_waits: bool) -> np.ndarray:
    """Return the turns `[length, n]` of n units in one round.

    Units are shuffled and cut into hands of `length`; those of a hand take the same pattern, each
    from another turn on, so that together they are in every model equally often. Who is in a hand
    with whom is drawn anew in each round.
    """
    length, counts = round_of(ratio)
    n_hands = -(-n // length)
    n_more = math.floor((ratio * length - counts[0]) * n_hands + rng.random())
    more = rng.permutation(n_hands) < n_more
    longest = longest_wait(ratio) if short_waits else length
    hands = np.empty((n_hands, length), dtype=bool)
    for n_in, chosen in ((counts[0], ~more), (counts[-1], more)):
        ways = _patterns(length, n_in, longest)
        hands[chosen] = ways[rng.integers(len(ways), size=int(chosen.sum()))]
    later = rng.permuted(np.tile(np.arange(length), (n_hands, 1)), axis=1)
    turns = (np.arange(length) - later[:, :, None]) % length
    dealt = np.take_along_axis(hands[:, None, :], turns, axis=2).reshape(-1, length)[:n]
    return dealt[rng.permutation(n)].T


def deal_by_class(
    strata: Sequence[np.ndarray], ratio: float, rng: np.random.Generator, *, short_waits: bool
) -> np.ndarray:
    """Return the turns `[length, n]` of the units of several classes in one round.

    In any two models the numbers of units of a class differ by at most one, and so do the numbers
    of all units: each class is dealt by itself, and then single turns are moved from models that
    have too many to models that have too few.

    Args:
        strata: positions of the units of each class, 0 to n - 1 together.
    """
    length, counts = round_of(ratio)
    turns = np.empty((length, sum(map(len, strata))), dtype=bool)
    # Of how many units of each class the larger number of turns is; the remainders are carried
    # from class to class, so that their sum is right too.
    ends = np.cumsum([0, *map(len, strata)]) * max(0.0, ratio * length - counts[0])
    n_more = np.diff(np.floor(ends + rng.random())).astype(np.int64)
    for units, more in zip(strata, n_more, strict=True):
        parts = [
            _hands(n, n_in, length, longest_wait(ratio) if short_waits else length, rng)
            for n, n_in in ((len(units) - more, counts[0]), (more, counts[-1]))
        ]
        turns[:, units] = np.concatenate(parts)[rng.permutation(len(units))].T
    _even_out(turns, strata, rng, longest_wait(ratio) if short_waits else 0)
    return turns


def _hands(n: int, n_in: int, length: int, longest: int, rng: np.random.Generator) -> np.ndarray:
    """Return turns `[n, length]` of which each unit has `n_in`; the last hand may be short."""
    ways = _patterns(length, n_in, longest)
    hands = ways[rng.integers(len(ways), size=-(-n // length))]
    later = rng.permuted(np.tile(np.arange(length), (len(hands), 1)), axis=1)
    turns = (np.arange(length) - later[:, :, None]) % length
    return np.take_along_axis(hands[:, None, :], turns, axis=2).reshape(-1, length)[:n]


def _even_out(
    turns: np.ndarray, strata: Sequence[np.ndarray], rng: np.random.Generator, least: int
) -> None:
    """Move turns between models until their numbers of units differ by one at most.

    A turn moved within a class from a model with more of it to one with less evens the class out
    and lets every unit keep its number of turns. Where all classes are even, it only swaps the
    numbers of two models: so the sums of all classes are evened out too.
    """
    counts = np.array([turns[:, units].sum(1) for units in strata])

    def move(c: int, pairs: Iterable[tuple[int, int]]) -> bool:
        for a, b in pairs:
            if _move_by_way(turns, strata[c], a, b, rng, least):
                counts[c, a] -= 1
                counts[c, b] += 1
                return True
        return False

    for c in range(len(strata)):
        while move(c, _uneven(counts[c], rng)):
            pass
    while any(
        counts[c, a] > counts[c, b] and move(c, [(a, b)])
        for a, b in _uneven(counts.sum(0), rng)
        for c in rng.permutation(len(strata))
    ):
        pass


def _uneven(numbers: np.ndarray, rng: np.random.Generator) -> Iterator[tuple[int, int]]:
    """Yield pairs of models of which the first has two more at least, those furthest apart first.

    Which of equal ones come first is drawn at random.
    """
    order = rng.permutation(len(numbers))
    order = order[np.argsort(numbers[order], kind="stable")]
    for a in reversed(order):
        for b in order:
            if numbers[a] - numbers[b] < 2:
                break
            yield int(a), int(b)


def _move_by_way(
    turns: np.ndarray, units: np.ndarray, a: int, b: int, rng: np.random.Generator, least: int
) -> bool:
    """Move a turn from model a to model b; where none may go, one from a and one to b by a third.

    Only of a few units in the first round may none go straight.
    """
    if _move(turns, units, a, b, rng, least):
        return True
    before = turns[:, units]
    for between in set(range(len(turns))) - {a, b}:
        if _move(turns, units, a, between, rng, least) and _move(
            turns, units, between, b, rng, least
        ):
            return True
        turns[:, units] = before
    return False


def _move(
    turns: np.ndarray, units: np.ndarray, a: int, b: int, rng: np.random.Generator, least: int
) -> bool:
    """Move the turn of one of the units from model a to model b, and return whether there is one.

    Each must be in and out of some of the first `least` models still.
    """
    able = units[turns[a, units] & ~turns[b, units]]
    if least:
        moved = turns[:, able]  # a copy
        moved[a], moved[b] = False, True
        able = able[moved[:least].any(0) & ~moved[:least].all(0)]
    if not len(able):
        return False
    unit = rng.choice(able)
    turns[a, unit], turns[b, unit] = False, True
    return True


@cache
def _patterns(length: int, n_in: int, longest: int) -> np.ndarray:
    """Return the ways of being in `n_in` of `length` models on a circle, without being in, or out,
    of more than `longest` - 1 in a row; bool `[ways, length]`.

    Only those that have the first model on their rarer side: all others are turns of these, each
    of as many.
    """
    n_few = min(n_in, length - n_in)
    chosen = np.array([(0, *c) for c in combinations(range(1, length), n_few - 1)])
    gaps = np.diff(chosen, axis=1, append=length)
    chosen = chosen[gaps.max(1) <= longest]
    few = np.zeros((len(chosen), length), dtype=bool)
    np.put_along_axis(few, chosen, True, axis=1)
    if n_few >= longest:
        few = few[~np.all([np.roll(few, turn, axis=1) for turn in range(longest)], axis=0).any(1)]
    return few if n_few == n_in else ~few
